// Products and convolutions as they are defined, a thread one result: what to read first, and what the fast kernels are
// compared with on the device itself (src/conformance/full.rs), at sizes for which a reference on the host would take
// hours.
//
// The sums of the convolutions are double, so that they stand for the exact result, and offsets are 64 bits wide. A
// fully connected layer is the convolution of one pixel with one tap. `magnitudes`, where it is there, takes the sum of
// the magnitudes of what is added, which the error of sums in float is measured by. Nothing here is fast.
#include "number.cuh"

// A sum and that of the magnitudes.
struct Sum {
    double value, magnitude;
    __device__ __forceinline__ void add(double v) { value += v, magnitude += fabs(v); }
};

// C[i,j] = sum over l of A B, with the strides of each operand.
extern "C" __global__ void __launch_bounds__(NAIVE_THREADS) KERNEL(gemm_naive)(
    const Stored* __restrict__ a, const Stored* __restrict__ b, float* __restrict__ c, int m, int n, int k,
    int a_row, int a_inner, int b_inner, int b_column) {
    int at = (int)blockIdx.x * NAIVE_THREADS + (int)threadIdx.x;
    if (at >= m * n) return;
    int i = at / n, j = at % n;
    float sum = 0.0f;
    for (int l = 0; l < k; l++) 
        sum += factor(widen(a[i * a_row + l * a_inner])) * factor(widen(b[l * b_inner + j * b_column]));
    c[at] = sum;
}

typedef long long i64;

// The thread's number, and it taken apart: an image's pixel and a channel.
struct Element {
    i64 at, image;
    int i, j, channel;
    __device__ __forceinline__ Element(int h, int w, int channels) {
        at = (i64)blockIdx.x * NAIVE_THREADS + threadIdx.x;
        channel = (int)(at % channels);
        i64 pixel = at / channels;
        j = (int)(pixel % w), i = (int)(pixel / w % h), image = pixel / w / h;
    }
};

// y[n,i,j,k] = b[k] + sum over u,v,c of x[n, i+u-r, j+v-r, c] w[u,v,c,k], then ReLU and y Stored if asked; else y
// are logits, float.
extern "C" __global__ void __launch_bounds__(NAIVE_THREADS) KERNEL(conv_forward_naive)(
    const Stored* __restrict__ x, const Stored* __restrict__ w, const float* __restrict__ b, void* __restrict__ y,
    float* __restrict__ magnitudes, int relu, int n, int h, int width, int c, int k, int kernel) {
    Element o(h, width, k);
    if (o.image >= n) return;
    int r = kernel / 2;
    Sum sum = {};
    sum.add(b[o.channel]);
    for (int u = 0; u < kernel; u++)
        for (int v = 0; v < kernel; v++) {
            int i = o.i + u - r, j = o.j + v - r;
            if (i < 0 || i >= h || j < 0 || j >= width) continue;
            const Stored* px = x + ((o.image * h + i) * width + j) * c;
            const Stored* pw = w + (i64)(u * kernel + v) * c * k + o.channel;
#pragma unroll 1
            for (int l = 0; l < c; l++, pw += k) sum.add((double)factor(widen(px[l])) * factor(widen(*pw)));
        }
    if (relu)
        ((Stored*)y)[o.at] = narrow(sum.value < 0.0 ? 0.0f : (float)sum.value);
    else
        ((float*)y)[o.at] = (float)sum.value;
    if (magnitudes) magnitudes[o.at] = (float)sum.magnitude;
}

// dx[n,i,j,c] = sum over u,v,k of dy[n, i-u+r, j-v+r, k] w[u,v,c,k], times (mask > 0) if there is one.
extern "C" __global__ void __launch_bounds__(NAIVE_THREADS) KERNEL(conv_backward_data_naive)(
    const Stored* __restrict__ dy, const Stored* __restrict__ w, const Stored* __restrict__ mask,
    Stored* __restrict__ dx, float* __restrict__ magnitudes, int n, int h, int width, int c, int k, int kernel) {
    Element o(h, width, c);
    if (o.image >= n) return;
    int r = kernel / 2;
    Sum sum = {};
    for (int u = 0; u < kernel; u++)
        for (int v = 0; v < kernel; v++) {
            int i = o.i - u + r, j = o.j - v + r;
            if (i < 0 || i >= h || j < 0 || j >= width) continue;
            const Stored* py = dy + ((o.image * h + i) * width + j) * k;
            const Stored* pw = w + ((i64)(u * kernel + v) * c + o.channel) * k;
#pragma unroll 1
            for (int l = 0; l < k; l++) sum.add((double)factor(widen(py[l])) * factor(widen(pw[l])));
        }
    dx[o.at] = narrow(mask && !(widen(mask[o.at]) > 0.0f) ? 0.0f : (float)sum.value);
    if (magnitudes) magnitudes[o.at] = (float)sum.magnitude;
}

// dw[u,v,c,k] = sum over n,i,j of x[n, i+u-r, j+v-r, c] dy[n,i,j,k], then db[k] = sum over n,i,j of dy[n,i,j,k].
extern "C" __global__ void __launch_bounds__(NAIVE_THREADS) KERNEL(conv_backward_weight_naive)(
    const Stored* __restrict__ x, const Stored* __restrict__ dy, float* __restrict__ dw, float* __restrict__ db,
    float* __restrict__ magnitudes, int n, int h, int width, int c, int k, int kernel) {
    i64 at = (i64)blockIdx.x * NAIVE_THREADS + threadIdx.x, weights = (i64)kernel * kernel * c * k;
    if (at >= weights + k) return;
    bool bias = at >= weights;
    int to = (int)(at % k), from = (int)(at / k % c), tap = (int)(at / k / c), r = kernel / 2;
    int di = bias ? 0 : tap / kernel - r, dj = bias ? 0 : tap % kernel - r;
    // From pixel to pixel in dy, and in x where the tap looks.
    const Stored* py = dy + to;
    const Stored* px = x + ((i64)di * width + dj) * c + from;
    Sum sum = {};
    for (int rows = n * h, row = 0; row < rows; row++)
#pragma unroll 1
        for (int j = 0; j < width; j++, py += k, px += c) {
            int i = row % h + di;
            if (i < 0 || i >= h || j + dj < 0 || j + dj >= width) continue;
            sum.add(bias ? (double)widen(*py) : (double)factor(widen(*py)) * factor(widen(*px)));
        }
    if (bias)
        db[to] = (float)sum.value;
    else
        dw[at] = (float)sum.value;
    if (magnitudes) magnitudes[at] = (float)sum.magnitude;
}
