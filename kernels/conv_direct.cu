// The first layer: a convolution of few input channels (c kernel^2 <= 27), where the product's inner dimension is too
// short for tiles. Same mathematics and layouts as conv.cu.
//
// A block takes DIRECT_ROWS rows of one image: the rows of x it sees (with `kernel / 2` more above and below) lie in
// shared memory, so x is read about once, and y or dy once: memory bounds both kernels.
#include "common.cuh"

// Rows [first - r, last + r) of image n into shared memory, padded by r zeros left and right: [rows][w + 2 r][c].
__device__ __forceinline__ void load_strip(
    const float* __restrict__ x, float* strip, int n, int first, int rows, int h, int w, int c, int r) {
    int pitch = (w + 2 * r) * c, height = rows + 2 * r;
    for (int at = threadIdx.x; at < height * pitch; at += DIRECT_THREADS) {
        int i = first - r + at / pitch, jc = at % pitch - r * c;
        bool inside = i >= 0 && i < h && jc >= 0 && jc < w * c;
        strip[at] = inside ? x[((long long)n * h + i) * w * c + jc] : 0.0f;
    }
    __syncthreads();
}

// y[n,i,j,k] = b[k] + sum over u,v,c x w, then ReLU; a thread 4 channels of every so-many-th pixel of the strip.
extern "C" __global__ void __launch_bounds__(DIRECT_THREADS) conv_direct_forward(
    const float* __restrict__ x, const float* __restrict__ weights, const float* __restrict__ b, float* __restrict__ y,
    int relu, int h, int w, int c, int k, int kernel) {
    extern __shared__ float strip[];
    int strips = ceil_div(h, DIRECT_ROWS), r = kernel / 2;
    int n = (int)blockIdx.x / strips, first = (int)blockIdx.x % strips * DIRECT_ROWS;
    int rows = min_int(DIRECT_ROWS, h - first), pitch = (w + 2 * r) * c;
    load_strip(x, strip, n, first, rows, h, w, c, r);
    int quads = k / 4;
    for (int at = threadIdx.x; at < rows * w * quads; at += DIRECT_THREADS) {
        int pixel = at / quads, channel = at % quads * 4, i = pixel / w, j = pixel % w;
        float4 sum = make_float4(0, 0, 0, 0);
        const float* row = strip + i * pitch + j * c;
        const float* wp = weights + channel;
        for (int u = 0; u < kernel; u++, row += pitch)
            for (int vc = 0; vc < kernel * c; vc++, wp += k) {
                float4 f = *(const float4*)wp;
                float v = row[vc];
                sum.x += v * f.x, sum.y += v * f.y, sum.z += v * f.z, sum.w += v * f.w;
            }
        float4 bias = *(const float4*)(b + channel);
        sum.x += bias.x, sum.y += bias.y, sum.z += bias.z, sum.w += bias.w;
        if (relu) {
            sum.x = sum.x > 0.0f ? sum.x : sum.x * 0.0f, sum.y = sum.y > 0.0f ? sum.y : sum.y * 0.0f;
            sum.z = sum.z > 0.0f ? sum.z : sum.z * 0.0f, sum.w = sum.w > 0.0f ? sum.w : sum.w * 0.0f;
        }
        *(float4*)(y + (((long long)n * h + first) * w + pixel) * k + channel) = sum;
    }
}

// dw and db of one strip into workspace[block][(TAPS + 1) k], db last. A thread keeps TAPS + 1 sums for one channel
// over every so-many-th pixel; then those of one channel are added in turn. `reduce_parts` adds the blocks.
// TAPS = kernel^2 c is a constant here, so that the sums stay in registers.
template <int TAPS>
__device__ __forceinline__ void direct_backward_weight(
    const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ workspace, int h, int w, int c, int k,
    int kernel) {
    extern __shared__ float strip[];
    int strips = ceil_div(h, DIRECT_ROWS), r = kernel / 2;
    int n = (int)blockIdx.x / strips, first = (int)blockIdx.x % strips * DIRECT_ROWS;
    int rows = min_int(DIRECT_ROWS, h - first), pitch = (w + 2 * r) * c;
    load_strip(x, strip, n, first, rows, h, w, c, r);
    float* sums = strip + (DIRECT_ROWS + 2 * r) * pitch;  // [groups][DIRECT_CHANNELS]
    int taps = kernel * kernel * c;
    constexpr int GROUPS = DIRECT_THREADS / DIRECT_CHANNELS;
    int lane = (int)threadIdx.x % DIRECT_CHANNELS, group = (int)threadIdx.x / DIRECT_CHANNELS;
    for (int k0 = 0; k0 < k; k0 += DIRECT_CHANNELS) {
        int channel = k0 + lane;
        float acc[TAPS + 1] = {};
        for (int pixel = group; pixel < rows * w && channel < k; pixel += GROUPS) {
            float g = dy[(((long long)n * h + first) * w + pixel) * k + channel];
            const float* corner = strip + pixel / w * pitch + pixel % w * c;
            int across = kernel * c, at = 0, row = 0;
#pragma unroll
            for (int t = 0; t < TAPS; t++) {
                if (t < taps) acc[t] += corner[row + at] * g;
                if (++at == across) at = 0, row += pitch;
            }
            acc[TAPS] += g;
        }
#pragma unroll
        for (int t = 0; t <= TAPS; t++) {
            sums[group * DIRECT_CHANNELS + lane] = acc[t];
            __syncthreads();
            int row = t == TAPS ? taps : t;
            if (group == 0 && channel < k && (t < taps || t == TAPS)) {
                float total = 0.0f;
                for (int g = 0; g < GROUPS; g++) total += sums[g * DIRECT_CHANNELS + lane];
                workspace[((long long)blockIdx.x * (taps + 1) + row) * k + channel] = total;
            }
            __syncthreads();
        }
    }
}

// For c kernel^2 <= 9: a 3x3 kernel over one channel.
extern "C" __global__ void __launch_bounds__(DIRECT_THREADS) conv_direct_backward_weight_9(
    const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ workspace, int h, int w, int c, int k,
    int kernel) {
    direct_backward_weight<9>(x, dy, workspace, h, w, c, k, kernel);
}

// For c kernel^2 <= 27: 5x5 over one channel, 3x3 over three.
extern "C" __global__ void __launch_bounds__(DIRECT_THREADS) conv_direct_backward_weight_27(
    const float* __restrict__ x, const float* __restrict__ dy, float* __restrict__ workspace, int h, int w, int c, int k,
    int kernel) {
    direct_backward_weight<27>(x, dy, workspace, h, w, c, k, kernel);
}
