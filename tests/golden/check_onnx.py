#!/usr/bin/env python3
"""Checks an exported ONNX model with onnx.checker and evaluates it with onnxruntime on the test images.

    pip install onnx onnxruntime numpy
    warp19 export RUN --format onnx --out out.onnx
    python tests/golden/check_onnx.py out.onnx data/mnist

Prints accuracy and mean cross-entropy, to be held beside `warp19 eval RUN --json`.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime


def main():
    path, data = sys.argv[1:]
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = np.fromfile(f"{data}/t10k-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
    labels = np.fromfile(f"{data}/t10k-labels-idx1-ubyte", np.uint8)[8:]
    logits = []
    for start in range(0, len(images), 500):
        part = images[start : start + 500].astype(np.float32) / 255
        out, probabilities = session.run(["logits", "probabilities"], {"image": part})
        assert np.abs(probabilities.sum(1) - 1).max() < 1e-5
        logits.append(out.astype(np.float64))
    z = np.concatenate(logits)
    z -= z.max(1, keepdims=True)
    loss = np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), labels]
    print(json.dumps({"accuracy": float((z.argmax(1) == labels).mean()), "loss": float(loss.mean())}))


main()
