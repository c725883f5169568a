// A tile multiplied by tensor cores: `mma.sync` on fragments that `ldmatrix` takes from shared memory (`product.cuh`
// has what is around it). Sums are float32; factors are
//   bf16, f16   as they are stored: 16x16 by 16x8 in an instruction, on sm_75 in two of half the depth
//   tf32        float32 rounded to 11 bits of significand: 16x8 by 8x8 in an instruction
//   tf32x3      float32 as the sum of two such numbers, x = big + small: small big' + big small' + big big', three
//               instructions; small small' is below float32's last place (infinities become NaN: big - big)
//
// A row of 16 bytes, a chunk, is what ldmatrix reads for each lane: 8 numbers of 16 bits, or 4 of 32. In terms of
// chunks all types are alike: a step of k is 2 chunks, a tile of k 4. The chunks of 8 rows must lie in 8 different
// groups of 4 banks, to be read at once; so chunk c of row r is kept at place c ^ (a few bits of r), without padding:
//   INNER  [extent][4 chunks]             c ^ (r >> 1 & 3)     rows 0, 1:  0 1 2 3    rows 2, 3:  1 0 3 2    ...
//   OUTER  [TILE_K][chunks of the extent]  16 bits: c ^ (k & 7), read by ldmatrix.trans
//                                          32 bits: c ^ 2 (k & 3), a number a lane: ldmatrix transposes 16 bits only
// For OUTER 32 bits, a warp reads 8 neighbours of 4 rows k, and 2 (k & 3) moves each row's 8 banks beside the others'.
//
// Tensor cores bound this loop for large tiles. A warp of 64x64 reads 16 bytes of shared memory for 512 multiply-adds.
#pragma once

static_assert(TILE_K * (HALF_STORED ? 2 : 4) == 64, "4 chunks");
static_assert(THREAD_M % 2 == 0 && THREAD_N % 4 == 0, "a warp takes 16x16 at a time");

// Registers are there for this many threads; more blocks than fill them would be of no use. tf32x3 has sums of a step
// beside the others.
#define RESIDENT(threads) ((THREAD_M * THREAD_N >= 64 ? 256 : PRECISION == PRECISION_TF32X3 ? 384 : 512) / THREADS)
#define RESIDENT_OUTER RESIDENT(0)

// FACTOR 0 is A, 1 is B.
template <int FACTOR, int LAYOUT, int EXTENT>
struct Operand {
    // Numbers in a chunk, in a row, and of the tile.
    static constexpr int CHUNK = STORED_WIDE;
    static constexpr int PITCH = LAYOUT == INNER ? TILE_K : EXTENT;
    static constexpr int SIZE = EXTENT * TILE_K;
    // Pieces of VECTOR numbers that one thread copies per tile.
    static constexpr int PIECES = EXTENT * TILE_K / (VECTOR * THREADS);
    // Lanes that copy a row.
    static constexpr int LANES = LAYOUT == INNER ? TILE_K / VECTOR : THREADS / TILE_K;
    static_assert(PIECES * VECTOR * THREADS == EXTENT * TILE_K, "every thread copies the same number of pieces");
    static_assert(THREADS % LANES == 0 && (LAYOUT == INNER || LANES * PIECES * VECTOR == EXTENT), "whole rows");
    static_assert(THREADS / LANES % 8 == 0 && (LAYOUT == INNER || LANES * VECTOR % CHUNK == 0), "see place");

