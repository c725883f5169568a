// How far a result is from its reference, on the device, so that no large result has to travel: for elements a and b
//   bound = max(absolute, relative max(|a|, |b|)) + sums S,  share = |a - b| / bound
// as src/conformance/compare.rs has it; S is the sum of the magnitudes of what b is the sum of, where that is given. A
// block takes every so-many-th element and leaves one `Difference`; the host adds the few of them up. Memory bounds it:
// each element is read once.
#include "number.cuh"

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

// NVRTC 12 would save registers on sm_61, and keep one on the stack around the division: one block is enough.
extern "C" __global__ void __launch_bounds__(COMPARE_THREADS, 1) KERNEL(compare)(
    const Stored* __restrict__ result, const Stored* __restrict__ reference, const float* __restrict__ magnitudes,
    Difference* __restrict__ differences, u64 elements, double absolute, double relative, double sums) {
    __shared__ Difference shared[COMPARE_THREADS];
    Difference own = {0.0, 0.0, 0.0, 0.0, (double)elements};
    u64 first = (u64)blockIdx.x * COMPARE_THREADS + threadIdx.x, stride = (u64)gridDim.x * COMPARE_THREADS;
    for (u64 at = first; at < elements; at += stride) {
        double a = widen(result[at]), b = widen(reference[at]);
        // Equal infinities differ by nothing.
        double difference = a == b ? 0.0 : fabs(a - b);
        double bound = fmax(absolute, relative * fmax(fabs(a), fabs(b)));
        if (magnitudes) bound += sums * magnitudes[at];
        double share = difference == 0.0 ? 0.0 : difference / bound;
        if (share != share) share = __longlong_as_double(0x7ff0000000000000ll);
        own.add({share, difference, difference * difference, b * b, (double)at});
    }
    shared[threadIdx.x] = own;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int t = 1; t < COMPARE_THREADS; t++) own.add(shared[t]);
    differences[blockIdx.x] = own;
}
