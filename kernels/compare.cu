// How far a result is from its reference, on the device, so that no large result has to travel: for elements a and b
//   bound = max(absolute, relative max(|a|, |b|)),  share = |a - b| / bound
// as src/conformance/compare.rs has it. A block takes every so-many-th element and leaves one `Difference`; the host
// adds the few of them up. Memory bounds it: each element is read once.
#include "common.cuh"

struct Difference {
    double share;  // largest share of the bound; infinite where a number is NaN
    double most;   // largest |a - b|
    double error;  // sum of (a - b)^2
    double power;  // sum of b^2
    double worst;  // the first element with that share

    __device__ __forceinline__ void add(const Difference& other) {
        bool worse = other.share > share || (other.share == share && other.worst < worst);
        if (worse) share = other.share, worst = other.worst;
        most = fmax(most, other.most), error += other.error, power += other.power;
    }
};

extern "C" __global__ void __launch_bounds__(COMPARE_THREADS) KERNEL(compare)(
    const float* __restrict__ result, const float* __restrict__ reference, Difference* __restrict__ differences,
    u64 elements, double absolute, double relative) {
    __shared__ Difference shared[COMPARE_THREADS];
    Difference own = {0.0, 0.0, 0.0, 0.0, (double)elements};
    u64 first = (u64)blockIdx.x * COMPARE_THREADS + threadIdx.x, stride = (u64)gridDim.x * COMPARE_THREADS;
    for (u64 at = first; at < elements; at += stride) {
        double a = result[at], b = reference[at];
        // Equal infinities differ by nothing.
        double difference = a == b ? 0.0 : fabs(a - b);
        double share = difference / fmax(absolute, relative * fmax(fabs(a), fabs(b)));
        if (share != share) share = __longlong_as_double(0x7ff0000000000000ll);
        own.add({share, difference, difference * difference, b * b, (double)at});
    }
    shared[threadIdx.x] = own;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int t = 1; t < COMPARE_THREADS; t++) own.add(shared[t]);
    differences[blockIdx.x] = own;
}
