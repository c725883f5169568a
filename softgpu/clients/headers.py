#!/usr/bin/env python3
"""CUDA's own device headers on softgpu: cooperative groups, CUB, libcu++, cuRAND, fp16 and bf16.

Each kernel is compiled by NVRTC with the headers of the pip packages, run by softgpu-run with all checks, and compared with
NumPy. Usage: headers.py [PROFILE ...], by default sm_75, sm_86 and sm_90. The variable SOFTGPU_RUN names the command.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

packages = next(pathlib.Path(p) / "nvidia" for p in sys.path if (pathlib.Path(p) / "nvidia/cuda_runtime").is_dir())
folders = [packages / p / "include" for p in ("cuda_runtime", "curand", "cuda_cccl")]
environment = dict(os.environ, SOFTGPU_NVRTC=str(packages / "cuda_nvrtc/lib"))

rng = np.random.default_rng(0)
numbers = rng.integers(0, 9, 128).astype(np.int32)
halves = rng.standard_normal(64).astype(np.float16)

GROUPS = """
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>
namespace cg = cooperative_groups;
extern "C" __global__ void k(const int* x, int* sum, int* most, int* before, int* rank) {
    auto block = cg::this_thread_block();
    auto warp = cg::tiled_partition<32>(block);
    auto four = cg::tiled_partition<4>(warp);
    int t = block.thread_rank(), v = x[t];
    sum[t] = cg::reduce(warp, v, cg::plus<int>());
    most[t] = cg::reduce(four, v, cg::greater<int>());
    before[t] = cg::exclusive_scan(warp, v, cg::plus<int>());
    rank[t] = v & 1 ? cg::coalesced_threads().thread_rank() : -1;
    block.sync();
}
"""

COPY = """
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
namespace cg = cooperative_groups;
extern "C" __global__ void k(const int* x, int* y) {
    __shared__ alignas(16) int s[128];
    auto block = cg::this_thread_block();
    cg::memcpy_async(block, s, x, sizeof(s));
    cg::wait(block);
    y[threadIdx.x] = s[127 - threadIdx.x];
}
"""

CUB = """
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/block/block_scan.cuh>
extern "C" __global__ void k(const int* x, int* sum, int* before, int* sorted) {
    using Reduce = cub::BlockReduce<int, 128>;
    using Scan = cub::BlockScan<int, 128>;
    using Sort = cub::BlockRadixSort<int, 128, 1>;
    __shared__ union {
        typename Reduce::TempStorage reduce;
        typename Scan::TempStorage scan;
        typename Sort::TempStorage sort;
    } s;
    int t = threadIdx.x, v = x[t];
    int all = Reduce(s.reduce).Sum(v);
    if (t == 0) *sum = all;
    __syncthreads();
    Scan(s.scan).ExclusiveSum(v, before[t]);
    __syncthreads();
    int key[1] = {v};
    Sort(s.sort).Sort(key);
    sorted[t] = key[0];
}
"""

LIBCUXX = """
#include <cuda/atomic>
#include <cuda/barrier>
extern "C" __global__ void k(const int* x, int* y, int* count) {
    __shared__ cuda::barrier<cuda::thread_scope_block> barrier;
    __shared__ int s[128];
    if (threadIdx.x == 0) init(&barrier, blockDim.x);
    __syncthreads();
    s[threadIdx.x] = x[threadIdx.x];
    barrier.arrive_and_wait();
    y[threadIdx.x] = s[127 - threadIdx.x];
    cuda::atomic_ref<int, cuda::thread_scope_device>(*count).fetch_add(1, cuda::memory_order_relaxed);
}
"""

CURAND = """
#include <curand_kernel.h>
extern "C" __global__ void k(float* uniform, float* normal) {
    curandStatePhilox4_32_10_t philox;
    curand_init(7, threadIdx.x, 0, &philox);
    curandState xorwow;
    curand_init(7, threadIdx.x, 0, &xorwow);
    float u = 0, n = 0;
    for (int i = 0; i < 64; i++) {
        u += curand_uniform(&philox);
        n += curand_normal(&xorwow);
    }
    uniform[threadIdx.x] = u / 64;
    normal[threadIdx.x] = n / 8;
}
"""

FP16 = """
#include <cuda_fp16.h>
extern "C" __global__ void k(const __half* a, float* y) {
    __half x = a[threadIdx.x], q = a[63 - threadIdx.x], one = __float2half(1.0f);
    __half2 p = __hfma2(__halves2half2(x, q), __float2half2_rn(0.5f), __halves2half2(q, x));
    __half r = __hdiv(hsqrt(__habs(x)), __hadd(__habs(q), one));
    r = __hadd(__hadd(r, hexp(x)), __hadd(hsin(q), hlog(__hadd(__habs(x), one))));
    y[threadIdx.x] = __half2float(__hadd(r, __hadd(__low2half(p), __high2half(p)))) + __hgt(x, q);
}
"""

BF16 = """
#include <cuda_bf16.h>
extern "C" __global__ void k(const float* a, float* y) {
    __nv_bfloat16 x = __float2bfloat16(a[threadIdx.x]), q = __float2bfloat16(a[63 - threadIdx.x]);
    __nv_bfloat162 p = __hfma2(__halves2bfloat162(x, q), __halves2bfloat162(q, x), __halves2bfloat162(x, x));
    y[threadIdx.x] = __bfloat162float(__hadd(__low2bfloat16(p), __hmax(x, q)));
}
"""


def run(profile, source, threads, arguments):
    """The kernel's outputs; `arguments` are arrays (inputs) and (dtype, length) (outputs; `+` before: begins with zeros)."""
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/kernel.cu"
        pathlib.Path(file).write_text(source)
        words, outputs = [], []
        for n, a in enumerate(arguments):
            out = f"{folder}/out{n}.npy"
            if isinstance(a, np.ndarray):
                np.save(f"{folder}/{n}.npy", a)
                words.append(f"in:{folder}/{n}.npy")
                continue
            outputs.append(out)
            if a[0].startswith("+"):
                np.save(f"{folder}/{n}.npy", np.zeros(a[1], a[0][1:]))
                words.append(f"inout:{folder}/{n}.npy:{out}")
            else:
                words.append(f"out:{out}:{a[0]}:{a[1]}")
        options = [f"--nvrtc-option=--include-path={f}" for f in folders] + ["--nvrtc-option=-std=c++17"]
        command = [os.environ["SOFTGPU_RUN"], file, "--kernel", "k", "--grid", "1", "--block", str(threads)]
        command += ["--profile", profile, *options, "--", *words]
        subprocess.run(command, check=True, env=environment)
        return [np.load(f) for f in outputs]


