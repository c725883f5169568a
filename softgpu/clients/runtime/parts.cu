// Parts of the toolkit's headers and of the language: tiles of several warps, a barrier of libcu++, virtual functions,
// addresses of functions; and a kernel that softgpu refuses, beside others that run.
#include "check.h"
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda/barrier>

// libcu++ documents this way to make a barrier, and this way to keep nvcc quiet about it.
#pragma nv_diag_suppress static_var_with_dynamic_init

namespace cg = cooperative_groups;

__global__ void tiles(int *sums) {
    __shared__ cg::block_tile_memory<256> memory;
    auto tile = cg::tiled_partition<64>(cg::this_thread_block(memory));
    int sum = cg::reduce(tile, (int)threadIdx.x, cg::plus<int>());
    if (tile.thread_rank() == 0) {
        sums[tile.meta_group_rank()] = sum;
    }
}

__global__ void reversed(int *out) {
    __shared__ cuda::barrier<cuda::thread_scope_block> barrier;
    __shared__ int values[64];
    if (threadIdx.x == 0) {
        init(&barrier, blockDim.x);
    }
    __syncthreads();
    values[threadIdx.x] = threadIdx.x;
    barrier.arrive_and_wait();
    out[threadIdx.x] = values[63 - threadIdx.x];
}

struct Shape {
    __device__ virtual int corners() const { return 0; }
};

struct Square : Shape {
    __device__ int corners() const override { return 4; }
};

__device__ int twice(int x) { return 2 * x; }
__device__ int (*chosen)(int);

__global__ void choose() { chosen = twice; }

__global__ void corners(int *out) {
    Shape shape;
    Square square;
    const Shape *one = threadIdx.x % 2 ? &square : &shape;
    out[threadIdx.x] = chosen(one->corners());
}

__global__ void heap(int **out) { *out = new int(5); }

int main() {
    int *out, got[64];
    CALL(cudaMalloc(&out, sizeof got));

    tiles<<<1, 256>>>(out);
    CALL(cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost));
    for (int t = 0; t < 4; ++t) {
        HOLDS(got[t] == 64 * 64 * t + 63 * 64 / 2);
    }

    reversed<<<1, 64>>>(out);
    CALL(cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 64; ++i) {
        HOLDS(got[i] == 63 - i);
    }

    choose<<<1, 1>>>();
    corners<<<1, 64>>>(out);
    CALL(cudaMemcpy(got, out, sizeof got, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 64; ++i) {
        HOLDS(got[i] == i % 2 * 8);
    }

    // The device's own heap is not there: the launch of this kernel fails, those before did not.
    heap<<<1, 1>>>((int **)out);
    HOLDS(cudaGetLastError() == cudaErrorInvalidPtx);
    HOLDS(cudaGetLastError() == cudaSuccess);

    CALL(cudaFree(out));
    puts("tiles, a barrier, calls by address");
    return 0;
}
