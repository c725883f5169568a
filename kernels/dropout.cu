// Inverted dropout in place, forward and backward alike (src/ops/dropout.rs): x = x keep / (1 - p), where elements
// 4 i ... 4 i + 3 take the four words of Philox block (i, layer) of the stream (seed, Dropout, step), and
// keep = uniform(word) >= p. Nothing is stored: backward draws the same numbers again.
//
// A thread takes 16 bytes: 4 elements and one Philox block, or 8 and two. Memory-bound.
#include "number.cuh"

extern "C" __global__ void __launch_bounds__(DROPOUT_THREADS) KERNEL(dropout)(
    Stored* __restrict__ x, const Step* __restrict__ step, u64 seed, u32 layer, float p, float scale, int elements) {
    int at = ((int)blockIdx.x * DROPOUT_THREADS + (int)threadIdx.x) * STORED_WIDE;
    if (at >= elements) return;
    u32 words[STORED_WIDE];
#pragma unroll
    for (int i = 0; i < STORED_WIDE; i += 4) {
        uint4 four = philox((at + i) / 4, layer, step->step, PURPOSE_DROPOUT, seed);
        words[i] = four.x, words[i + 1] = four.y, words[i + 2] = four.z, words[i + 3] = four.w;
    }
    auto dropped = [&](float v, int i) { return uniform(words[i]) >= p ? v * scale : 0.0f; };
    if (at + STORED_WIDE <= elements) {
        float v[STORED_WIDE];
        load(x + at, v);
#pragma unroll
        for (int i = 0; i < STORED_WIDE; i++) v[i] = dropped(v[i], i);
        store(x + at, v);
    } else {
#pragma unroll
        for (int i = 0; i < STORED_WIDE; i++)
            if (at + i < elements) x[at + i] = narrow(dropped(widen(x[at + i]), i));
    }
}
