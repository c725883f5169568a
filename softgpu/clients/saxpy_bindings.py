"""y = a x + y through cuda-bindings' driver API, the sequence of calls of NVIDIA's own saxpy example."""

import ctypes
import sys

import numpy as np
from cuda.bindings import driver, nvrtc

SOURCE = b"""
extern "C" __global__ void saxpy(float a, float *x, float *y, float *out, size_t n) {
    size_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = a * x[i] + y[i];
}
"""


def check(answer):
    """The values of a call, or an exception with the error's name."""
    code, *values = answer
    if code.value:
        raise RuntimeError(f"{code!r}")
    return values[0] if len(values) == 1 else values


def compile_ptx(device):
    kind = driver.CUdevice_attribute
    major = check(driver.cuDeviceGetAttribute(kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device))
    minor = check(driver.cuDeviceGetAttribute(kind.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device))
    program = check(nvrtc.nvrtcCreateProgram(SOURCE, b"saxpy.cu", 0, None, None))
    options = [b"--fmad=false", f"--gpu-architecture=compute_{major}{minor}".encode()]
    check(nvrtc.nvrtcCompileProgram(program, len(options), options))
    ptx = b" " * check(nvrtc.nvrtcGetPTXSize(program))
    check(nvrtc.nvrtcGetPTX(program, ptx))
    return ptx


def main():
    check(driver.cuInit(0))
    device = check(driver.cuDeviceGet(0))
    name = check(driver.cuDeviceGetName(100, device)).split(b"\0")[0].decode()
    context = check(driver.cuDevicePrimaryCtxRetain(device))
    check(driver.cuCtxSetCurrent(context))
    ptx = np.char.array(compile_ptx(device))
    module = check(driver.cuModuleLoadData(ptx.ctypes.data))
    kernel = check(driver.cuModuleGetFunction(module, b"saxpy"))
    threads, blocks = 512, 64
    n = threads * blocks
    rng = np.random.default_rng(0)
    a = np.array([2.0], dtype=np.float32)
    x, y = rng.random(n).astype(np.float32), rng.random(n).astype(np.float32)
    out = np.zeros(n, dtype=np.float32)
    stream = check(driver.cuStreamCreate(0))
    dx, dy, dout = (check(driver.cuMemAlloc(v.nbytes)) for v in (x, y, out))
    check(driver.cuMemcpyHtoDAsync(dx, x.ctypes.data, x.nbytes, stream))
    check(driver.cuMemcpyHtoDAsync(dy, y.ctypes.data, y.nbytes, stream))
    values = (a[0].item(), int(dx), int(dy), int(dout), n)
    types = (ctypes.c_float, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    check(driver.cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, stream, (values, types), 0))
    check(driver.cuMemcpyDtoHAsync(out.ctypes.data, dout, out.nbytes, stream))
    check(driver.cuStreamSynchronize(stream))
    if not np.array_equal(out, a * x + y):
        sys.exit("wrong result")
    check(driver.cuStreamDestroy(stream))
    for pointer in (dx, dy, dout):
        check(driver.cuMemFree(pointer))
    check(driver.cuModuleUnload(module))
    check(driver.cuDevicePrimaryCtxRelease(device))
    print(f"saxpy of {n} floats on {name}: right")


main()
