// The first layer: a convolution of one input channel, or three, where the product's inner dimension is too short for
// tiles. Same mathematics and layouts as conv.cu.
//
// A block takes DIRECT_ROWS rows of one image: the rows of x it sees (with kernel / 2 more above and below) lie in
// shared memory as floats, so x is read about once, and y or dy once: memory bounds both kernels.
#include "number.cuh"

// Rows [first - r, first + rows + r) of image n into shared memory, with r zero pixels left and right:
// [rows + 2 r][w + 2 r][c].
__device__ __forceinline__ void load_strip(
    const Stored* __restrict__ x, float* strip, int n, int first, int rows, int h, int w, int c, int r) {
    int pitch = (w + 2 * r) * c, height = rows + 2 * r;
    for (int at = threadIdx.x; at < height * pitch; at += DIRECT_THREADS) {
        int i = first - r + at / pitch, jc = at % pitch - r * c;
        bool inside = i >= 0 && i < h && jc >= 0 && jc < w * c;
        strip[at] = inside ? factor(widen(x[((long long)n * h + i) * w * c + jc])) : 0.0f;
    }
}

extern __shared__ __align__(16) float direct_shared[];

// y[n,i,j,k] = b[k] + sum over u,v,c x w, then ReLU and y Stored if asked; else y are logits, float. A thread computes
// WIDE channels, 16 bytes of y, of every so-many-th pixel of the strip. Shared memory: the weights, the bias, then the
// strip. Weights and bias lie as groups of 4 floats, those of the first 4 channels of all threads before those of the
// next, so that neighbouring threads read neighbouring groups.
extern "C" __global__ void __launch_bounds__(DIRECT_THREADS, 4) KERNEL(conv_direct_forward)(
    const Stored* __restrict__ x, const Stored* __restrict__ weights, const float* __restrict__ b, void* __restrict__ y,
    int relu, int h, int w, int c, int k, int kernel) {
    constexpr int WIDE = STORED_WIDE, FOURS = WIDE / 4;
    int strips = ceil_div(h, DIRECT_ROWS), r = kernel / 2;
    int n = (int)blockIdx.x / strips, first = (int)blockIdx.x % strips * DIRECT_ROWS;
    int rows = min_int(DIRECT_ROWS, h - first), pitch = (w + 2 * r) * c, groups = k / WIDE;
    float4* own_weights = (float4*)direct_shared;
    float4* own_bias = own_weights + kernel * kernel * c * groups * FOURS;
    float* strip = (float*)(own_bias + groups * FOURS);
    for (int at = threadIdx.x; at < (kernel * kernel * c + 1) * groups; at += DIRECT_THREADS) {
        int row = at / groups, group = at % groups;
        float v[WIDE];
        if (row < kernel * kernel * c) {
            load(weights + row * k + group * WIDE, v);
#pragma unroll
            for (int f = 0; f < WIDE; f++) v[f] = factor(v[f]);
        } else {
            load(b + group * WIDE, v);
        }
#pragma unroll
        for (int f = 0; f < FOURS; f++)
            own_weights[(row * FOURS + f) * groups + group] = make_float4(v[4 * f], v[4 * f + 1], v[4 * f + 2], v[4 * f + 3]);
    }
    load_strip(x, strip, n, first, rows, h, w, c, r);
    __syncthreads();
    for (int at = threadIdx.x; at < rows * w * groups; at += DIRECT_THREADS) {
        int pixel = at / groups, group = at % groups, i = pixel / w, j = pixel % w;
        float4 sums[FOURS];
#pragma unroll
        for (int f = 0; f < FOURS; f++) sums[f] = own_bias[f * groups + group];
        const float* row = strip + i * pitch + j * c;
        const float4* wp = own_weights + group;
        for (int u = 0; u < kernel; u++, row += pitch)
            for (int vc = 0; vc < kernel * c; vc++) {
                float v = row[vc];
#pragma unroll
                for (int f = 0; f < FOURS; f++, wp += groups) {
                    float4 four = *wp;
                    sums[f].x += v * four.x, sums[f].y += v * four.y, sums[f].z += v * four.z, sums[f].w += v * four.w;
                }
            }
        float sum[WIDE];
#pragma unroll
        for (int f = 0; f < FOURS; f++)
            sum[4 * f] = sums[f].x, sum[4 * f + 1] = sums[f].y, sum[4 * f + 2] = sums[f].z, sum[4 * f + 3] = sums[f].w;
        long long to = (((long long)n * h + first) * w + pixel) * k + group * WIDE;
        if (relu) {
#pragma unroll
            for (int f = 0; f < WIDE; f++) sum[f] = fmaxf(sum[f], 0.0f);
            store((Stored*)y + to, sum);
        } else {
            store((float*)y + to, sum);
        }
    }
}

