// The other unit of linked.cu.
#include <cuda_runtime.h>

__device__ int offset = 3;

static __device__ __noinline__ int twice(int value) { return value * 2; }

__device__ int shifted(int value) { return twice(value) + offset; }

int set_offset(int value) { return cudaMemcpyToSymbol(offset, &value, sizeof value); }
