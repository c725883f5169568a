// Reads and writes of 16 bytes that hold for matrices of any size, for the later steps of the ladder.
#pragma once

// Four numbers from `p` on, of which `left` are inside the matrix; zero for the others. One read where all are inside
// and `p` is on 16 bytes.
__device__ __forceinline__ float4 load4(const float* p, int left) {
    if (left >= 4 && (unsigned long long)p % 16 == 0) return *(const float4*)p;
    return make_float4(left > 0 ? p[0] : 0.0f, left > 1 ? p[1] : 0.0f, left > 2 ? p[2] : 0.0f, left > 3 ? p[3] : 0.0f);
}

// Writes the first `left` of four numbers.
__device__ __forceinline__ void store4(float* p, int left, const float* v) {
    if (left >= 4 && (unsigned long long)p % 16 == 0) {
        *(float4*)p = make_float4(v[0], v[1], v[2], v[3]);
        return;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
        if (i < left) p[i] = v[i];
}
