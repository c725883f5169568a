"""Reads the event file of a run with TensorBoard's own reader and holds it against the run's metrics.jsonl.

    python3 -m venv /tmp/tb && /tmp/tb/bin/pip install tensorboard
    warp19 train ... --tensorboard --out RUN
    /tmp/tb/bin/python tests/report/read_events.py RUN
"""

import json
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = pathlib.Path(sys.argv[1])
events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
events.Reload()
epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
names = {
    "loss/train": "train_loss",
    "loss/test": "test_loss",
    "loss/test_raw": "test_loss_raw",
    "loss/validation": "val_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/test": "test_accuracy",
    "accuracy/test_raw": "test_accuracy_raw",
    "accuracy/validation": "val_accuracy",
    "learning_rate": "lr",
    "images_per_second": "images_per_second",
    "epoch": "epoch",
}
checked = 0
for tag, name in names.items():
    expected = [(e["step"], struct.unpack("f", struct.pack("f", e[name]))[0]) for e in epochs if name in e]
    if not expected:
        assert tag not in events.Tags()["scalars"], f"{tag} without a metric"
        continue
    found = [(s.step, s.value) for s in events.Scalars(tag)]
    assert found == expected, f"{tag}: {found} where the metrics have {expected}"
    checked += len(found)
(image,) = events.Images("errors")
assert image.encoded_image_string == (run / "errors.png").read_bytes(), "the picture is not errors.png"
assert image.encoded_image_string[16:24] == struct.pack(">II", image.width, image.height), "the picture's size"
print(f"{checked} scalars and a picture of {image.width}x{image.height} are as they should be")
