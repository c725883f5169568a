// Step 5 of the ladder: 16 bytes at a time. C[m,n] = A[m,k] B[k,n], float32, row-major.
//
// As step 4, but global memory and shared memory are read four numbers at once: a quarter of the instructions for the
// same bytes. A fragment of B lies in a row of shared memory as it is. One of A would lie in a column; so A's tile is
// turned over while it is written, [k][m] instead of [m][k]:
//
//   global a, row i:  k k+1 k+2 k+3   one read        shared at[k  ][i]
//                                                           at[k+1][i]
//                                     four writes           at[k+2][i]
//                                                           at[k+3][i]
//
// Per step of k a thread reads 4 x 16 bytes for 64 multiply-adds.
#include "ladder/ladder.cuh"
static_assert(TILE == 16 * FRAGMENT && FRAGMENT == 8 && THREADS == 256, "16 x 16 threads, two reads a fragment");
static_assert(TILE * STEP == 4 * THREADS, "a thread brings 4 numbers of each matrix");

extern "C" __global__ void __launch_bounds__(THREADS) ladder_wide_reads(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    __shared__ __align__(16) float at[STEP][TILE], bs[STEP][TILE];
    int tiles_n = (n + TILE - 1) / TILE;
    int i0 = (int)blockIdx.x / tiles_n * TILE, j0 = (int)blockIdx.x % tiles_n * TILE;
    int x = (int)threadIdx.x % 16 * FRAGMENT, y = (int)threadIdx.x / 16 * FRAGMENT;
    // The row and columns of A's tile that this thread brings, and those of B's.
    int ai = (int)threadIdx.x / (STEP / 4), al = (int)threadIdx.x % (STEP / 4) * 4;
    int bl = (int)threadIdx.x / (TILE / 4), bj = (int)threadIdx.x % (TILE / 4) * 4;
    float sum[FRAGMENT][FRAGMENT] = {};
    for (int l0 = 0; l0 < k; l0 += STEP) {
        float4 v = load4(a + (long long)(i0 + ai) * k + l0 + al, i0 + ai < m ? k - l0 - al : 0);
        at[al][ai] = v.x, at[al + 1][ai] = v.y, at[al + 2][ai] = v.z, at[al + 3][ai] = v.w;
        *(float4*)&bs[bl][bj] = load4(b + (long long)(l0 + bl) * n + j0 + bj, l0 + bl < k ? n - j0 - bj : 0);
        __syncthreads();
#pragma unroll
        for (int l = 0; l < STEP; l++) {
            float af[FRAGMENT], bf[FRAGMENT];
#pragma unroll
            for (int i = 0; i < FRAGMENT; i += 4) {
                *(float4*)&af[i] = *(const float4*)&at[l][y + i];
                *(float4*)&bf[i] = *(const float4*)&bs[l][x + i];
            }
#pragma unroll
            for (int i = 0; i < FRAGMENT; i++)
#pragma unroll
                for (int j = 0; j < FRAGMENT; j++) sum[i][j] += af[i] * bf[j];
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < FRAGMENT; i++)
#pragma unroll
        for (int j = 0; j < FRAGMENT; j += 4)
            store4(c + (long long)(i0 + y + i) * n + j0 + x + j, i0 + y + i < m ? n - j0 - x - j : 0, &sum[i][j]);
}