// dw and db of one strip into workspace[block][KERNEL^2 C + 1][k], db last. A thread keeps the sums of one output
// channel over every so-many-th pixel in registers; then those of one channel are added in turn. `reduce_parts`
// adds the blocks. Shared memory: the strip, then [groups][DIRECT_CHANNELS] sums.
template <int KERNEL, int C>
__device__ __forceinline__ void direct_backward_weight(
    const Stored* __restrict__ x, const Stored* __restrict__ dy, float* __restrict__ workspace, int h, int w, int k) {
    constexpr int R = KERNEL / 2, TAPS = KERNEL * KERNEL * C, GROUPS = DIRECT_THREADS / DIRECT_CHANNELS;
    int strips = ceil_div(h, DIRECT_ROWS);
    int n = (int)blockIdx.x / strips, first = (int)blockIdx.x % strips * DIRECT_ROWS;
    int rows = min_int(DIRECT_ROWS, h - first), pitch = (w + 2 * R) * C;
    float* strip = direct_shared;
    float* sums = strip + (DIRECT_ROWS + 2 * R) * pitch;
    load_strip(x, strip, n, first, rows, h, w, C, R);
    __syncthreads();
    int lane = (int)threadIdx.x % DIRECT_CHANNELS, group = (int)threadIdx.x / DIRECT_CHANNELS;
    for (int k0 = 0; k0 < k; k0 += DIRECT_CHANNELS) {
        int channel = k0 + lane;
        float acc[TAPS] = {}, bias = 0.0f;
        for (int pixel = group; pixel < rows * w && channel < k; pixel += GROUPS) {
            float g = widen(dy[(((long long)n * h + first) * w + pixel) * k + channel]);
            float by = factor(g);
            const float* row = strip + pixel / w * pitch + pixel % w * C;
#pragma unroll
            for (int u = 0; u < KERNEL; u++, row += pitch)
#pragma unroll
                for (int vc = 0; vc < KERNEL * C; vc++) acc[u * KERNEL * C + vc] += row[vc] * by;
            bias += g;
        }
#pragma unroll
        for (int t = 0; t <= TAPS; t++) {
            sums[group * DIRECT_CHANNELS + lane] = t < TAPS ? acc[t < TAPS ? t : 0] : bias;
            __syncthreads();
            if (group == 0 && channel < k) {
                float total = 0.0f;
#pragma unroll
                for (int g = 0; g < GROUPS; g++) total += sums[g * DIRECT_CHANNELS + lane];
                workspace[((long long)blockIdx.x * (TAPS + 1) + t) * k + channel] = total;
            }
            __syncthreads();
        }
    }
}

extern "C" __global__ void __launch_bounds__(DIRECT_THREADS, 1) KERNEL(conv_direct_backward_weight_3x3x1)(
    const Stored* __restrict__ x, const Stored* __restrict__ dy, float* __restrict__ workspace, int h, int w, int k) {
    direct_backward_weight<3, 1>(x, dy, workspace, h, w, k);
}

extern "C" __global__ void __launch_bounds__(DIRECT_THREADS, 1) KERNEL(conv_direct_backward_weight_5x5x1)(
    const Stored* __restrict__ x, const Stored* __restrict__ dy, float* __restrict__ workspace, int h, int w, int k) {
    direct_backward_weight<5, 1>(x, dy, workspace, h, w, k);
}

extern "C" __global__ void __launch_bounds__(DIRECT_THREADS, 1) KERNEL(conv_direct_backward_weight_3x3x3)(
    const Stored* __restrict__ x, const Stored* __restrict__ dy, float* __restrict__ workspace, int h, int w, int k) {
    direct_backward_weight<3, 3>(x, dy, workspace, h, w, k);
}

// out = sum over parts of workspace[part][elements + tail], a thread WIDE elements; the last `tail` of them go to
// `out_tail`. Memory-bound.
template <int WIDE>
__device__ __forceinline__ void reduce(
    const float* __restrict__ workspace, float* __restrict__ out, float* __restrict__ out_tail, int parts, int elements,
    int tail) {
    int at = ((int)blockIdx.x * DIRECT_THREADS + (int)threadIdx.x) * WIDE;
    if (at >= elements + tail) return;
    float* to = at < elements ? out + at : out_tail + (at - elements);
    const float* p = workspace + at;
    float sum[WIDE] = {};
    for (int part = 0; part < parts; part++, p += elements + tail) {
        if constexpr (WIDE == 4) {
            float4 v = *(const float4*)p;
            sum[0] += v.x, sum[1] += v.y, sum[2] += v.z, sum[3] += v.w;
        } else {
            sum[0] += *p;
        }
    }
    if constexpr (WIDE == 4)
        *(float4*)to = make_float4(sum[0], sum[1], sum[2], sum[3]);
    else
        *to = sum[0];
}

extern "C" __global__ void __launch_bounds__(DIRECT_THREADS) KERNEL(reduce_parts)(
    const float* __restrict__ workspace, float* __restrict__ out, float* __restrict__ out_tail, int parts, int elements,
    int tail) {
    reduce<4>(workspace, out, out_tail, parts, elements, tail);
}

extern "C" __global__ void __launch_bounds__(DIRECT_THREADS) KERNEL(reduce_parts_scalar)(
    const float* __restrict__ workspace, float* __restrict__ out, float* __restrict__ out_tail, int parts, int elements,
    int tail) {
    reduce<1>(workspace, out, out_tail, parts, elements, tail);
}
