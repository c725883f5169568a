#!/usr/bin/env python3
"""Loads an exported run into PyTorch with `load_state_dict(strict=True)` and evaluates it on the test images.

    pip install torch numpy safetensors
    warp19 export RUN --format safetensors --out out.safetensors
    python tests/golden/check_export.py out.safetensors RUN/config.json data/mnist

Prints accuracy and mean cross-entropy, to be held beside `warp19 eval RUN`.
"""

import json
import sys

import numpy as np
import torch
from safetensors.numpy import load_file
from torch import nn

BLOCKS = {
    "vgg19": [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)],
    "vgg16-4pool": [(64, 2), (128, 2), (256, 3), (512, 3)],
    "deep-mnist": [(32, 1), (64, 1)],
    "deep-mnist-sgd": [(32, 1), (64, 1)],
}


class Net(nn.Module):
    def __init__(self, tensors, model):
        super().__init__()
        kernel = 5 if model.startswith("deep") else 3
        features, channels = [], 1
        for out, count in BLOCKS[model]:
            for _ in range(count):
                features += [nn.Conv2d(channels, out, kernel, padding=kernel // 2), nn.ReLU()]
                channels = out
            features.append(nn.MaxPool2d(2, 2, ceil_mode=True))
        names = sorted((n for n in tensors if n.startswith("classifier") and n.endswith("weight")), key=lambda n: int(n.split(".")[1]))
        classifier = []
        for i, name in enumerate(names):
            classifier.append(nn.Linear(tensors[name].shape[1], tensors[name].shape[0]))
            if i + 1 < len(names):
                classifier += [nn.ReLU(), nn.Dropout()]
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def main():
    path, config, data = sys.argv[1:]
    config = json.load(open(config))["config"]
    tensors = load_file(path)
    net = Net(tensors, config["model"])
    net.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.items()}, strict=True)
    net.eval()
    images = np.fromfile(f"{data}/t10k-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(np.fromfile(f"{data}/t10k-labels-idx1-ubyte", np.uint8)[8:].astype(np.int64))
    x = (torch.from_numpy(images.copy()).float() / 255 - config["recipe"]["mean"]) / config["recipe"]["std"]
    with torch.no_grad():
        logits = torch.cat([net(part) for part in x.split(500)])
    loss = nn.functional.cross_entropy(logits.double(), labels).item()
    print(json.dumps({"accuracy": (logits.argmax(1) == labels).double().mean().item(), "loss": loss}))


main()
