// Step 3 of the ladder: a block shares what it reads. C[m,n] = A[m,k] B[k,n], float32, row-major.
//
// A block of TILE x TILE threads computes a tile of C of that size, a thread one element. Tiles of A and B are brought
// into shared memory once, TILE of the inner dimension at a time, and every number is used TILE times from there:
//
//              k              n
//          +-------+      +-------+
//        m | A|##| |      | |  |  |      C's tile = sum over the tiles ## of A, times those of B
//          +-------+    k | |##|  |
//                         +-------+
//
// Global memory is read TILE times less often. Now shared memory is the limit: two reads for each multiply-add.
static_assert(THREADS == TILE * TILE && TILE % 32 == 0, "a thread an element, a warp in one row");

extern "C" __global__ void __launch_bounds__(THREADS) ladder_shared_tile(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    __shared__ float as[TILE][TILE], bs[TILE][TILE];
    int tiles_n = (n + TILE - 1) / TILE;
    int x = (int)threadIdx.x % TILE, y = (int)threadIdx.x / TILE;
    int i = (int)blockIdx.x / tiles_n * TILE + y, j = (int)blockIdx.x % tiles_n * TILE + x;
    float sum = 0.0f;
    for (int l0 = 0; l0 < k; l0 += TILE) {
        // What lies outside of the matrices is zero, which adds nothing.
        as[y][x] = i < m && l0 + x < k ? a[(long long)i * k + l0 + x] : 0.0f;
        bs[y][x] = l0 + y < k && j < n ? b[(long long)(l0 + y) * n + j] : 0.0f;
        __syncthreads();
#pragma unroll
        for (int l = 0; l < TILE; l++) sum += as[y][l] * bs[l][x];
        __syncthreads();
    }
    if (i < m && j < n) c[(long long)i * n + j] = sum;
}
