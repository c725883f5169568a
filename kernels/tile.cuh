// The main loop that matrix products and convolutions share: one block computes a TILE_M x TILE_N piece of
// C = A B, a thread THREAD_M x THREAD_N of it in registers, TILE_K of the inner dimension at a time.
//
// Where A and B come from is the caller's business: a `Loader` names the source address of each piece of the next
// tile. Operands lie in shared memory in one of two layouts, whichever global memory has, so that nothing is
// transposed on the way and the copies can be 16 bytes wide and asynchronous:
//   INNER  k is contiguous in memory: [extent][TILE_K + 4], fragments are read 4 k at a time
//   OUTER  m (or n) is contiguous:    [TILE_K][extent],     fragments are read 4 m at a time
// Either way a thread needs (THREAD_M + THREAD_N) / 4 16-byte reads for the THREAD_M THREAD_N multiply-adds of one k.
//
// Shared memory has 32 banks of one word, and serves 8 lanes of 16 bytes at a time if they touch 8 different groups of
// 4 banks. An INNER row has 16 words and 4 words of padding, so that row r begins in bank 20 r mod 32:
//   row          0   1   2   3   4   5   6   7
//   first bank   0  20   8  28  16   4  24  12      8 lanes that read 4 k of 8 rows: 8 different groups
//
// Two tiles are in shared memory: one is computed with while the other is filled, by cp.async from sm_80 on and
// through registers before. Arithmetic bounds this loop: 2 TILE_M TILE_N flops for 4 (TILE_M + TILE_N) bytes and k.
#pragma once
#include "block.cuh"

#define THREADS (TILE_M / THREAD_M * (TILE_N / THREAD_N))
#define ASYNC (__CUDA_ARCH__ >= 800)

static_assert(THREADS % 32 == 0 && THREADS <= 1024, "whole warps");
static_assert(TILE_K % 8 == 0 && THREAD_M % 4 == 0 && THREAD_N % 4 == 0, "fragments are read 4 wide");
static_assert(VECTOR == 1 || VECTOR == 4, "pieces of 1 or 4 floats");

enum Layout { INNER, OUTER };

template <int LAYOUT, int EXTENT>
struct Operand {
    static constexpr int PITCH = LAYOUT == INNER ? TILE_K + 4 : EXTENT;
    static constexpr int FLOATS = LAYOUT == INNER ? EXTENT * PITCH : TILE_K * EXTENT;
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
};

template <class Loader>
struct Tile {
    using A = Operand<Loader::A_LAYOUT, TILE_M>;
    using B = Operand<Loader::B_LAYOUT, TILE_N>;
    using F = Fragment<Loader::A_LAYOUT, Loader::B_LAYOUT>;
    static constexpr int STAGE = A::FLOATS + B::FLOATS;
    static constexpr int SHARED = 2 * STAGE;

    // acc += the product of one stage.
    static __device__ __forceinline__ void compute(const float* a, const float* b, float (&acc)[THREAD_M][THREAD_N]) {
        a += F::first_row() * (Loader::A_LAYOUT == INNER ? A::PITCH : 1);
        b += F::first_column() * (Loader::B_LAYOUT == INNER ? B::PITCH : 1);
        float af[4][THREAD_M], bf[4][THREAD_N];
#pragma unroll
        for (int k = 0; k < TILE_K; k++) {
            read<A, Loader::A_LAYOUT, THREAD_M, true>(a, k, af);
            read<B, Loader::B_LAYOUT, THREAD_N, false>(b, k, bf);
#pragma unroll
            for (int i = 0; i < THREAD_M; i++)
#pragma unroll
                for (int j = 0; j < THREAD_N; j++) acc[i][j] += af[k % 4][i] * bf[k % 4][j];
        }
    }

