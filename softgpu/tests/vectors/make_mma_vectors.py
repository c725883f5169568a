"""Makes mma_vectors.bin: tiles and results of mma.sync by Microsoft's MMA-Sim.

    pip install mmasim==2.1.1 torch ninja numpy
    python softgpu/tests/vectors/make_mma_vectors.py

MMA-Sim is a model of NVIDIA's tensor cores made by probing them; this script calls it and
writes what it answers, so that softgpu's own model can be compared bit by bit without Python.

File: for each case a line of text `ARCHITECTURE SHAPE.D.A.B.C TILES\\n`, then for each tile
A (m x k, row-major), B (k x n), C (m x n), D (m x n), little-endian, each element in its own
width (tf32 in 4 bytes). Inputs come from a fixed seed.
"""

from pathlib import Path

import numpy as np
import torch
from mmasim.nv_ptx import MMA
from mmasim.nv_ptx.isa_mma import mma_shape_and_type

ARCHITECTURES = ["Turing", "Ampere", "Ada Lovelace", "Hopper", "Volta"]
BITS = {torch.float16: (np.uint16, torch.int16), torch.bfloat16: (np.uint16, torch.int16),
        torch.float32: (np.uint32, torch.int32), torch.float64: (np.uint64, torch.int64)}
# sign, exponent and fraction bits
LAYOUT = {torch.float16: (5, 10), torch.bfloat16: (8, 7), torch.float32: (8, 23),
          torch.float64: (11, 52)}
random = np.random.default_rng(19)


def patterns(shape, dtype, kind):
    """Bit patterns of one matrix; the kind says what is hard about it."""
    exponent_bits, fraction_bits = LAYOUT[dtype]
    bias = 2 ** (exponent_bits - 1) - 1
    top = 2**exponent_bits - 1
    fraction = random.integers(0, 2**fraction_bits, shape, dtype=np.uint64)
    sign = random.integers(0, 2, shape, dtype=np.uint64)
    if kind == "usual":        # near one, as in a network
        field = random.integers(bias - 4, bias + 2, shape)
    elif kind == "wide":       # terms lose bits against the largest
        spread = min(bias // 2 - 2, 16)
        field = random.integers(bias - spread, bias + spread, shape)
    elif kind == "cancel":     # few values: products meet with opposite signs
        field = random.integers(bias - 1, bias + 1, shape)
        fraction &= np.uint64(3 << (fraction_bits - 2))
    elif kind == "small":      # subnormals and zeros
        field = random.integers(0, 3, shape)
    elif kind == "large":      # overflow
        field = random.integers(top - 4, top, shape)
    else:                      # anything, one in sixteen special
        field = random.integers(0, top, shape)
        special = random.integers(0, 16, shape) == 0
        field = np.where(special, top, field)
        fraction = np.where(special & (random.integers(0, 2, shape) == 0), 0, fraction)
    if kind in ("usual", "wide", "cancel", "small"):
        zero = random.integers(0, 8, shape) == 0
        field, fraction = np.where(zero, 0, field), np.where(zero, 0, fraction)
    bits = (sign << np.uint64(exponent_bits + fraction_bits)) \
        | (field.astype(np.uint64) << np.uint64(fraction_bits)) | fraction
    return bits.astype(BITS[dtype][0])


def tensor(bits, dtype):
    return torch.from_numpy(bits.view(bits.dtype.str.replace("u", "i")).copy()).view(dtype)


def main():
    out = bytearray()
    kinds = ["usual", "wide", "cancel", "small", "large", "any"]
    for architecture in ARCHITECTURES:
        for name in mma_shape_and_type[architecture]:
            quads = name.startswith("m8n8k4.f16") or name.startswith("m8n8k4.f32")
            if "e4m3" in name or "e5m2" in name or quads and architecture != "Volta" \
                    or name == "m8n8k4.f32.f16.f16.f16":
                continue
            mma = MMA(architecture, name)
            out += f"{architecture.split()[0]} {name} {len(kinds)}\n".encode()
            for kind in kinds:
                a = patterns((mma.m, mma.k), mma.a_type, kind)
                b = patterns((mma.k, mma.n), mma.b_type, kind)
                c = patterns((mma.m, mma.n), mma.c_type, kind)
                if kind == "small" or random.integers(0, 4) == 0:
                    c[::2] = 0
                d = mma(tensor(a, mma.a_type), tensor(b, mma.b_type), tensor(c, mma.c_type))
                d = d.view(BITS[mma.d_type][1]).numpy().astype(BITS[mma.d_type][0])
                for matrix in (a, b, c, d):
                    out += matrix.tobytes()
    path = Path(__file__).with_name("mma_vectors.bin")
    path.write_bytes(out)
    print(path, len(out), "bytes")


if __name__ == "__main__":
    main()
