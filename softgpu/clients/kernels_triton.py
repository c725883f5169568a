"""Kernels written in Triton on softgpu: Triton compiles them to PTX without a device, and this file loads the PTX through
the driver's C interface. Triton's own launcher wants PyTorch with a driver, and machine code made by ptxas: `Kernel` below
is the small hook that takes the PTX in its place."""
import ctypes
import os

import numpy as np
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

cuda = ctypes.CDLL("libcuda.so.1")


def call(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    if code:
        raise RuntimeError(f"{name}: error {code}")


class Buffer:
    """An array in device memory."""

    def __init__(self, array):
        self.array, self.address = np.ascontiguousarray(array), ctypes.c_uint64()
        call("cuMemAlloc_v2", ctypes.byref(self.address), ctypes.c_size_t(self.array.nbytes))
        source = self.array.ctypes.data_as(ctypes.c_void_p)
        call("cuMemcpyHtoD_v2", self.address, source, ctypes.c_size_t(self.array.nbytes))

    def numpy(self):
        out = np.empty_like(self.array)
        call("cuMemcpyDtoH_v2", out.ctypes.data_as(ctypes.c_void_p), self.address, ctypes.c_size_t(out.nbytes))
        call("cuMemFree_v2", self.address)
        return out


class Kernel:
    """A Triton kernel compiled for sm_80: `signature` has a type for each argument, `constants` the values of others."""

    def __init__(self, function, signature, constants, **options):
        signature = signature | {name: "constexpr" for name in constants}
        source = ASTSource(function, signature, {(function.arg_names.index(n),): v for n, v in constants.items()})
        compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options)
        self.metadata, module, self.function = compiled.metadata, ctypes.c_void_p(), ctypes.c_void_p()
        call("cuModuleLoadData", ctypes.byref(module), compiled.asm["ptx"].encode())
        call("cuModuleGetFunction", ctypes.byref(self.function), module, self.metadata.name.encode())

    def __call__(self, grid, *arguments):
        values = [a.address if isinstance(a, Buffer) else a for a in arguments]
        # two pointers to scratch memory come last, which these kernels don't use
        values += [ctypes.c_uint64(0), ctypes.c_uint64(0)]
        pointers = (ctypes.c_void_p * len(values))(*[ctypes.cast(ctypes.byref(v), ctypes.c_void_p) for v in values])
        grid = [*grid, 1, 1][:3]
        threads, shared = 32 * self.metadata.num_warps, self.metadata.shared
        if shared > 48 << 10:
            call("cuFuncSetAttribute", self.function, 8, shared)
        call("cuLaunchKernel", self.function, *grid, threads, 1, 1, shared, None, pointers, None)
        call("cuCtxSynchronize")


