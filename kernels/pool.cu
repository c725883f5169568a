// 2x2 max-pool, stride 2, NHWC, odd sizes rounded up (src/ops/pool.rs):
//   y[n,i,j,c] = max over p,q in {0,1} inside the image of x[n, 2i+p, 2j+q, c], argmax = 2p + q of the first maximum
//   dx[n,2i+p,2j+q,c] = dy[n,i,j,c] where argmax = 2p + q, else 0
// A thread takes VECTOR channels of one output: 16 bytes, or one number where rows are no multiple of that. Each
// element of x, y and argmax is touched once: memory-bound.
#include "number.cuh"

struct Window {
    int x, y;  // offsets of the window's first element in x and of its result in y
    bool right, below;
    __device__ __forceinline__ Window(int at, int h, int w, int c) {
        int oh = (h + 1) / 2, ow = (w + 1) / 2, groups = c / VECTOR;
        int channel = at % groups * VECTOR, pixel = at / groups;
        int j = pixel % ow, i = pixel / ow % oh, n = pixel / ow / oh;
        x = ((n * h + 2 * i) * w + 2 * j) * c + channel;
        y = pixel * c + channel;
        right = 2 * j + 1 < w, below = 2 * i + 1 < h;
    }
};

// The positions of VECTOR maxima, a byte each.
struct __align__(VECTOR) Positions {
    u8 of[VECTOR];
};

// A NaN wins over numbers, and the first one over later ones.
__device__ __forceinline__ void take(float (&best)[VECTOR], Positions& position, const Stored* p, u8 here) {
    float v[VECTOR];
    load(p, v);
#pragma unroll
    for (int i = 0; i < VECTOR; i++)
        if (v[i] > best[i] || (v[i] != v[i] && best[i] == best[i])) best[i] = v[i], position.of[i] = here;
}

extern "C" __global__ void __launch_bounds__(POOL_THREADS) KERNEL(pool_forward)(
    const Stored* __restrict__ x, Stored* __restrict__ y, u8* __restrict__ argmax, int groups, int h, int w, int c) {
    int at = (int)blockIdx.x * POOL_THREADS + (int)threadIdx.x;
    if (at >= groups) return;
    Window o(at, h, w, c);
    Positions position = {};
    float best[VECTOR];
    load(x + o.x, best);
    if (o.right) take(best, position, x + o.x + c, 1);
    if (o.below) take(best, position, x + o.x + w * c, 2);
    if (o.right && o.below) take(best, position, x + o.x + w * c + c, 3);
    store(y + o.y, best);
    *(Positions*)(argmax + o.y) = position;
}

extern "C" __global__ void __launch_bounds__(POOL_THREADS) KERNEL(pool_backward)(
    const Stored* __restrict__ dy, const u8* __restrict__ argmax, Stored* __restrict__ dx, int groups, int h, int w,
    int c) {
    int at = (int)blockIdx.x * POOL_THREADS + (int)threadIdx.x;
    if (at >= groups) return;
    Window o(at, h, w, c);
    float d[VECTOR];
    load(dy + o.y, d);
    Positions position = *(const Positions*)(argmax + o.y);
#pragma unroll
    for (int q = 0; q < 4; q++) {
        if ((q & 1 && !o.right) || (q & 2 && !o.below)) continue;
        float part[VECTOR];
#pragma unroll
        for (int i = 0; i < VECTOR; i++) part[i] = position.of[i] == q ? d[i] : 0.0f;
        store(dx + o.x + (q & 1) * c + (q >> 1) * w * c, part);
    }
}
