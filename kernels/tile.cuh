// A tile multiplied with float32 multiply-adds: each thread takes fragments of both operands from shared memory into
// registers and multiplies them (`product.cuh` has what is around it).
//
//   INNER  k is contiguous: [extent][TILE_K + 4], fragments are read 4 k at a time
//   OUTER  m (or n) is:     [TILE_K][extent],     fragments are read 4 m at a time
// Either way a thread needs (THREAD_M + THREAD_N) / 4 16-byte reads for the THREAD_M THREAD_N multiply-adds of one k.
//
// Shared memory has 32 banks of one word, and serves 8 lanes of 16 bytes at a time if they touch 8 different groups of
// 4 banks. An INNER row has 16 words and 4 words of padding, so that row r begins in bank 20 r mod 32:
//   row          0   1   2   3   4   5   6   7
//   first bank   0  20   8  28  16   4  24  12      8 lanes that read 4 k of 8 rows: 8 different groups
//
// Arithmetic bounds this loop: 2 TILE_M TILE_N flops for 4 (TILE_M + TILE_N) bytes and k.
#pragma once

// Blocks that a multiprocessor must have room for: as many as leave each thread the registers that its fragments need.
#define RESIDENT(threads) ((threads) / THREADS)
// The same of the kernels whose operands both have rows along the result, which need the fewest: two blocks of 128x128
// by threads of 128 registers, from sm_80 to sm_90. Before, the next tile waits in registers, and they would spill; from
// sm_100 on too.
#define RESIDENT_OUTER RESIDENT(TILE_N == 128 && __CUDA_ARCH__ >= 800 && __CUDA_ARCH__ < 1000 ? 512 : 384)

static_assert(TILE_K % 8 == 0 && THREAD_M % 4 == 0 && THREAD_N % 4 == 0, "fragments are read 4 wide");

template <int FACTOR, int LAYOUT, int EXTENT>
struct Operand {
    static constexpr int PITCH = LAYOUT == INNER ? TILE_K + 4 : EXTENT;
    // Floats of a tile.
    static constexpr int SIZE = LAYOUT == INNER ? EXTENT * PITCH : TILE_K * EXTENT;
    // Pieces of VECTOR floats that one thread copies per tile.
    static constexpr int PIECES = EXTENT * TILE_K / (VECTOR * THREADS);
    static constexpr int ACROSS = (LAYOUT == INNER ? TILE_K : EXTENT) / VECTOR;
    static_assert(PIECES * VECTOR * THREADS == EXTENT * TILE_K, "every thread copies the same number of pieces");
    static_assert(THREADS % ACROSS == 0, "a thread stays in its column of pieces");
    static_assert(LAYOUT == OUTER || THREADS / ACROSS % 8 == 0, "rows are dealt out in eights");
    static_assert(TILE_K == 16, "4 or 16 lanes a row, and rows of 20 words: the places of banks are counted for these");

    // Position of this thread's piece `i` in the tile: along the outer dimension and along k.
    //
    // INNER: 4 lanes fill a row, 8 lanes write two rows at once. Rows 0 and 1 would collide, rows 0 and 4 do not:
    //   row 0   banks  0 to 15
    //   row 1   banks 20 to 31 and 0 to 3        hits row 0 in banks 0 to 3
    //   row 4   banks 16 to 31                   the other half
    // So each group of 8 rows is dealt out in the order 0 4 1 5 2 6 3 7:
    //   lanes   0-3  4-7  8-11  12-15  16-19  20-23  24-27  28-31
    //   row      0    4     1      5      2      6      3      7
    static __device__ __forceinline__ int outer(int i) {
        int row = (int)threadIdx.x / ACROSS;
        return LAYOUT == INNER ? (row & ~7) + (row >> 1 & 3) + (row & 1) * 4 + i * (THREADS / ACROSS)
                               : (int)threadIdx.x % ACROSS * VECTOR;
    }
    static __device__ __forceinline__ int inner(int i) {
        return LAYOUT == INNER ? (int)threadIdx.x % ACROSS * VECTOR
                               : (int)threadIdx.x / ACROSS + i * (THREADS / ACROSS);
    }
    // Floats between two pieces of a thread in a matrix with rows of `stride` floats.
    static __device__ __forceinline__ int between(int stride) { return THREADS / ACROSS * stride; }
    // The piece's place in shared memory, in floats.
    static __device__ __forceinline__ int place(int i) {
        return LAYOUT == INNER ? outer(i) * PITCH + inner(i) : inner(i) * PITCH + outer(i);
    }
};