    // Reads what step k needs of one operand: INNER all of 4 steps at once, OUTER its own.
    template <class O, int LAYOUT, int COUNT, bool ROWS>
    static __device__ __forceinline__ void read(const float* s, int k, float (&f)[4][COUNT]) {
        if constexpr (LAYOUT == INNER) {
            if (k % 4 != 0) return;
#pragma unroll
            for (int i = 0; i < COUNT; i++) {
                int step = ROWS ? F::row_step(i) : F::column_step(i);
                float4 v = *(const float4*)(s + step * O::PITCH + k);
                f[0][i] = v.x, f[1][i] = v.y, f[2][i] = v.z, f[3][i] = v.w;
            }
        } else {
#pragma unroll
            for (int i = 0; i < COUNT; i += 4) {
                int step = ROWS ? F::row_step(i) : F::column_step(i);
                float4 v = *(const float4*)(s + k * O::PITCH + step);
                f[k % 4][i] = v.x, f[k % 4][i + 1] = v.y, f[k % 4][i + 2] = v.z, f[k % 4][i + 3] = v.w;
            }
        }
    }

#if ASYNC
    static __device__ __forceinline__ void fetch(Loader& from, u32 stage) {
        from.begin();
#pragma unroll
        for (int i = 0; i < A::PIECES; i++) {
            bool inside;
            const float* p = from.a(i, inside);
            copy_async<VECTOR>(stage + 4 * A::place(i), p, inside);
        }
#pragma unroll
        for (int i = 0; i < B::PIECES; i++) {
            bool inside;
            const float* p = from.b(i, inside);
            copy_async<VECTOR>(stage + 4 * (A::FLOATS + B::place(i)), p, inside);
        }
        from.next();
        commit_async();
    }
#else
    struct Held {
        float a[A::PIECES][VECTOR], b[B::PIECES][VECTOR];
    };
    static __device__ __forceinline__ void load(const float* p, bool inside, float (&v)[VECTOR]) {
        if constexpr (VECTOR == 4) {
            float4 f = make_float4(0, 0, 0, 0);
            if (inside) f = *(const float4*)p;
            v[0] = f.x, v[1] = f.y, v[2] = f.z, v[3] = f.w;
        } else {
            v[0] = inside ? *p : 0.0f;
        }
    }
    static __device__ __forceinline__ void store(float* p, const float (&v)[VECTOR]) {
        if constexpr (VECTOR == 4)
            *(float4*)p = make_float4(v[0], v[1], v[2], v[3]);
        else
            *p = v[0];
    }
    static __device__ __forceinline__ void fetch(Loader& from, Held& held) {
        from.begin();
#pragma unroll
        for (int i = 0; i < A::PIECES; i++) {
            bool inside;
            const float* p = from.a(i, inside);
            load(p, inside, held.a[i]);
        }
#pragma unroll
        for (int i = 0; i < B::PIECES; i++) {
            bool inside;
            const float* p = from.b(i, inside);
            load(p, inside, held.b[i]);
        }
        from.next();
    }
    static __device__ __forceinline__ void deposit(const Held& held, float* stage) {
#pragma unroll
        for (int i = 0; i < A::PIECES; i++) store(stage + A::place(i), held.a[i]);
#pragma unroll
        for (int i = 0; i < B::PIECES; i++) store(stage + A::FLOATS + B::place(i), held.b[i]);
    }
#endif

    // acc += the sum over `tiles` tiles. Every thread of the block must call it with the same `tiles`.
    static __device__ __forceinline__ void multiply(
        Loader& from, int tiles, float* shared, float (&acc)[THREAD_M][THREAD_N]) {
        if (tiles <= 0) return;
#if ASYNC
        u32 base = shared_address(shared);
        fetch(from, base);
        int odd = 0;
        for (int t = 0; t < tiles; t++) {
            wait_async();
            __syncthreads();
            const float* full = shared + odd * STAGE;
            odd ^= 1;
            if (t + 1 < tiles) fetch(from, base + 4 * odd * STAGE);
            compute(full, full + A::FLOATS, acc);
        }
#else
        Held held;
        fetch(from, held);
        deposit(held, shared);
        __syncthreads();
        int odd = 0;
        for (int t = 0; t < tiles; t++) {
            if (t + 1 < tiles) fetch(from, held);
            const float* full = shared + odd * STAGE;
            compute(full, full + A::FLOATS, acc);
            odd ^= 1;
            if (t + 1 < tiles) deposit(held, shared + odd * STAGE);
            __syncthreads();
        }
#endif
    }
};

// Stores a thread's fragment; `row_of(i)` gives the offset of its row i in `out`, or -1 where there is none.
template <class F, int B_LAYOUT, class RowOf>
__device__ __forceinline__ void store_fragment(
    const float (&acc)[THREAD_M][THREAD_N], float* out, int column0, int columns, const Epilogue& e, RowOf row_of) {
#pragma unroll
    for (int i = 0; i < THREAD_M; i++) {
        int row = row_of(F::row(i));
        if (row < 0) continue;
        if constexpr (B_LAYOUT == OUTER && VECTOR == 4) {
#pragma unroll
            for (int j = 0; j < THREAD_N; j += 4) {
                int column = column0 + F::column(j);
                if (column >= columns) continue;
                float4 v = make_float4(acc[i][j], acc[i][j + 1], acc[i][j + 2], acc[i][j + 3]);
                int at = row + column;
                if (e.bias) {
                    float4 b = *(const float4*)(e.bias + column);
                    v.x += b.x, v.y += b.y, v.z += b.z, v.w += b.w;
                }
                if (e.relu) {
                    v.x = fmaxf(v.x, 0.0f), v.y = fmaxf(v.y, 0.0f), v.z = fmaxf(v.z, 0.0f), v.w = fmaxf(v.w, 0.0f);
                }
                if (e.mask) {
                    float4 m = *(const float4*)(e.mask + at);
                    v.x = m.x > 0.0f ? v.x : 0.0f, v.y = m.y > 0.0f ? v.y : 0.0f;
                    v.z = m.z > 0.0f ? v.z : 0.0f, v.w = m.w > 0.0f ? v.w : 0.0f;
                }
                if (e.accumulate) {
                    float4 c = *(const float4*)(out + at);
                    v.x += c.x, v.y += c.y, v.z += c.z, v.w += c.w;
                }
                *(float4*)(out + at) = v;
            }
        } else {
#pragma unroll
            for (int j = 0; j < THREAD_N; j++) {
                int column = column0 + F::column(j);
                if (column >= columns) continue;
                int at = row + column;
                out[at] = e.apply(acc[i][j], column, at, out);
            }
        }
    }
}

