// y = round(x): numbers of float32 as the 16-bit type that products read (src/ops/cast.rs). The optimiser writes the
// same beside the weights; this makes the copy where they come from elsewhere.
//
// A thread takes 4 elements, 16 bytes of x. Memory-bound: 6 bytes an element.
#include "number.cuh"

extern "C" __global__ void __launch_bounds__(CAST_THREADS) KERNEL(cast)(
    const float* __restrict__ x, Stored* __restrict__ y, int elements) {
    int at = ((int)blockIdx.x * CAST_THREADS + (int)threadIdx.x) * 4;
    if (at >= elements) return;
    if (at + 4 <= elements) {
        float v[4];
        load(x + at, v);
        store(y + at, v);
    } else {
        for (; at < elements; at++) y[at] = narrow(x[at]);
    }
}