// Which rows and columns of the block's tile a thread computes. Stores of one row by the lanes of a warp fill whole
// 32-byte sectors in both layouts of B. Rows of the first lanes, for THREAD_M = 8 and 8 lanes along m (columns alike):
//   INNER  lane 0: 0 8 16 24 32 40 48 56          one row in 8, so that lanes read neighbouring rows of [row][k]
//          lane 1: 1 9 17 25 33 41 49 57
//   OUTER  lane 0: 0 1 2 3   32 33 34 35          four in a row, so that one read of 16 bytes brings four of [k][row]
//          lane 1: 4 5 6 7   36 37 38 39
template <int A_LAYOUT, int B_LAYOUT>
struct Fragment {
    static constexpr int LANES_N = B_LAYOUT == OUTER ? 4 : 8;
    static constexpr int LANES_M = 32 / LANES_N;
    static constexpr int WARP_M = LANES_M * THREAD_M;
    static constexpr int WARP_N = LANES_N * THREAD_N;
    static constexpr int WARPS_M = TILE_M / WARP_M;
    static_assert(WARPS_M * WARP_M == TILE_M && TILE_N % WARP_N == 0, "whole warps tile the block");

    static __device__ __forceinline__ int first_row() {
        int warp_m = (int)threadIdx.x / 32 % WARPS_M, lane_m = (int)threadIdx.x % LANES_M;
        return warp_m * WARP_M + (A_LAYOUT == OUTER ? 4 * lane_m : lane_m);
    }
    static __device__ __forceinline__ int first_column() {
        int warp_n = (int)threadIdx.x / 32 / WARPS_M, lane_n = (int)threadIdx.x % 32 / LANES_M;
        return warp_n * WARP_N + (B_LAYOUT == OUTER ? 4 * lane_n : lane_n);
    }
    static __device__ __forceinline__ int row_step(int i) {
        return A_LAYOUT == OUTER ? i / 4 * 4 * LANES_M + i % 4 : i * LANES_M;
    }
    static __device__ __forceinline__ int column_step(int j) {
        return B_LAYOUT == OUTER ? j / 4 * 4 * LANES_N + j % 4 : j * LANES_N;
    }
    static __device__ __forceinline__ int row(int i) { return first_row() + row_step(i); }
    static __device__ __forceinline__ int column(int j) { return first_column() + column_step(j); }
    // Whether a thread's columns come in fours.
    static constexpr bool FOURS = B_LAYOUT == OUTER;

    // Steps of a tile's multiplication.
    static constexpr int STEPS = TILE_K;

    // acc += the product of two operands' tiles in shared memory; `after(step)` is called behind each step.
    template <class After>
    static __device__ __forceinline__ void multiply(const float* a, const float* b, Sums& acc, After after) {
        using A = Operand<0, A_LAYOUT, TILE_M>;
        using B = Operand<1, B_LAYOUT, TILE_N>;
        a += first_row() * (A_LAYOUT == INNER ? A::PITCH : 1);
        b += first_column() * (B_LAYOUT == INNER ? B::PITCH : 1);
        float af[4][THREAD_M], bf[4][THREAD_N];
#pragma unroll
        for (int k = 0; k < TILE_K; k++) {
            read<A, A_LAYOUT, THREAD_M, true>(a, k, af);
            read<B, B_LAYOUT, THREAD_N, false>(b, k, bf);
#pragma unroll
            for (int i = 0; i < THREAD_M; i++)
#pragma unroll
                for (int j = 0; j < THREAD_N; j++) acc[i][j] += af[k % 4][i] * bf[k % 4][j];
            after(k);
        }
    }

    // Reads what step k needs of one operand: INNER all of 4 steps at once, OUTER its own.
    template <class O, int LAYOUT, int COUNT, bool ROWS>
    static __device__ __forceinline__ void read(const float* s, int k, float (&f)[4][COUNT]) {
        if constexpr (LAYOUT == INNER) {
            if (k % 4 != 0) return;
#pragma unroll
            for (int i = 0; i < COUNT; i++) {
                int step = ROWS ? row_step(i) : column_step(i);
                float4 v = *(const float4*)(s + step * O::PITCH + k);
                f[0][i] = v.x, f[1][i] = v.y, f[2][i] = v.z, f[3][i] = v.w;
            }
        } else {
#pragma unroll
            for (int i = 0; i < COUNT; i += 4) {
                int step = ROWS ? row_step(i) : column_step(i);
                float4 v = *(const float4*)(s + k * O::PITCH + step);
                f[k % 4][i] = v.x, f[k % 4][i + 1] = v.y, f[k % 4][i + 2] = v.z, f[k % 4][i + 3] = v.w;
            }
        }
    }
    static __device__ __forceinline__ void finish(Sums&) {}
};