@triton.jit
def add(a, b, c, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(c + at, tl.load(a + at, mask=at < n) + tl.load(b + at, mask=at < n), mask=at < n)


@triton.jit
def softmax(x, y, columns, BLOCK: tl.constexpr):
    at, row = tl.arange(0, BLOCK), tl.program_id(0)
    values = tl.load(x + row * columns + at, mask=at < columns, other=-float("inf"))
    powers = tl.exp(values - tl.max(values, 0))
    tl.store(y + row * columns + at, powers / tl.sum(powers, 0), mask=at < columns)


@triton.jit
def product(a, b, c, m, n, k, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):
    rows, columns, inner = tl.program_id(0) * M + tl.arange(0, M), tl.program_id(1) * N + tl.arange(0, N), tl.arange(0, K)
    total = tl.zeros((M, N), dtype=tl.float32)
    for start in range(0, k, K):
        left = a + rows[:, None] * k + start + inner[None, :]
        right = b + (start + inner)[:, None] * n + columns[None, :]
        inside = start + inner < k
        left = tl.load(left, mask=(rows < m)[:, None] & inside[None, :], other=0.0)
        right = tl.load(right, mask=inside[:, None] & (columns < n)[None, :], other=0.0)
        total = tl.dot(left, right, total)
    tl.store(c + rows[:, None] * n + columns[None, :], total, mask=(rows < m)[:, None] & (columns < n)[None, :])


@triton.jit
def normalise(x, y, scale, columns, BLOCK: tl.constexpr):
    at, row = tl.arange(0, BLOCK), tl.program_id(0)
    inside = at < columns
    values = tl.load(x + row * columns + at, mask=inside, other=0.0)
    mean = tl.sum(values, 0) / columns
    apart = tl.where(inside, values - mean, 0.0)
    deviation = tl.sqrt(tl.sum(apart * apart, 0) / columns + 1e-5)
    tl.store(y + row * columns + at, apart / deviation * tl.load(scale + at, mask=inside), mask=inside)


@triton.jit
def count(x, bins, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.atomic_add(bins + tl.load(x + at, mask=at < n), 1, mask=at < n)


@triton.jit
def running(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.cumsum(tl.load(x + at, mask=at < n, other=0), 0), mask=at < n)


def main():
    call("cuInit", 0)
    context = ctypes.c_void_p()
    call("cuCtxCreate_v2", ctypes.byref(context), 0, 0)
    random = np.random.default_rng(3)
    integer = ctypes.c_int32

    def agrees(name, found, expected, bound):
        error = np.abs(found.astype(np.float64) - expected).max()
        print(f"{name}: largest difference {error:.2e}")
        assert error <= bound, name

    n = 1000
    a, b = random.normal(size=(2, n)).astype(np.float32)
    c = Buffer(np.zeros(n, np.float32))
    kernel = Kernel(add, {"a": "*fp32", "b": "*fp32", "c": "*fp32", "n": "i32"}, {"BLOCK": 256})
    inputs = Buffer(a), Buffer(b)
    kernel((4,), *inputs, c, integer(n))
    agrees("add", c.numpy(), a + b, 0)

    x = random.normal(size=(37, 300)).astype(np.float32)
    y, data = Buffer(np.zeros_like(x)), Buffer(x)
    Kernel(softmax, {"x": "*fp32", "y": "*fp32", "columns": "i32"}, {"BLOCK": 512})((37,), data, y, integer(300))
    powers = np.exp(x.astype(np.float64))
    agrees("softmax", y.numpy(), powers / powers.sum(1, keepdims=True), 1e-6)

    scale = random.normal(size=300).astype(np.float32)
    y, factors = Buffer(np.zeros_like(x)), Buffer(scale)
    kernel = Kernel(normalise, {"x": "*fp32", "y": "*fp32", "scale": "*fp32", "columns": "i32"}, {"BLOCK": 512})
    kernel((37,), data, y, factors, integer(300))
    wide = x.astype(np.float64)
    wide = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5) * scale
    agrees("normalise", y.numpy(), wide, 2e-5)

    m, n, k = 100, 90, 70
    left, right = random.normal(size=(m, k)).astype(np.float16), random.normal(size=(k, n)).astype(np.float16)
    c, factors = Buffer(np.zeros((m, n), np.float32)), (Buffer(left), Buffer(right))
    types = {"a": "*fp16", "b": "*fp16", "c": "*fp32", "m": "i32", "n": "i32", "k": "i32"}
    kernel = Kernel(product, types, {"M": 32, "N": 64, "K": 32}, num_warps=4, num_stages=3)
    kernel((4, 2), *factors, c, integer(m), integer(n), integer(k))
    agrees("product", c.numpy(), left.astype(np.float64) @ right.astype(np.float64), 1e-4)

    values = random.integers(0, 10, 700).astype(np.int32)
    bins, data = Buffer(np.zeros(10, np.int32)), Buffer(values)
    Kernel(count, {"x": "*i32", "bins": "*i32", "n": "i32"}, {"BLOCK": 128})((6,), data, bins, integer(700))
    agrees("count", bins.numpy(), np.bincount(values, minlength=10), 0)

    sums = Buffer(np.zeros(700, np.int32))
    Kernel(running, {"x": "*i32", "y": "*i32", "n": "i32"}, {"BLOCK": 1024})((1,), data, sums, integer(700))
    agrees("running", sums.numpy(), np.cumsum(values), 0)


if __name__ == "__main__":
    os.environ.setdefault("TRITON_CACHE_DIR", "/tmp/softgpu-triton")
    main()