// A block's place in the workspace: [tile][part][TILE_M TILE_N].
__device__ __forceinline__ float* part_of_workspace(float* workspace, int part) {
    return workspace + ((long long)blockIdx.x * gridDim.z + part) * (TILE_M * TILE_N);
}

// Adds the parts of a product in their order; true for the block that has the sum and must store it. A fragment lies
// in the workspace as [4 floats of the fragment][thread], so that a warp moves whole lines.
__device__ __forceinline__ bool add_parts(
    float (&acc)[THREAD_M][THREAD_N], float* workspace, u32* counters, float* shared) {
    if (gridDim.z == 1) return true;
    float4* own = (float4*)part_of_workspace(workspace, blockIdx.z) + threadIdx.x;
#pragma unroll
    for (int i = 0; i < THREAD_M; i++)
#pragma unroll
        for (int j = 0; j < THREAD_N; j += 4)
            own[(i * THREAD_N + j) / 4 * THREADS] = make_float4(acc[i][j], acc[i][j + 1], acc[i][j + 2], acc[i][j + 3]);
    if (!last_part(counters, (u32*)shared)) return false;
#pragma unroll
    for (int i = 0; i < THREAD_M; i++)
#pragma unroll
        for (int j = 0; j < THREAD_N; j++) acc[i][j] = 0.0f;
    for (int part = 0; part < (int)gridDim.z; part++) {
        const float4* from = (const float4*)part_of_workspace(workspace, part) + threadIdx.x;
#pragma unroll
        for (int i = 0; i < THREAD_M; i++)
#pragma unroll
            for (int j = 0; j < THREAD_N; j += 4) {
                float4 v = from[(i * THREAD_N + j) / 4 * THREADS];
                acc[i][j] += v.x, acc[i][j + 1] += v.y, acc[i][j + 2] += v.z, acc[i][j + 3] += v.w;
            }
    }
    return true;
}

// Sums of columns [column0, column0 + TILE_N) over the rows of a matrix with `columns` columns, in an order that
// depends on the sizes alone: each part (z) takes a range of rows, group g of its GROUPS groups of threads takes rows
// g, g + GROUPS, g + 2 GROUPS, ... of it; then groups and parts are added in turn.
__device__ __forceinline__ void column_sums(
    const float* m, int rows, int columns, int column0, float* shared, float* workspace, u32* counters, float* out) {
    constexpr int ACROSS = TILE_N / VECTOR, GROUPS = THREADS / ACROSS;
    static_assert(GROUPS * ACROSS == THREADS, "whole groups");
    int column = (int)threadIdx.x % ACROSS * VECTOR, group = (int)threadIdx.x / ACROSS;
    float sum[VECTOR] = {};
    Part part(rows);
    if (column0 + column < columns) {
        for (int r = part.first + group; r < part.first + part.count; r += GROUPS) {
            const float* p = m + (long long)r * columns + column0 + column;
            if constexpr (VECTOR == 4) {
                float4 v = *(const float4*)p;
                sum[0] += v.x, sum[1] += v.y, sum[2] += v.z, sum[3] += v.w;
            } else {
                sum[0] += *p;
            }
        }
    }
#pragma unroll
    for (int v = 0; v < VECTOR; v++) shared[group * TILE_N + column + v] = sum[v];
    __syncthreads();
    bool divided = gridDim.z > 1;
    for (int c = threadIdx.x; c < TILE_N; c += THREADS) {
        float total = 0.0f;
        for (int g = 0; g < GROUPS; g++) total += shared[g * TILE_N + c];
        if (divided)
            part_of_workspace(workspace, blockIdx.z)[c] = total;
        else if (column0 + c < columns)
            out[column0 + c] = total;
    }
    if (!divided || !last_part(counters, (u32*)shared)) return;
    for (int c = threadIdx.x; c < TILE_N && column0 + c < columns; c += THREADS) {
        float total = 0.0f;
        for (int p = 0; p < (int)gridDim.z; p++) total += part_of_workspace(workspace, p)[c];
        out[column0 + c] = total;
    }
}
