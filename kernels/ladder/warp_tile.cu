// Step 7 of the ladder: no two lanes in one bank. C[m,n] = A[m,k] B[k,n], float32, row-major.
//
// As step 6, but who computes what is chosen for the 32 banks of shared memory. A warp takes a piece of 32 x 64, lane
// (y, x) of 4 x 8 four groups of 4 x 4 elements in it, 16 rows and 32 columns apart:
//
//                 x: 0   1   2  ...  7 | 0   1  ...          a read of b by 8 lanes: 128 bytes in a row, all banks once
//          y 0     4x4 4x4 4x4     4x4 | 4x4 4x4             a read of a by a warp: 4 x 16 bytes, the same for 8 lanes
//          y 1     4x4 ...             |
//          ...     --------------------+----------           In step 6 a lane had 8 columns in a row, and the reads of
//          y 0     4x4                 | 4x4                 4 lanes filled the same banks as those of the next 4.
//
// And the rows of A's turned tile are 4 words longer than needed: without them at[k] and at[k + 4] begin in the same
// bank, and the two lanes that write one row of A meet there.
#include "ladder/ladder.cuh"
static_assert(TILE == 128 && FRAGMENT == 8 && THREADS == 256, "4 x 2 warps of 32 x 64 elements");
static_assert(TILE * STEP == 4 * THREADS && STEP == 8, "a thread brings 4 numbers of each matrix");

extern "C" __global__ void __launch_bounds__(THREADS) ladder_warp_tile(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    __shared__ __align__(16) float at[2][STEP][TILE + 4], bs[2][STEP][TILE];
    int tiles_n = (n + TILE - 1) / TILE;
    int i0 = (int)blockIdx.x / tiles_n * TILE, j0 = (int)blockIdx.x % tiles_n * TILE;
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
    int x = warp % 2 * 64 + lane % 8 * 4, y = warp / 2 * 32 + lane / 8 * 4;
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
                *(float4*)&af[i] = *(const float4*)&at[full][l][y + i * 4];
                *(float4*)&bf[i] = *(const float4*)&bs[full][l][x + i * 8];
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
    for (int i = 0; i < FRAGMENT; i++) {
        int row = i0 + y + i / 4 * 16 + i % 4;
#pragma unroll
        for (int j = 0; j < FRAGMENT; j += 4) {
            int column = j0 + x + j * 8;
            store4(c + (long long)row * n + column, row < m ? n - column : 0, &sum[i][j]);
        }
    }
}
