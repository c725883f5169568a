// 2x2 max-pool, stride 2, NHWC, odd sizes rounded up (src/ops/pool.rs):
//   y[n,i,j,c] = max over p,q in {0,1} inside the image of x[n, 2i+p, 2j+q, c], argmax = 2p + q of the first maximum
//   dx[n,2i+p,2j+q,c] = dy[n,i,j,c] where argmax = 2p + q, else 0
// A thread takes VECTOR channels of one output. Each element of x, y and argmax is touched once: memory-bound.
#include "common.cuh"

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

struct Floats {
    float v[VECTOR];
};

__device__ __forceinline__ Floats load(const float* p) {
    Floats f;
#if VECTOR == 4
    float4 v = *(const float4*)p;
    f.v[0] = v.x, f.v[1] = v.y, f.v[2] = v.z, f.v[3] = v.w;
#else
    f.v[0] = *p;
#endif
    return f;
}

__device__ __forceinline__ void store(float* p, const Floats& f) {
#if VECTOR == 4
    *(float4*)p = make_float4(f.v[0], f.v[1], f.v[2], f.v[3]);
#else
    *p = f.v[0];
#endif
}

// A NaN wins over numbers, and the first one over later ones.
__device__ __forceinline__ void take(Floats& best, u8 (&position)[VECTOR], const Floats& v, u8 here) {
#pragma unroll
    for (int i = 0; i < VECTOR; i++)
        if (v.v[i] > best.v[i] || (v.v[i] != v.v[i] && best.v[i] == best.v[i])) best.v[i] = v.v[i], position[i] = here;
}

extern "C" __global__ void __launch_bounds__(POOL_THREADS) KERNEL(pool_forward)(
    const float* __restrict__ x, float* __restrict__ y, u8* __restrict__ argmax, int groups, int h, int w, int c) {
    int at = (int)blockIdx.x * POOL_THREADS + (int)threadIdx.x;
    if (at >= groups) return;
    Window o(at, h, w, c);
    u8 position[VECTOR] = {};
    Floats best = load(x + o.x);
    if (o.right) take(best, position, load(x + o.x + c), 1);
    if (o.below) take(best, position, load(x + o.x + w * c), 2);
    if (o.right && o.below) take(best, position, load(x + o.x + w * c + c), 3);
    store(y + o.y, best);
#if VECTOR == 4
    *(uchar4*)(argmax + o.y) = make_uchar4(position[0], position[1], position[2], position[3]);
#else
    argmax[o.y] = position[0];
#endif
}

extern "C" __global__ void __launch_bounds__(POOL_THREADS) KERNEL(pool_backward)(
    const float* __restrict__ dy, const u8* __restrict__ argmax, float* __restrict__ dx, int groups, int h, int w,
    int c) {
    int at = (int)blockIdx.x * POOL_THREADS + (int)threadIdx.x;
    if (at >= groups) return;
    Window o(at, h, w, c);
    Floats d = load(dy + o.y);
    u8 position[VECTOR];
#if VECTOR == 4
    uchar4 p = *(const uchar4*)(argmax + o.y);
    position[0] = p.x, position[1] = p.y, position[2] = p.z, position[3] = p.w;
#else
    position[0] = argmax[o.y];
#endif
#pragma unroll
    for (int q = 0; q < 4; q++) {
        if ((q & 1 && !o.right) || (q & 2 && !o.below)) continue;
        Floats part;
#pragma unroll
        for (int i = 0; i < VECTOR; i++) part.v[i] = position[i] == q ? d.v[i] : 0.0f;
        store(dx + o.x + (q & 1) * c + (q >> 1) * w * c, part);
    }
}