    // Position of this thread's piece `i` in the tile: along the outer dimension and along k. INNER, a thread has one
    // chunk of several rows; OUTER, several pieces of one row, so that a loader finds one row a tile.
    static __device__ __forceinline__ int outer(int i) { return LAYOUT == INNER ? row(i) : column(i); }
    static __device__ __forceinline__ int inner(int i) { return LAYOUT == INNER ? column(i) : row(i); }
    // The piece's place in shared memory, in numbers: those of a thread differ by what is known when this is compiled,
    // but for a bit of the chunk's number that `turn` may have changed.
    static __device__ __forceinline__ int place(int i) {
        int chunk = column(0) / CHUNK ^ turn(row(0)), next = LAYOUT == INNER ? 0 : i * (LANES * VECTOR / CHUNK);
        int at = row(0) * PITCH + (chunk ^ (next & 7)) * CHUNK + column(0) % CHUNK;
        return at + (LAYOUT == INNER ? i * (THREADS / LANES) * PITCH : (next & ~7) * CHUNK);
    }
    // Numbers between two pieces of a thread in a matrix with rows of `stride` numbers.
    static __device__ __forceinline__ int between(int stride) {
        return LAYOUT == INNER ? THREADS / LANES * stride : LANES * VECTOR;
    }
    // What the chunks of a row are moved by.
    static __device__ __forceinline__ int turn(int row) {
        return LAYOUT == INNER ? row >> 1 & 3 : HALF_STORED ? row & 7 : 2 * (row & 3);
    }
    // OUTER, 8 lanes write 4 chunks of two rows at once. Those of rows 0 and 1 would collide, those of rows 0 and 4 do
    // not: turn(4) moves them beside. So each group of 8 rows is dealt out in the order 0 4 1 5 2 6 3 7.
    static __device__ __forceinline__ int row(int i) {
        int row = (int)threadIdx.x / LANES;
        if (LAYOUT == OUTER) return (row & ~7) + (row >> 1 & 3) + (row & 1) * 4;
        return row + i * (THREADS / LANES);
    }
    static __device__ __forceinline__ int column(int i) {
        return (int)threadIdx.x % LANES * VECTOR + (LAYOUT == OUTER ? i * LANES * VECTOR : 0);
    }

    // mma wants the registers of a factor side by side: of 16 rows of A first the halves of the rows, then those of the
    // step of k; of 16 columns of B first those of the step.
    static constexpr bool ROWS_FIRST = FACTOR == 0;

    // Where this lane's reads of the rows or columns from `first` on begin in shared memory, in bytes. Lanes 8 to 15
    // name the places of the second matrix, 16 to 23 of the third, 24 to 31 of the fourth.
    static __device__ __forceinline__ u32 start(u32 tile, int first) {
        int lane = (int)threadIdx.x % 32, second = lane / 8 % 2, third = lane / 16;
        int half = ROWS_FIRST ? second : third, half_k = ROWS_FIRST ? third : second, at;
        if (LAYOUT == INNER)
            at = (first + 8 * half + lane % 8) * PITCH + (half_k ^ turn(lane % 8)) * CHUNK;
        else if (HALF_STORED)
            at = (8 * half_k + lane % 8) * PITCH + ((first / CHUNK + half) ^ turn(lane % 8)) * CHUNK;
        else
            at = lane % 4 * PITCH + ((first / CHUNK + lane / 16) ^ turn(lane % 4)) * CHUNK + lane / 4 % 4;
        return tile + (u32)sizeof(Stored) * at;
    }
    // Numbers [16 i, 16 i + 16) of the warp's rows or columns and the k of a step, as four matrices of 8 and half a
    // step. Chunks are counted by the bits of an address: `start` is aligned so.
    static __device__ __forceinline__ void read(u32 start, int i, int step, u32 (&f)[4]) {
        constexpr u32 ROW = PITCH * sizeof(Stored);
        if constexpr (LAYOUT == INNER) {
            u32 at = (start ^ 32 * step) + 16 * i * ROW;
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
        } else if constexpr (HALF_STORED) {
            u32 at = (start ^ 32 * i) + 16 * step * ROW;
            asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                         : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3]) : "r"(at) : "memory");
        } else {
#pragma unroll
            for (int r = 0; r < 4; r++) {
                int half = ROWS_FIRST ? r % 2 : r / 2, half_k = ROWS_FIRST ? r / 2 : r % 2;
                u32 at = (start ^ (64 * i + 32 * half)) + (8 * step + 4 * half_k) * ROW;
                asm volatile("ld.shared.u32 %0, [%1];" : "=r"(f[r]) : "r"(at) : "memory");
            }
        }
    }
};

