#!/usr/bin/env python3
"""Makes tests/golden/vgg19_224.json: the logits of torchvision's VGG19 for one image of 224x224x3, by PyTorch in float64.

Install the peer with `pip install torch numpy`, then run `python tests/golden/make_vgg19_224.py`. Weights and image come
from integer formulas that the Rust test repeats, in PyTorch's layouts and under torchvision's names; the file holds the
1000 logits only. (torchvision's network is written out here: its definition is these layers.)

With `--weights FILE` it writes the weights instead, as a safetensors file that `warp19 train --init` takes.
"""

import json
import pathlib
import struct
import sys

import numpy as np
import torch
from make_golden import BLOCKS, noise
from torch import nn

SIDE, CLASSES = 224, 1000


def network():
    features, channels = [], 3
    for out, count in BLOCKS:
        for _ in range(count):
            features += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU()]
            channels = out
        features.append(nn.MaxPool2d(2, 2))
    net = nn.Module()
    net.features = nn.Sequential(*features)
    net.classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, CLASSES)
    )
    return net.double().eval()


def write(net, path):
    header, at = {}, 0
    for name, tensor in net.named_parameters():
        end = at + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in net.parameters():
            file.write(tensor.float().numpy().tobytes())


def main():
    net = network()
    with torch.no_grad():
        for seed, (name, tensor) in enumerate(net.named_parameters()):
            # Uniform of deviation sqrt(2 / inputs), as He's; biases of 0.05.
            scale = np.sqrt(6.0 / tensor[0].numel()) if name.endswith("weight") else 0.05
            values = noise(seed + 1, tensor.numel()) * np.float32(scale)
            tensor.copy_(torch.tensor(values.astype(np.float64)).reshape(tensor.shape))
        if sys.argv[1:2] == ["--weights"]:
            return write(net, sys.argv[2])
        pixels = np.floor((noise(99, 3 * SIDE * SIDE).astype(np.float64) + 1.0) * 128.0)
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        image = (pixels.reshape(SIDE, SIDE, 3) / 255.0 - mean) / std
        x = torch.tensor(image).permute(2, 0, 1)[None].contiguous()
        logits = net.classifier(torch.flatten(net.features(x), 1))[0]
    out = pathlib.Path(__file__).with_name("vgg19_224.json")
    out.write_text(json.dumps({"logits": [round(v, 9) for v in logits.tolist()]}) + "\n")
    print(out, float(logits.std()), float(logits.abs().max()))


if __name__ == "__main__":
    main()