def groups(profile):
    got = run(profile, GROUPS, 128, [numbers] + [("int32", 128)] * 4)
    warps, fours = numbers.reshape(4, 32), numbers.reshape(32, 4)
    odd = warps & 1
    want = [
        np.repeat(warps.sum(1), 32),
        np.repeat(fours.max(1), 4),
        (warps.cumsum(1) - warps).ravel(),
        np.where(odd, odd.cumsum(1) - 1, -1).ravel(),
    ]
    return all((g == w).all() for g, w in zip(got, want))


def cub(profile):
    total, before, ordered = run(profile, CUB, 128, [numbers, ("int32", 1), ("int32", 128), ("int32", 128)])
    sums = numbers.cumsum()
    return total[0] == sums[-1] and (before == sums - numbers).all() and (ordered == np.sort(numbers)).all()


def libcuxx(profile):
    y, count = run(profile, LIBCUXX, 128, [numbers, ("int32", 128), ("+int32", 1)])
    return (y == numbers[::-1]).all() and count[0] == 128


def curand(profile):
    uniform, normal = run(profile, CURAND, 256, [("float32", 256), ("float32", 256)])
    # means of 64 uniform numbers, and sums of 64 normal ones over 8: deviations 1/sqrt(768) and 1
    return abs(uniform - 0.5).max() < 0.2 and abs(uniform.mean() - 0.5) < 0.01 and abs(normal.std() - 1) < 0.2


def fp16(profile):
    (y,) = run(profile, FP16, 64, [halves, ("float32", 64)])
    x = halves.astype(float)
    q = x[::-1]
    want = abs(x) ** 0.5 / (abs(q) + 1) + np.exp(x) + np.sin(q) + np.log(abs(x) + 1) + 1.5 * (x + q) + (x > q)
    return np.allclose(y, want, rtol=5e-3, atol=2e-2)


def bf16(profile):
    (y,) = run(profile, BF16, 64, [halves.astype(np.float32), ("float32", 64)])
    x = halves.astype(float)
    q = x[::-1]
    return np.allclose(y, x * q + x + np.maximum(x, q), rtol=2e-2, atol=5e-2)


def copy(profile):
    (y,) = run(profile, COPY, 128, [numbers, ("int32", 128)])
    return (y == numbers[::-1]).all()


wrong = 0
for profile in sys.argv[1:] or ["sm_75", "sm_86", "sm_90"]:
    for name, test in [
        ("cooperative groups: tiles, reduce, scan, coalesced", groups),
        ("cooperative groups: memcpy_async", copy),
        ("CUB: BlockReduce, BlockScan, BlockRadixSort", cub),
        ("libcu++: barrier, atomic_ref", libcuxx),
        ("cuRAND: Philox, XORWOW", curand),
        ("cuda_fp16.h", fp16),
        ("cuda_bf16.h", bf16),
    ]:
        if profile == "sm_75" and name.startswith(("cuda_bf16.h", "libcu++")):
            # bf16 arithmetic is there from sm_80 on; libcu++'s barrier of before is made of atomics in shared memory, whose
            # ordering racecheck doesn't follow
            continue
        right = test(profile)
        wrong += not right
        print(f"{profile} {name}: {'right' if right else 'WRONG'}")
sys.exit(wrong > 0)