// d += a b: 16 rows, 8 columns, a step of k. `a` are the matrices of 16 rows, `b0`, `b1` those of 8 columns.
__device__ __forceinline__ void mma(float& d0, float& d1, float& d2, float& d3, const u32 (&a)[4], u32 b0, u32 b1) {
#if PRECISION == PRECISION_BF16
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#elif PRECISION == PRECISION_F16 && __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#elif PRECISION == PRECISION_F16
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(a[0]), "r"(a[1]), "r"(b0));
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(a[2]), "r"(a[3]), "r"(b1));
#else
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3) : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

// A thread's rows and columns of the block's tile. mma leaves in lane 4 g + t the columns 2t and 2t + 1 of rows g and
// g + 8 of each 16x8; `finish` brings four neighbouring columns together.
template <int A_LAYOUT, int B_LAYOUT>
struct Fragment {
    using A = Operand<0, A_LAYOUT, TILE_M>;
    using B = Operand<1, B_LAYOUT, TILE_N>;
    static constexpr int WARP_M = 8 * THREAD_M, WARP_N = 4 * THREAD_N;
    static constexpr int WARPS_M = TILE_M / WARP_M;
    // Whether a thread's columns come in fours.
    static constexpr bool FOURS = true;
    static_assert(WARPS_M * WARP_M == TILE_M && TILE_N % WARP_N == 0, "whole warps tile the block");
    static_assert(WARP_M <= 64 && WARP_N <= 64, "chunks are counted by the bits of an address");

    static __device__ __forceinline__ int warp_row() { return (int)threadIdx.x / 32 % WARPS_M * WARP_M; }
    static __device__ __forceinline__ int warp_column() { return (int)threadIdx.x / 32 / WARPS_M * WARP_N; }
    static __device__ __forceinline__ int row(int i) {
        return warp_row() + i / 2 * 16 + i % 2 * 8 + (int)threadIdx.x % 32 / 4;
    }
    static __device__ __forceinline__ int column(int j) {
        int t = (int)threadIdx.x % 4;
        return warp_column() + j / 4 * 16 + t % 2 * 8 + t / 2 * 4 + j % 4;
    }

    // Steps of a tile's multiplication.
    static constexpr int STEPS = 2;

