"""y = a x + y as a CuPy raw kernel."""

import sys

import cupy

kernel = cupy.RawKernel(
    'extern "C" __global__ void saxpy(float a, const float *x, float *y, int n) {'
    " int i = blockIdx.x * blockDim.x + threadIdx.x; if (i < n) y[i] = a * x[i] + y[i]; }",
    "saxpy",
)
x = cupy.arange(1000, dtype=cupy.float32)
y = cupy.ones(1000, dtype=cupy.float32)
kernel((8,), (128,), (cupy.float32(2), x, y, cupy.int32(1000)))
if not bool((y == 2 * x + 1).all()):
    sys.exit("wrong result")
print("CuPy saxpy: right")
