"""y = a x + y as a numba-cuda kernel."""

import sys
import warnings

# nvJitLink's result is machine code. Without it cuda.core links through the driver (cuLink*), and softgpu's
# linker gives PTX: this tells cuda.core that nvJitLink is not there.
from cuda.bindings._internal import nvjitlink

nvjitlink._inspect_function_pointer = lambda name: 0
warnings.filterwarnings("ignore", message=".*nvJitLink.*")

import numpy as np
from numba import cuda


@cuda.jit
def saxpy(a, x, y):
    i = cuda.grid(1)
    if i < x.size:
        y[i] = a * x[i] + y[i]


x = np.arange(1000, dtype=np.float32)
y = np.ones(1000, dtype=np.float32)
dx, dy = cuda.to_device(x), cuda.to_device(y)
saxpy[8, 128](np.float32(2), dx, dy)
if not np.array_equal(dy.copy_to_host(), 2 * x + 1):
    sys.exit("wrong result")
print("numba-cuda saxpy: right")