    // acc += the product of two operands' tiles in shared memory; `after(step)` is called behind each step.
    template <class After>
    static __device__ __forceinline__ void multiply(const Stored* a, const Stored* b, Sums& acc, After after) {
        u32 at_a = A::start(shared_address(a), warp_row()), at_b = B::start(shared_address(b), warp_column());
#pragma unroll
        for (int step = 0; step < STEPS; step++) {
#if PRECISION != PRECISION_TF32X3
            u32 fa[THREAD_M / 2][4];
#pragma unroll
            for (int i = 0; i < THREAD_M / 2; i++) A::read(at_a, i, step, fa[i]);
#endif
            u32 fb[THREAD_N / 4][4];
#pragma unroll
            for (int j = 0; j < THREAD_N / 4; j++) B::read(at_b, j, step, fb[j]);
#if PRECISION == PRECISION_TF32X3
            u32 small_b[THREAD_N / 4][4];
            split(fb, small_b);
            // Rows by sixteens: all at once would need more registers than there are.
#pragma unroll
            for (int i = 0; i < THREAD_M / 2; i++) {
                u32 fa[1][4], small_a[1][4];
                A::read(at_a, i, step, fa[0]);
                split(fa, small_a);
                // Tensor cores cut a sum where an addition rounds it: each step has one of its own, and then is added.
                float sum[2][THREAD_N] = {};
                multiply(small_a, fb, sum), multiply(fa, small_b, sum), multiply(fa, fb, sum);
#pragma unroll
                for (int j = 0; j < THREAD_N; j++) acc[2 * i][j] += sum[0][j], acc[2 * i + 1][j] += sum[1][j];
            }
#else
#if PRECISION == PRECISION_TF32
            round(fa), round(fb);
#endif
            multiply(fa, fb, acc);
#endif
            after(step);
        }
    }
    // sum += the products of so many rows' factors.
    template <int N>
    static __device__ __forceinline__ void multiply(
        const u32 (&a)[N][4], const u32 (&b)[THREAD_N / 4][4], float (&sum)[2 * N][THREAD_N]) {
#pragma unroll
        for (int i = 0; i < 2 * N; i += 2)
#pragma unroll
            for (int j = 0; j < THREAD_N; j += 2)
                mma(sum[i][j], sum[i][j + 1], sum[i + 1][j], sum[i + 1][j + 1], a[i / 2], b[j / 4][j % 4],
                    b[j / 4][j % 4 + 1]);
    }

#if !HALF_STORED
    // Numbers rounded to tf32, and what is left of them.
    template <int N>
    static __device__ __forceinline__ void round(u32 (&f)[N][4]) {
#pragma unroll
        for (int i = 0; i < N; i++)
#pragma unroll
            for (int r = 0; r < 4; r++) f[i][r] = round_tf32(__uint_as_float(f[i][r]));
    }
    template <int N>
    static __device__ __forceinline__ void split(u32 (&f)[N][4], u32 (&small)[N][4]) {
#pragma unroll
        for (int i = 0; i < N; i++)
#pragma unroll
            for (int r = 0; r < 4; r++) {
                float x = __uint_as_float(f[i][r]);
                f[i][r] = round_tf32(x);
                small[i][r] = round_tf32(x - __uint_as_float(f[i][r]));
            }
    }
#endif

    // Lanes 2s and 2s + 1 have columns 4s to 4s + 3 of two 8 columns: the first takes those of the one, the second
    // those of the other.
    static __device__ __forceinline__ void finish(Sums& acc) {
        bool odd = threadIdx.x % 2;
#pragma unroll
        for (int i = 0; i < THREAD_M; i++)
#pragma unroll
            for (int j = 0; j < THREAD_N; j += 4) {
                float* v = &acc[i][j];
                float x = __shfl_xor_sync(FULL_WARP, odd ? v[0] : v[2], 1);
                float y = __shfl_xor_sync(FULL_WARP, odd ? v[1] : v[3], 1);
                if (odd)
                    v[0] = x, v[1] = y;
                else
                    v[2] = x, v[3] = y;
            }
    }

#if HALF_STORED
    // Stores a row of the fragment, 16 bytes at once: in the same way lanes t and t + 2 bring eight neighbouring
    // columns together. `row` is -1 where there is none.
    static __device__ __forceinline__ void store_eights(
        const float (&v)[THREAD_N / 4][4], Stored* out, int row, int column0, int columns) {
        bool upper = threadIdx.x / 2 % 2;
#pragma unroll
        for (int j = 0; j < THREAD_N / 4; j += 2) {
            uint2 first = make_uint2(narrow(v[j][0], v[j][1]), narrow(v[j][2], v[j][3]));
            uint2 second = make_uint2(narrow(v[j + 1][0], v[j + 1][1]), narrow(v[j + 1][2], v[j + 1][3]));
            u32 x = __shfl_xor_sync(FULL_WARP, upper ? first.x : second.x, 2);
            u32 y = __shfl_xor_sync(FULL_WARP, upper ? first.y : second.y, 2);
            int column = column0 + warp_column() + (4 * j + (upper ? 4 : 0)) * 4 + (int)threadIdx.x % 2 * 8;
            if (row < 0 || column >= columns) continue;
            *(uint4*)(out + row + column) =
                upper ? make_uint4(x, y, second.x, second.y) : make_uint4(first.x, first.y, x, y);
        }
    }
#endif
};
