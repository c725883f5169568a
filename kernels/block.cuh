// What the blocks of a product or a convolution have in common, however they multiply: each takes a part of the inner
// dimension, the last of a tile's parts to arrive adds them, and the result passes through an epilogue.
#pragma once
#include "number.cuh"

// The block's part (z) of the inner dimension's tiles.
struct Part {
    int first, count;
    __device__ __forceinline__ explicit Part(int total) {
        int each = ceil_div(total, (int)gridDim.z);
        first = min_int((int)blockIdx.z * each, total);
        count = min_int(each, total - first);
    }
};

// Whether this block is the last of its tile's parts to arrive; all that the others wrote is visible to it then. The
// counter is left at 0 for the next launch. Which block that is depends on the run, what it computes does not.
// `flag` is a word of shared memory that nobody uses any more.
//
// The order is that of a grid's barrier in cooperative groups: the barrier gathers what the block wrote at thread 0,
// whose fences put it before the count, and the count of the others before what the block reads after the second
// barrier. Fences add up along barriers (PTX ISA, "Causality order"), so that one thread's are enough.
__device__ __forceinline__ bool last_part(u32* counters, u32* flag) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        bool last = atomicAdd(counters + blockIdx.x, 1u) + 1 == gridDim.z;
        __threadfence();
        if (last) atomicExch(counters + blockIdx.x, 0u);
        *flag = last;
    }
    __syncthreads();
    return *flag != 0;
}

// What happens to a result before it is stored: bias by column, then ReLU, then times (mask > 0), then added to what
// is there. Pointers may be null. A result is rounded once, when it is stored.
struct Epilogue {
    const float* bias;
    const Stored* mask;
    int relu;
    int accumulate;

    // To N results of neighbouring columns, from `column` on, whose place in the matrices is `at`.
    template <int N, class Out>
    __device__ __forceinline__ void apply(float (&v)[N], int column, int at, const Out* out) const {
        float other[N];
        if (bias) {
            load(bias + column, other);
#pragma unroll
            for (int i = 0; i < N; i++) v[i] += other[i];
        }
        if (relu)
#pragma unroll
            for (int i = 0; i < N; i++) v[i] = fmaxf(v[i], 0.0f);
        if (mask) {
            load(mask + at, other);
#pragma unroll
            for (int i = 0; i < N; i++) v[i] = other[i] > 0.0f ? v[i] : 0.0f;
        }
        if (accumulate) {
            load(out + at, other);
#pragma unroll
            for (int i = 0; i < N; i++) v[i] += other[i];
        }
    }
};
