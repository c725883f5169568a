"""y = a x + y through cuda.core, which loads libraries (cuLibraryLoadData) rather than modules."""

import sys

import numpy as np
from cuda.bindings import driver
from cuda.core import Device, LaunchConfig, Program, ProgramOptions, launch

SOURCE = """
extern "C" __global__ void saxpy(float a, const float *x, float *y, size_t n) {
    size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}
"""

device = Device(0)
device.set_current()
stream = device.create_stream()
code = Program(SOURCE, "c++", ProgramOptions(std="c++17", arch=f"sm_{device.arch}")).compile("ptx")
kernel = code.get_kernel("saxpy")
x, y = np.arange(1000, dtype=np.float32), np.ones(1000, dtype=np.float32)
dx, dy = (device.allocate(v.nbytes, stream=stream) for v in (x, y))
for there, here in ((dx, x), (dy, y)):
    driver.cuMemcpyHtoDAsync(int(there.handle), here.ctypes.data, here.nbytes, stream.handle)
launch(stream, LaunchConfig(grid=8, block=128), kernel, np.float32(2), dx, dy, np.uint64(1000))
out = np.zeros_like(y)
driver.cuMemcpyDtoHAsync(out.ctypes.data, int(dy.handle), out.nbytes, stream.handle)
stream.sync()
if not np.array_equal(out, 2 * x + 1):
    sys.exit("wrong result")
for buffer in (dx, dy):
    buffer.close(stream)
print(f"cuda.core saxpy on {device.name}: right")
