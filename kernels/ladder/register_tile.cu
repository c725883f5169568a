// Step 4 of the ladder: a thread computes 8 x 8 elements. C[m,n] = A[m,k] B[k,n], float32, row-major.
//
// A block of 16 x 16 threads computes TILE x TILE elements, a thread FRAGMENT x FRAGMENT of them in registers. For each
// step of k it reads FRAGMENT numbers of A and as many of B, and multiplies each with each:
//
//              b0 b1 ... b7
//          a0   *  *      *
//          a1   *  *      *       16 reads of shared memory for 64 multiply-adds: 4 each, where step 3 has 1/2
//          ..
//          a7   *  *      *
//
// The reads are still one number each, and they collide: lanes read b at a distance of 8 words, so that 4 lanes at a
// time hit the same bank of shared memory (there are 32 banks of one word).
static_assert(TILE == 16 * FRAGMENT && THREADS == 256, "16 x 16 threads");

extern "C" __global__ void __launch_bounds__(THREADS) ladder_register_tile(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    __shared__ float as[TILE][STEP], bs[STEP][TILE];
    int tiles_n = (n + TILE - 1) / TILE;
    int i0 = (int)blockIdx.x / tiles_n * TILE, j0 = (int)blockIdx.x % tiles_n * TILE;
    int x = (int)threadIdx.x % 16 * FRAGMENT, y = (int)threadIdx.x / 16 * FRAGMENT;
    float sum[FRAGMENT][FRAGMENT] = {};
    for (int l0 = 0; l0 < k; l0 += STEP) {
        for (int p = threadIdx.x; p < TILE * STEP; p += THREADS) {
            int i = p / STEP, l = p % STEP;
            as[i][l] = i0 + i < m && l0 + l < k ? a[(long long)(i0 + i) * k + l0 + l] : 0.0f;
            l = p / TILE;
            int j = p % TILE;
            bs[l][j] = l0 + l < k && j0 + j < n ? b[(long long)(l0 + l) * n + j0 + j] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int l = 0; l < STEP; l++) {
            float af[FRAGMENT], bf[FRAGMENT];
#pragma unroll
            for (int i = 0; i < FRAGMENT; i++) af[i] = as[y + i][l], bf[i] = bs[l][x + i];
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
        for (int j = 0; j < FRAGMENT; j++)
            if (i0 + y + i < m && j0 + x + j < n) c[(long long)(i0 + y + i) * n + j0 + x + j] = sum[i][j];
}
