// Making a batch from the byte dataset in device memory: gather, random deformation, normalisation (src/ops/batch.rs
// has the mathematics and which random word is what).
//
// A block takes some rows of one image. The displacements of the control points those rows need are drawn once into
// shared memory (`controls` rows of them; 0: without the elastic field); then a thread takes a pixel. Coordinates are
// added up in double: the result must not depend on how float rounding falls at a pixel's edge. Latency and the
// random numbers bound this kernel; it is a small part of a step.
#include "number.cuh"

struct Augment {
    float half_turns, scale, shear, shift, elastic;
    int spacing;
};

// (p - mean) / std of the three channels; all three alike where there is one number for all.
struct Normalise {
    float mean[3], inverse_std[3];
};

__device__ __forceinline__ float mean_of(const Normalise& n, int channel) {
    return channel == 0 ? n.mean[0] : channel == 1 ? n.mean[1] : n.mean[2];
}

__device__ __forceinline__ float inverse_std_of(const Normalise& n, int channel) {
    return channel == 0 ? n.inverse_std[0] : channel == 1 ? n.inverse_std[1] : n.inverse_std[2];
}

__device__ __forceinline__ float symmetric(u32 word, float range) { return (2.0f * uniform(word) - 1.0f) * range; }

// Weights of the four control points around t in [0, 1) of a uniform cubic B-spline.
__device__ __forceinline__ void bspline(float t, float (&w)[4]) {
    float t2 = t * t, t3 = t2 * t, s = 1.0f - t;
    w[0] = s * s * s * (1.0f / 6.0f);
    w[1] = (3.0f * t3 - 6.0f * t2 + 4.0f) * (1.0f / 6.0f);
    w[2] = (-3.0f * t3 + 3.0f * t2 + 3.0f * t + 1.0f) * (1.0f / 6.0f);
    w[3] = t3 * (1.0f / 6.0f);
}

__device__ __forceinline__ float2 control(const Augment& a, u64 seed, u64 step, u32 n, u32 k) {
    uint4 words = philox(n, 2 + k / 2, step, PURPOSE_AUGMENT, seed);
    return k % 2 == 0 ? make_float2(symmetric(words.x, a.elastic), symmetric(words.y, a.elastic))
                      : make_float2(symmetric(words.z, a.elastic), symmetric(words.w, a.elastic));
}

__device__ __forceinline__ double pixel_at(const u8* image, int i, int j, int h, int w, int c, int channel) {
    bool inside = i >= 0 && j >= 0 && i < h && j < w;
    return inside ? (double)image[(i * w + j) * c + channel] : 0.0;
}

extern "C" __global__ void __launch_bounds__(GATHER_THREADS) KERNEL(gather)(
    const u8* __restrict__ pixels, const u32* __restrict__ labels, Stored* __restrict__ x, u32* __restrict__ labels_out,
    const Step* __restrict__ step, u64 seed, int h, int w, int c, Normalise normalise, int rows, int augment, Augment a) {
    extern __shared__ float2 displacement[];
    int strips = ceil_div(h, rows), n = (int)blockIdx.x / strips, first = (int)blockIdx.x % strips * rows;
    int count = min_int(rows, h - first) * w;
    u32 index = step->samples()[n];
    const u8* image = pixels + (long long)index * h * w * c;
    Stored* out = x + ((long long)n * h + first) * w * c;
    if (first == 0 && threadIdx.x == 0) labels_out[n] = labels[index];
    if (!augment) {
        for (int at = threadIdx.x; at < count * c; at += GATHER_THREADS) {
            int channel = at % c;
            float pixel = (float)image[first * w * c + at] * (1.0f / 255.0f);
            out[at] = narrow((pixel - mean_of(normalise, channel)) * inverse_std_of(normalise, channel));
        }
        return;
    }
    u64 t = step->step;
    bool elastic = a.elastic > 0.0f;
    int columns = (w - 1) / a.spacing + 4, row0 = first / a.spacing;
    if (elastic) {
        int needed = ((first + count / w - 1) / a.spacing - row0 + 4) * columns;
        for (int k = threadIdx.x; k < needed; k += GATHER_THREADS)
            displacement[k] = control(a, seed, t, n, row0 * columns + k);
        __syncthreads();
    }
    uint4 words = philox(n, 0, t, PURPOSE_AUGMENT, seed), more = philox(n, 1, t, PURPOSE_AUGMENT, seed);
    float sine, cosine;
    sincospif(symmetric(words.x, a.half_turns), &sine, &cosine);
    float inverse = 1.0f / (1.0f + symmetric(words.y, a.scale)), shear = symmetric(words.z, a.shear);
    double m0 = cosine * inverse, m1 = (cosine * shear - sine) * inverse;
    double m2 = sine * inverse, m3 = (sine * shear + cosine) * inverse;
    double shift_x = symmetric(words.w, a.shift), shift_y = symmetric(more.x, a.shift);
    float inverse_spacing = 1.0f / (float)a.spacing;
    double cy = (h - 1) * 0.5, cx = (w - 1) * 0.5;
    for (int at = threadIdx.x; at < count; at += GATHER_THREADS) {
        int i = first + at / w, j = at % w;
        double px = j - cx, py = i - cy;
        double sx = cx + m0 * px + m1 * py + shift_x, sy = cy + m2 * px + m3 * py + shift_y;
        if (elastic) {
            float by[4], bx[4];
            bspline((float)(i % a.spacing) * inverse_spacing, by);
            bspline((float)(j % a.spacing) * inverse_spacing, bx);
#pragma unroll
            for (int p = 0; p < 4; p++)
#pragma unroll
                for (int q = 0; q < 4; q++) {
                    float2 d = displacement[(i / a.spacing - row0 + p) * columns + j / a.spacing + q];
                    double weight = by[p] * bx[q];
                    sx += weight * d.x, sy += weight * d.y;
                }
        }
        double y0 = floor(sy), x0 = floor(sx), fy = sy - y0, fx = sx - x0;
        // Far outside, any place outside does; the conversion to int must not overflow.
        int i0 = (int)fmin(fmax(y0, -2.0), h + 1.0), j0 = (int)fmin(fmax(x0, -2.0), w + 1.0);
        for (int channel = 0; channel < c; channel++) {
            double top = (1.0 - fx) * pixel_at(image, i0, j0, h, w, c, channel) +
                         fx * pixel_at(image, i0, j0 + 1, h, w, c, channel);
            double low = (1.0 - fx) * pixel_at(image, i0 + 1, j0, h, w, c, channel) +
                         fx * pixel_at(image, i0 + 1, j0 + 1, h, w, c, channel);
            double pixel = ((1.0 - fy) * top + fy * low) * (1.0 / 255.0);
            out[at * c + channel] = narrow((float)(pixel - (double)mean_of(normalise, channel)) * inverse_std_of(normalise, channel));
        }
    }
}
