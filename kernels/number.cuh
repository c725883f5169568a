// The precision that a unit is compiled for, and the type in which activations, their gradients and the weights' copy
// lie in memory: `Stored`. Everything else is float: weights themselves, moments, averages, weight gradients, biases,
// partial sums, logits and losses.
//
// PRECISION comes from src/cuda/units.rs as one of the names here (src/ops/view.rs says what each means).
#pragma once
#include "common.cuh"

#define PRECISION_F32 0
#define PRECISION_TF32 1
#define PRECISION_TF32X3 2
#define PRECISION_BF16 3
#define PRECISION_F16 4

#if PRECISION == PRECISION_BF16 || PRECISION == PRECISION_F16
#define HALF_STORED 1

// A number of 16 bits; arithmetic is done with what `widen` makes of it.
struct __align__(2) Stored {
    unsigned short bits;
};
#else
#define HALF_STORED 0
typedef float Stored;
#endif

// Numbers in 16 bytes.
#define STORED_WIDE (16 / (int)sizeof(Stored))

__device__ __forceinline__ float widen(float v) { return v; }

#if HALF_STORED

__device__ __forceinline__ float widen(Stored v) {
#if PRECISION == PRECISION_BF16
    return __uint_as_float((u32)v.bits << 16);
#else
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(v.bits));
    return wide;
#endif
}

// To the nearest, ties to even; beyond the largest number infinity. bfloat16 from sm_80 on.
__device__ __forceinline__ Stored narrow(float v) {
    Stored stored;
#if PRECISION == PRECISION_BF16
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(stored.bits) : "f"(v));
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(stored.bits) : "f"(v));
#endif
    return stored;
}

// Two numbers in a word, the first in its lower half.
__device__ __forceinline__ u32 narrow(float low, float high) {
    u32 word;
#if PRECISION == PRECISION_BF16
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
#elif __CUDA_ARCH__ >= 800
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(high), "f"(low));
#else
    word = (u32)narrow(low).bits | (u32)narrow(high).bits << 16;
#endif
    return word;
}

__device__ __forceinline__ void widen(u32 word, float& low, float& high) {
    low = widen(Stored{(unsigned short)word}), high = widen(Stored{(unsigned short)(word >> 16)});
}

// `v` of what lies at `p`: 4 numbers in an access of 8 bytes, 8 in one of 16, or one.
template <int N>
__device__ __forceinline__ void load(const Stored* __restrict__ p, float (&v)[N]) {
    static_assert(N == 1 || N == 4 || N == 8);
    if constexpr (N == 8) {
        uint4 words = *(const uint4*)p;
        widen(words.x, v[0], v[1]), widen(words.y, v[2], v[3]);
        widen(words.z, v[4], v[5]), widen(words.w, v[6], v[7]);
    } else if constexpr (N == 4) {
        uint2 words = *(const uint2*)p;
        widen(words.x, v[0], v[1]), widen(words.y, v[2], v[3]);
    } else {
        v[0] = widen(*p);
    }
}

template <int N>
__device__ __forceinline__ void store(Stored* p, const float (&v)[N]) {
    static_assert(N == 1 || N == 4 || N == 8);
    if constexpr (N == 8)
        *(uint4*)p = make_uint4(narrow(v[0], v[1]), narrow(v[2], v[3]), narrow(v[4], v[5]), narrow(v[6], v[7]));
    else if constexpr (N == 4)
        *(uint2*)p = make_uint2(narrow(v[0], v[1]), narrow(v[2], v[3]));
    else
        *p = narrow(v[0]);
}

#else

__device__ __forceinline__ Stored narrow(float v) { return v; }

#endif

#if PRECISION == PRECISION_TF32 || PRECISION == PRECISION_TF32X3
// Rounded to the 11 bits of significand of tf32, ties away from zero.
__device__ __forceinline__ u32 round_tf32(float v) {
    u32 rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(v));
    return rounded;
}
#endif

// A factor as products take it.
__device__ __forceinline__ float factor(float v) {
#if PRECISION == PRECISION_TF32
    return __uint_as_float(round_tf32(v));
#else
    return v;
#endif
}

// The same of floats: 4 numbers in an access of 16 bytes, 8 in two, or one.
template <int N>
__device__ __forceinline__ void load(const float* __restrict__ p, float (&v)[N]) {
    static_assert(N == 1 || N % 4 == 0);
    if constexpr (N == 1) {
        v[0] = *p;
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 4) {
            float4 four = *(const float4*)(p + i);
            v[i] = four.x, v[i + 1] = four.y, v[i + 2] = four.z, v[i + 3] = four.w;
        }
    }
}

template <int N>
__device__ __forceinline__ void store(float* p, const float (&v)[N]) {
    static_assert(N == 1 || N % 4 == 0);
    if constexpr (N == 1) {
        *p = v[0];
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 4) *(float4*)(p + i) = make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]);
    }
}
