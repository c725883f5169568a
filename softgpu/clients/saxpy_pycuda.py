"""y = a x + y through PyCUDA, from PTX that NVRTC makes (PyCUDA's own compiler is nvcc)."""

import sys

import numpy as np
import pycuda.driver as driver
from cuda.bindings import nvrtc

SOURCE = b"""
extern "C" __global__ void saxpy(float a, const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
"""

_, program = nvrtc.nvrtcCreateProgram(SOURCE, b"saxpy.cu", 0, None, None)
nvrtc.nvrtcCompileProgram(program, 1, [b"--gpu-architecture=compute_86"])
_, size = nvrtc.nvrtcGetPTXSize(program)
ptx = b" " * size
nvrtc.nvrtcGetPTX(program, ptx)

driver.init()
context = driver.Device(0).make_context()
try:
    kernel = driver.module_from_buffer(ptx).get_function("saxpy")
    x = np.arange(1000, dtype=np.float32)
    y = np.ones(1000, dtype=np.float32)
    dx, dy = driver.to_device(x), driver.to_device(y)
    kernel(np.float32(2), dx, dy, np.int32(1000), grid=(8, 1), block=(128, 1, 1))
    if not np.array_equal(driver.from_device_like(dy, y), 2 * x + 1):
        sys.exit("wrong result")
    del dx, dy
finally:
    context.pop()
print("PyCUDA saxpy: right")
