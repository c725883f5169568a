#!/usr/bin/env python3
"""Makes tests/golden/vgg19_step.json: one VGG19 training step computed by PyTorch in float64.

Install the peer with `pip install torch numpy`, then run `python tests/golden/make_golden.py`.
The network, its input and its dropout masks come from integer formulas that the Rust test repeats, so that the file
holds results only: the loss, and for every parameter the norm of its gradient, samples of the gradient, and samples
of the weight after one Adam step.
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

BATCH, SEED, LR = 4, 7, 1e-3
BLOCKS = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]
HIDDEN = [4096, 4096, 1000]
SAMPLES = 24


def noise(seed, n):
    """Uniform in [-1, 1), from the bits of a 32-bit mixer; exact in float32."""
    x = (np.arange(n, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B1)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    return ((x >> np.uint64(8)).astype(np.float64) / 2.0**23 - 1.0).astype(np.float32)


def philox(counter, key):
    """Ten rounds of Philox4x32 (Salmon et al., SC 2011) on arrays of counters."""
    low = np.uint64(0xFFFFFFFF)
    c = [np.asarray(v, dtype=np.uint64) for v in counter]
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(b >> np.uint64(32)) ^ c[1] ^ k0, b & low, (a >> np.uint64(32)) ^ c[3] ^ k1, a & low]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack(c, axis=-1)


def keep_mask(n, layer, step, p):
    blocks = np.arange(n // 4, dtype=np.uint64)
    same = lambda v: np.full_like(blocks, v)
    words = philox([blocks, same(layer), same(step), same(3 << 24)], (SEED, 0))
    return ((words >> np.uint64(8)) / 2.0**24 >= p).reshape(-1)


def main():
    torch.manual_seed(0)
    names, parameters = [], []

    def parameter(name, shape, scale, seed):
        value = noise(seed, int(np.prod(shape))).reshape(shape) * np.float32(scale)
        tensor = torch.tensor(value.astype(np.float64), requires_grad=True)
        names.append(name)
        parameters.append(tensor)
        return tensor

    x = torch.tensor(((noise(1, BATCH * 784).astype(np.float64) + 1) / 2).astype(np.float32).astype(np.float64))
    x = x.reshape(BATCH, 1, 28, 28)
    labels = torch.tensor([(3 * i + 1) % 10 for i in range(BATCH)])
    seed, channels = 100, 1
    for b, (out, count) in enumerate(BLOCKS):
        for i in range(count):
            name = f"conv{b + 1}_{i + 1}"
            scale = (6.0 / (9 * channels)) ** 0.5  # He, for a uniform distribution
            w = parameter(f"{name}.weight", (3, 3, channels, out), scale, seed)  # HWIO
            bias = parameter(f"{name}.bias", (out,), 0.1, seed + 1)
            x = F.relu(F.conv2d(x, w.permute(3, 2, 0, 1), bias, padding=1))
            seed, channels = seed + 2, out
        x = F.max_pool2d(x, 2, 2, ceil_mode=True)
    x = x.permute(0, 2, 3, 1).reshape(BATCH, -1)
    for i, out in enumerate(HIDDEN + [10]):
        w = parameter(f"fc{i + 1}.weight", (x.shape[1], out), (6.0 / x.shape[1]) ** 0.5, seed)
        bias = parameter(f"fc{i + 1}.bias", (out,), 0.1, seed + 1)
        x = x @ w + bias
        seed += 2
        if i < len(HIDDEN):
            keep = keep_mask(x.numel(), i, 0, 0.5)
            x = F.relu(x) * torch.tensor(keep.astype(np.float64) * 2).reshape(x.shape)
    loss = F.cross_entropy(x, labels)
    loss.backward()
    gradients = [p.grad.detach().clone() for p in parameters]
    torch.optim.Adam(parameters, lr=LR).step()
    out = {"batch": BATCH, "seed": SEED, "lr": LR, "loss": loss.item(), "logits": x.detach().reshape(-1).tolist()}
    out["parameters"] = []
    for name, p, g in zip(names, parameters, gradients):
        g, w = g.reshape(-1), p.detach().reshape(-1)
        # The largest gradients, where Adam's first step (lr times the sign) is well defined, and evenly spaced ones.
        at = torch.cat([torch.topk(g.abs(), min(8, len(g))).indices, torch.linspace(0, len(g) - 1, SAMPLES - 8).long()])
        entry = {"name": name, "norm": g.norm().item(), "at": at.tolist()}
        entry["gradient"], entry["weight"] = g[at].tolist(), w[at].tolist()
        out["parameters"].append(entry)
    pathlib.Path(__file__).with_name("vgg19_step.json").write_text(json.dumps(out, indent=None) + "\n")


main()
