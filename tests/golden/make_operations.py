#!/usr/bin/env python3
"""Makes tests/golden/operations.json: every operation, forward and backward, computed by PyTorch in float64.

Install the peer with `pip install torch numpy`, then run `python tests/golden/make_operations.py`. Inputs come from the
integer formula `noise`, which the Rust test repeats; the file holds results, in the engine's layouts (NHWC, HWIO).
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F


def noise(seed, n):
    """Uniform in [-1, 1), from the bits of a 32-bit mixer; exact in float32."""
    x = (np.arange(n, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B1)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return (x >> np.uint64(8)).astype(np.float64) / 2.0**23 - 1.0


def tensor(seed, *shape):
    return torch.tensor(noise(seed, int(np.prod(shape))).reshape(shape), requires_grad=True)


def flat(*tensors):
    return [t.detach().reshape(-1).tolist() for t in tensors]


def conv(n, h, w, c, k, kernel):
    x, weight, b, dy = tensor(1, n, h, w, c), tensor(2, kernel, kernel, c, k), tensor(3, k), tensor(4, n, h, w, k)
    y = F.relu(F.conv2d(x.permute(0, 3, 1, 2), weight.permute(3, 2, 0, 1), b, padding=kernel // 2)).permute(0, 2, 3, 1)
    # The engine's backward passes start behind the ReLU: its gradient is that of a plain convolution.
    plain = F.conv2d(x.permute(0, 3, 1, 2), weight.permute(3, 2, 0, 1), b, padding=kernel // 2).permute(0, 2, 3, 1)
    plain.backward(dy.detach())
    return flat(y, x.grad, weight.grad, b.grad)


def pool(n, h, w, c):
    x, dy = tensor(1, n, h, w, c), tensor(2, n, -(-h // 2), -(-w // 2), c)
    y = F.max_pool2d(x.permute(0, 3, 1, 2), 2, 2, ceil_mode=True).permute(0, 2, 3, 1)
    y.backward(dy.detach())
    return flat(y, x.grad)


def linear(n, inputs, outputs):
    x, w, b, dy = tensor(1, n, inputs), tensor(2, inputs, outputs), tensor(3, outputs), tensor(4, n, outputs)
    y = x @ w + b
    y.backward(dy.detach())
    return flat(y, x.grad, w.grad, b.grad)


def loss(n, classes):
    z = tensor(1, n, classes)
    scaled = 5 * z
    labels = torch.tensor([(7 * i + 1) % classes for i in range(n)])
    value = F.cross_entropy(scaled, labels)
    (gradient,) = torch.autograd.grad(value, scaled)
    return flat(value * n, gradient, F.softmax(scaled, 1))


def optimizer(kind, n):
    w = torch.tensor(noise(1, n), requires_grad=True)
    lr = float(np.float32(0.01))
    if kind == "adam":
        betas = (float(np.float32(0.9)), float(np.float32(0.999)))
        o = torch.optim.Adam([w], lr=lr, betas=betas, eps=float(np.float32(1e-8)))
    else:
        o = torch.optim.SGD([w], lr=lr, momentum=float(np.float32(0.9)), weight_decay=float(np.float32(5e-4)))
    for step in range(3):
        w.grad = torch.tensor(noise(10 + step, n))
        o.step()
    return flat(w)


cases = []
for shape in [(2, 5, 4, 3, 2, 3), (1, 8, 9, 16, 16, 3), (2, 4, 4, 32, 16, 3), (3, 2, 2, 5, 7, 3), (1, 9, 8, 2, 3, 5), (2, 3, 3, 4, 2, 5)]:
    cases.append({"operation": "conv", "shape": shape, "results": conv(*shape)})
for shape in [(2, 4, 6, 3), (1, 7, 5, 2), (3, 1, 1, 4)]:
    cases.append({"operation": "pool", "shape": shape, "results": pool(*shape)})
for shape in [(3, 17, 5), (8, 6, 70)]:
    cases.append({"operation": "linear", "shape": shape, "results": linear(*shape)})
for shape in [(6, 10), (3, 26)]:
    cases.append({"operation": "loss", "shape": shape, "results": loss(*shape)})
for kind in ["adam", "sgd"]:
    cases.append({"operation": kind, "shape": [40], "results": optimizer(kind, 40)})


def rounded(value):
    """Nine digits say more than float32 can hold, and keep the file small."""
    return [rounded(v) for v in value] if isinstance(value, list) else float(f"{value:.9g}")


for case in cases:
    case["results"] = rounded(case["results"])
pathlib.Path(__file__).with_name("operations.json").write_text(json.dumps(cases) + "\n")
