// Inverted dropout in place, forward and backward alike (src/ops/dropout.rs): x = x keep / (1 - p), where elements
// 4 i ... 4 i + 3 take the four words of Philox block (i, layer) of the stream (seed, Dropout, step), and
// keep = uniform(word) >= p. Nothing is stored: backward draws the same numbers again.
//
// A thread takes 4 elements, one Philox block. Memory-bound.
#include "common.cuh"

extern "C" __global__ void __launch_bounds__(DROPOUT_THREADS) KERNEL(dropout)(
    float* __restrict__ x, const Step* __restrict__ step, u64 seed, u32 layer, float p, float scale, int elements) {
    int at = ((int)blockIdx.x * DROPOUT_THREADS + (int)threadIdx.x) * 4;
    if (at >= elements) return;
    uint4 words = philox(at / 4, layer, step->step, PURPOSE_DROPOUT, seed);
    bool keep[4] = {uniform(words.x) >= p, uniform(words.y) >= p, uniform(words.z) >= p, uniform(words.w) >= p};
    if (at + 4 <= elements) {
        float4 v = *(const float4*)(x + at);
        v.x = keep[0] ? v.x * scale : 0.0f, v.y = keep[1] ? v.y * scale : 0.0f;
        v.z = keep[2] ? v.z * scale : 0.0f, v.w = keep[3] ? v.w * scale : 0.0f;
        *(float4*)(x + at) = v;
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (at + i < elements) x[at + i] = keep[i] ? x[at + i] * scale : 0.0f;
    }
}
