// Step 6 of the ladder: two tiles in turn. C[m,n] = A[m,k] B[k,n], float32, row-major.
//
// As step 5, but the next tile is on its way while the present one is multiplied. It waits in registers, and is written
// into the other of two buffers; one barrier a tile is enough, because nobody reads the buffer that is being written:
//
//   step 5   read tile | barrier | multiply | barrier | read tile | barrier | multiply ...
//   here     read tile 1, multiply tile 0 | write tile 1 | barrier | read tile 2, multiply tile 1 | ...
//
// The time that global memory takes, some 500 cycles, is hidden behind the multiplications of the same thread, and does
// not depend on other blocks being there to fill it.
#include "ladder/ladder.cuh"
static_assert(TILE == 16 * FRAGMENT && FRAGMENT == 8 && THREADS == 256, "16 x 16 threads, two reads a fragment");
static_assert(TILE * STEP == 4 * THREADS, "a thread brings 4 numbers of each matrix");

extern "C" __global__ void __launch_bounds__(THREADS) ladder_double_buffer(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    __shared__ __align__(16) float at[2][STEP][TILE], bs[2][STEP][TILE];
    int tiles_n = (n + TILE - 1) / TILE;
    int i0 = (int)blockIdx.x / tiles_n * TILE, j0 = (int)blockIdx.x % tiles_n * TILE;
    int x = (int)threadIdx.x % 16 * FRAGMENT, y = (int)threadIdx.x / 16 * FRAGMENT;
    int ai = (int)threadIdx.x / (STEP / 4), al = (int)threadIdx.x % (STEP / 4) * 4;
    int bl = (int)threadIdx.x / (TILE / 4), bj = (int)threadIdx.x % (TILE / 4) * 4;
    float4 next_a, next_b;
    auto fetch = [&](int l0) {
        next_a = load4(a + (long long)(i0 + ai) * k + l0 + al, i0 + ai < m ? k - l0 - al : 0);
        next_b = load4(b + (long long)(l0 + bl) * n + j0 + bj, l0 + bl < k ? n - j0 - bj : 0);
    };
    auto deposit = [&](int to) {
        float4 v = next_a;
        at[to][al][ai] = v.x, at[to][al + 1][ai] = v.y, at[to][al + 2][ai] = v.z, at[to][al + 3][ai] = v.w;
        *(float4*)&bs[to][bl][bj] = next_b;
    };
    float sum[FRAGMENT][FRAGMENT] = {};
    fetch(0);
    deposit(0);
    __syncthreads();
    for (int l0 = 0, full = 0; l0 < k; l0 += STEP, full ^= 1) {
        bool more = l0 + STEP < k;
        if (more) fetch(l0 + STEP);
#pragma unroll
        for (int l = 0; l < STEP; l++) {
            float af[FRAGMENT], bf[FRAGMENT];
#pragma unroll
            for (int i = 0; i < FRAGMENT; i += 4) {
                *(float4*)&af[i] = *(const float4*)&at[full][l][y + i];
                *(float4*)&bf[i] = *(const float4*)&bs[full][l][x + i];
            }
#pragma unroll
            for (int i = 0; i < FRAGMENT; i++)
#pragma unroll
                for (int j = 0; j < FRAGMENT; j++) sum[i][j] += af[i] * bf[j];
        }
        if (more) deposit(full ^ 1);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < FRAGMENT; i++)
#pragma unroll
        for (int j = 0; j < FRAGMENT; j += 4)
            store4(c + (long long)(i0 + y + i) * n + j0 + x + j, i0 + y + i < m ? n - j0 - x - j : 0, &sum[i][j]);
}
