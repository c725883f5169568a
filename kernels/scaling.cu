// Dynamic scaling of gradients (src/ops/scaling.rs): looks for overflow in the gradients, and chooses the scale.
//   overflow:                     scale = max(scale / 2, 1), inverse = 0 (the step is left out), good = 0, skipped + 1
//   none, good + 1 < SCALE_GROWTH: inverse = 1 / scale, good + 1
//   none, else:                   inverse = 1 / scale, then scale = min(2 scale, SCALE_LARGEST), good = 0
//
// Parts of the arena (z) say in `found` whether they have a number that is not finite; the last to arrive chooses. No
// number depends on the order. A thread reads 16 bytes at a time; memory-bound, 4 bytes a parameter.
#include "block.cuh"
#include "scaling.cuh"

extern "C" __global__ void __launch_bounds__(SCALING_THREADS) KERNEL(scaling)(
    const float* __restrict__ gradients, float* __restrict__ state, u32* __restrict__ found, u32* __restrict__ counters,
    int elements) {
    __shared__ u32 flag;
    const float infinity = __int_as_float(0x7f800000);
    bool bad = false;
#pragma unroll 4
    for (int at = ((int)blockIdx.z * SCALING_THREADS + (int)threadIdx.x) * 4; at < elements;
         at += (int)gridDim.z * SCALING_THREADS * 4) {
        float4 g = *(const float4*)(gradients + at);
        bool finite = fabsf(g.x) < infinity && fabsf(g.y) < infinity && fabsf(g.z) < infinity && fabsf(g.w) < infinity;
        bad |= !finite;
    }
    bad = __syncthreads_or(bad);
    if (threadIdx.x == 0) found[blockIdx.z] = bad;
    if (!last_part(counters, &flag)) return;
    bad = false;
    for (int part = (int)threadIdx.x; part < (int)gridDim.z; part += SCALING_THREADS) bad |= __ldcg(found + part) != 0;
    bad = __syncthreads_or(bad);
    if (threadIdx.x > 0) return;
    float scale = state[SCALE], good = state[GOOD] + 1.0f;
    state[INVERSE] = bad ? 0.0f : 1.0f / scale;
    state[GOOD] = bad || good >= SCALE_GROWTH ? 0.0f : good;
    if (bad)
        state[SCALE] = fmaxf(scale * 0.5f, 1.0f), state[SKIPPED] += 1.0f;
    else if (good >= SCALE_GROWTH)
        state[SCALE] = fminf(scale * 2.0f, SCALE_LARGEST);
}
