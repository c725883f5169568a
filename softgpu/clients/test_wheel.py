"""Tests by the plugin of softgpu's wheel: the second one runs over the end of a buffer and must fail. `run.sh wheel`
looks at that."""
import ctypes

import pytest

PTX = b"""
.version 7.0
.target sm_61
.address_size 64
.visible .entry number(.param .u64 out)
{
    .reg .b64 %x<4>;
    .reg .b32 %r<2>;
    ld.param.u64 %x1, [out];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %x2, %r1, 4;
    add.s64 %x3, %x1, %x2;
    st.global.u32 [%x3], %r1;
    ret;
}
"""


def numbers(threads):
    """64 words of device memory after so many threads have written their numbers."""
    cuda = ctypes.CDLL("libcuda.so.1")
    context, module, function, out = (ctypes.c_void_p() for _ in range(4))
    host = (ctypes.c_uint32 * 64)()
    assert cuda.cuInit(0) == 0 and cuda.cuCtxCreate_v2(ctypes.byref(context), 0, 0) == 0
    assert cuda.cuModuleLoadData(ctypes.byref(module), PTX) == 0
    assert cuda.cuModuleGetFunction(ctypes.byref(function), module, b"number") == 0
    assert cuda.cuMemAlloc_v2(ctypes.byref(out), ctypes.c_size_t(256)) == 0
    arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(out), ctypes.c_void_p))
    assert cuda.cuLaunchKernel(function, 1, 1, 1, threads, 1, 1, 0, None, arguments, None) == 0
    assert cuda.cuMemcpyDtoH_v2(host, out, ctypes.c_size_t(256)) == 0
    assert cuda.cuMemFree_v2(out) == 0
    return list(host)


@pytest.mark.softgpu
def test_clean():
    assert numbers(64) == list(range(64))


@pytest.mark.softgpu
def test_overrun():
    assert numbers(65) == list(range(64))


def test_not_marked():
    assert numbers(65) == list(range(64))
