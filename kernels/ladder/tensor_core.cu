// Step 8 of the ladder: tensor cores. C[m,n] = A[m,k] B[k,n], A and B bfloat16, C float32, row-major; sm_80 and newer.
//
// `mma.sync` multiplies 16x16 by 16x8 in one instruction of a warp; step 7 needs 64. The fragments of its operands come
// from shared memory by `ldmatrix`: 8 rows of 16 bytes at a time, lane i naming the place of row i. 6 of them serve 16
// mma, for the 64 x 32 elements that a warp takes.
//
// A row of 16 bytes is a chunk. 8 chunks are read at once if they lie in 8 different groups of 4 banks, but those of 8
// rows and one column lie in few. So chunk c of row r is kept at place c ^ (a few bits of r):
//   B, 256 bytes a row       row 0:  0 1 2 3 4 5 6 7 ...        A, 64 bytes a row    rows 0, 1:  0 1 2 3
//   c ^ (r & 7)              row 1:  1 0 3 2 5 4 7 6 ...        c ^ (r >> 1 & 3)     rows 2, 3:  1 0 3 2
//                            row 2:  2 3 0 1 6 7 4 5 ...                             rows 4, 5:  2 3 0 1
// Three tiles are in shared memory: two on their way by `cp.async`, past the registers, while one is multiplied.
typedef unsigned int u32;
typedef unsigned short bf16;
static_assert(TILE == 128 && STEP == 32 && THREADS == 256 && STAGES == 3, "2 x 4 warps of 64 x 32 elements");
#define STAGE (TILE * STEP)  // elements of a tile of A, and of one of B; A's stages come first

#if __CUDA_ARCH__ >= 800
// Brings a chunk of 8 numbers, zeros beyond the `left` inside the matrix. WIDE: at once, because it is all or none.
template <bool WIDE>
__device__ __forceinline__ void fetch8(bf16* to, const bf16* from, int left) {
    u32 at = (u32)__cvta_generic_to_shared(to), bytes = left > 0 ? 16 : 0;
    if (WIDE) asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes) : "memory");
    else for (int i = 0; i < 8; i++) to[i] = i < left ? from[i] : (bf16)0;
}

#define LDMATRIX(kind, to, at)                                                                     \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" kind ".shared.b16 {%0, %1, %2, %3}, [%4];"        \
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(at) : "memory")

template <bool WIDE>
__device__ __forceinline__ void product(const bf16* a, const bf16* b, float* c, int m, int n, int k, bf16* shared) {
    int tiles_n = (n + TILE - 1) / TILE, i0 = (int)blockIdx.x / tiles_n * TILE, j0 = (int)blockIdx.x % tiles_n * TILE;
    int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, y = warp / 4 * 64, x = warp % 4 * 32;
    // A thread brings two chunks of A, 64 rows apart, and two of B, 16 rows apart: from here, to there.
    int r = (int)threadIdx.x / 4, q = (int)threadIdx.x % 4, l = (int)threadIdx.x / 16, s = (int)threadIdx.x % 16;
    const bf16 *from_a = a + (long long)(i0 + r) * k + q * 8, *from_b = b + (long long)l * n + j0 + s * 8;
    bf16 *to_a = shared + r * STEP + (q ^ (r >> 1 & 3)) * 8;
    bf16 *to_b = shared + STAGES * STAGE + l * TILE + (s ^ (l & 7)) * 8;
    auto fetch = [&](int stage, int l0) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
            int in_a = i0 + r + i * 64 < m ? k - l0 - q * 8 : 0, in_b = l0 + l + i * 16 < k ? n - j0 - s * 8 : 0;
            fetch8<WIDE>(to_a + stage * STAGE + i * 64 * STEP, from_a + l0 + i * 64ll * k, in_a);
            fetch8<WIDE>(to_b + stage * STAGE + i * 16 * TILE, from_b + (l0 + i * 16ll) * n, in_b);
        }
        asm volatile("cp.async.commit_group;" ::: "memory");
    };
    // Where this lane's rows for ldmatrix begin: lanes 16 to 31 take the next chunk.
    u32 base = (u32)__cvta_generic_to_shared(shared), at_a[2], at_b[2], row = lane % 16, next = lane / 16;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        at_a[h] = base + 2 * ((y + row) * STEP + ((2 * h + next) ^ (row >> 1 & 3)) * 8);
        at_b[h] = base + 2 * (STAGES * STAGE + row * TILE + ((x / 8 + 2 * h + next) ^ (row & 7)) * 8);
    }
    float sum[4][4][4] = {};
    fetch(0, 0), fetch(1, STEP);
    for (int l0 = 0, full = 0; l0 < k; l0 += STEP, full = full == STAGES - 1 ? 0 : full + 1) {
        asm volatile("cp.async.wait_group 1;" ::: "memory");
        __syncthreads();
        fetch(full == 0 ? STAGES - 1 : full - 1, l0 + 2 * STEP);
#pragma unroll
        for (int h = 0; h < 2; h++) {
            u32 af[4][4], bf[2][4];
#pragma unroll
            for (int i = 0; i < 4; i++) LDMATRIX("", af[i], at_a[h] + 2 * full * STAGE + i * 2 * 16 * STEP);
#pragma unroll
            for (int j = 0; j < 2; j++) LDMATRIX(".trans", bf[j], at_b[j] + 2 * full * STAGE + h * 2 * 16 * TILE);
#pragma unroll
            for (int t = 0; t < 16; t++) {
                float* d = sum[t / 4][t % 4];
                u32 *e = af[t / 4], *f = &bf[t % 4 / 2][t % 2 * 2];
                asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
                    "{%8, %9}, {%0, %1, %2, %3};" : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                    : "r"(e[0]), "r"(e[1]), "r"(e[2]), "r"(e[3]), "r"(f[0]), "r"(f[1]));
            }
        }
    }
    // Lane l has columns 2 (l % 4) and the next of rows l / 4 and l / 4 + 8 of each 16 x 8.
#pragma unroll
    for (int t = 0; t < 32; t++) {
        int i = i0 + y + t / 8 * 16 + lane / 4 + t % 2 * 8, j = j0 + x + t / 2 % 4 * 8 + lane % 4 * 2;
        const float* d = &sum[t / 8][t / 2 % 4][t % 2 * 2];
        float* to = c + (long long)i * n + j;
        if (WIDE && i < m && j < n) *(float2*)to = make_float2(d[0], d[1]);
        if (!WIDE && i < m && j < n) to[0] = d[0];
        if (!WIDE && i < m && j + 1 < n) to[1] = d[1];
    }
}
#endif

extern "C" __global__ void __launch_bounds__(THREADS) ladder_tensor_core(
    const bf16* __restrict__ a, const bf16* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
#if __CUDA_ARCH__ >= 800
    __shared__ __align__(128) bf16 shared[2 * STAGES * STAGE];
    if (k % 8 == 0 && n % 8 == 0) product<true>(a, b, c, m, n, k, shared);
    else product<false>(a, b, c, m, n, k, shared);
#endif
}
