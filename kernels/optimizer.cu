// One optimiser step over the whole parameter arena, and the moving average of the weights in the same pass
// (src/ops/optimizer.rs). Learning rate, step and decay come from device memory.
//   Adam  m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  w -= rate m / (sqrt(v) root_scale + eps)
//   SGD   u = mu u + (g + l2 w),  w -= lr u
//   ema = d ema + (1 - d) w,  copy = round(w) where products read 16 bits
// g is the gradient times the inverse of its scale where there is one; 0 leaves the step out, all arenas as they are.
//
// A thread takes 4 elements at a time; arenas are multiples of 64 elements long. Memory-bound: Adam with the average
// reads and writes 36 bytes a parameter, SGD 28; the copy is 2 more.
#include "number.cuh"
#include "scaling.cuh"

// b^t by repeated squaring: t below 2^53, relative error about t 1e-16.
__device__ __forceinline__ double power(double b, u64 t) {
    double p = 1.0;
    for (; t; t >>= 1, b *= b)
        if (t & 1) p *= b;
    return p;
}

// What follows the weights, as far as it is there.
struct Followers {
    float* ema;
    Stored* copy;
    __device__ __forceinline__ void follow(int at, float4 w, float d) const {
        if (ema) {
            float4 e = *(const float4*)(ema + at);
            float rest = 1.0f - d;
            e.x = d * e.x + rest * w.x, e.y = d * e.y + rest * w.y;
            e.z = d * e.z + rest * w.z, e.w = d * e.w + rest * w.w;
            *(float4*)(ema + at) = e;
        }
        if constexpr (HALF_STORED) {
            float v[4] = {w.x, w.y, w.z, w.w};
            store(copy + at, v);
        }
    }
};

__device__ __forceinline__ float4 scaled(float4 g, float by) {
    return make_float4(g.x * by, g.y * by, g.z * by, g.w * by);
}

struct AdamConstants {
    float b1, b2, rate, root_scale, epsilon;
    __device__ __forceinline__ void apply(float& w, float g, float& m, float& v) const {
        m = b1 * m + (1.0f - b1) * g;
        v = b2 * v + (1.0f - b2) * g * g;
        w -= rate * m / (sqrtf(v) * root_scale + epsilon);
    }
};

extern "C" __global__ void __launch_bounds__(OPTIMIZER_THREADS) KERNEL(adam)(
    float* __restrict__ weights, const float* __restrict__ gradients, float* __restrict__ moment1,
    float* __restrict__ moment2, float* __restrict__ ema, Stored* __restrict__ copy, const float* __restrict__ scaling,
    const Step* __restrict__ step, float b1, float b2, float epsilon, int epsilon_hat, int elements) {
    float inverse = scaling ? scaling[INVERSE] : 1.0f;
    if (inverse == 0.0f) return;
    // The two factors that depend on the step alone, in double, once a block.
    __shared__ float factors[2];
    if (threadIdx.x == 0) {
        double c1 = 1.0 - power((double)b1, step->step + 1), c2 = sqrt(1.0 - power((double)b2, step->step + 1));
        double lr = (double)step->lr;
        factors[0] = (float)(epsilon_hat ? lr * c2 / c1 : lr / c1);
        factors[1] = (float)(epsilon_hat ? 1.0 : 1.0 / c2);
    }
    __syncthreads();
    AdamConstants k = {b1, b2, factors[0], factors[1], epsilon};
    Followers followers = {ema, copy};
    float decay = step->ema_decay;
    for (int at = ((int)blockIdx.x * OPTIMIZER_THREADS + (int)threadIdx.x) * 4; at < elements;
         at += (int)gridDim.x * OPTIMIZER_THREADS * 4) {
        float4 w = *(const float4*)(weights + at), g = scaled(*(const float4*)(gradients + at), inverse);
        float4 m = *(const float4*)(moment1 + at), v = *(const float4*)(moment2 + at);
        k.apply(w.x, g.x, m.x, v.x), k.apply(w.y, g.y, m.y, v.y);
        k.apply(w.z, g.z, m.z, v.z), k.apply(w.w, g.w, m.w, v.w);
        *(float4*)(weights + at) = w, *(float4*)(moment1 + at) = m, *(float4*)(moment2 + at) = v;
        followers.follow(at, w, decay);
    }
}

// Ranges of the arena, [first, last), that L2 applies to.
struct Ranges {
    int count;
    int first[SGD_RANGES], last[SGD_RANGES];
    __device__ __forceinline__ float l2(int at, float value) const {
        for (int r = 0; r < count; r++)
            if (at >= first[r] && at < last[r]) return value;
        return 0.0f;
    }
};

extern "C" __global__ void __launch_bounds__(OPTIMIZER_THREADS) KERNEL(sgd)(
    float* __restrict__ weights, const float* __restrict__ gradients, float* __restrict__ velocity,
    float* __restrict__ ema, Stored* __restrict__ copy, const float* __restrict__ scaling,
    const Step* __restrict__ step, float momentum, float l2, Ranges ranges, int elements) {
    float inverse = scaling ? scaling[INVERSE] : 1.0f;
    if (inverse == 0.0f) return;
    Followers followers = {ema, copy};
    float lr = step->lr, decay = step->ema_decay;
    for (int at = ((int)blockIdx.x * OPTIMIZER_THREADS + (int)threadIdx.x) * 4; at < elements;
         at += (int)gridDim.x * OPTIMIZER_THREADS * 4) {
        float4 w = *(const float4*)(weights + at), g = scaled(*(const float4*)(gradients + at), inverse);
        float4 u = *(const float4*)(velocity + at);
        u.x = momentum * u.x + (g.x + ranges.l2(at, l2) * w.x), w.x -= lr * u.x;
        u.y = momentum * u.y + (g.y + ranges.l2(at + 1, l2) * w.y), w.y -= lr * u.y;
        u.z = momentum * u.z + (g.z + ranges.l2(at + 2, l2) * w.z), w.z -= lr * u.z;
        u.w = momentum * u.w + (g.w + ranges.l2(at + 3, l2) * w.w), w.w -= lr * u.w;
        *(float4*)(weights + at) = w, *(float4*)(velocity + at) = u;
        followers.follow(at, w, decay);
    }
}
