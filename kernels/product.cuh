// What products and convolutions share: a block computes a TILE_M x TILE_N piece of C = A B, a thread THREAD_M x
// THREAD_N of it in registers, TILE_K of the inner dimension at a time. Operands come through shared memory, the sum
// passes through an epilogue. How a tile is multiplied is in `tile.cuh` (float32) and `tensor.cuh` (tensor cores).
//
// Where A and B come from is the caller's business: a `Loader` names the source address of each piece of the next
// tile. Operands lie in shared memory in one of two layouts, whichever global memory has, so that nothing is
// transposed on the way and the copies can be 16 bytes wide and asynchronous:
//   INNER  k is contiguous in memory: [extent][TILE_K]
//   OUTER  m (or n) is contiguous:    [TILE_K][extent]
//
// STAGES tiles are in shared memory: one is computed with while the others are filled, by cp.async from sm_80 on.
// Before, and where pieces are smaller than the 4 bytes that cp.async copies, there are two, filled through registers.
#pragma once
#include "block.cuh"

#define THREADS (TILE_M / THREAD_M * (TILE_N / THREAD_N))
// Bytes of a piece: what a thread copies at once.
#define PIECE (VECTOR * (HALF_STORED ? 2 : 4))
#define ASYNC (__CUDA_ARCH__ >= 800 && PIECE >= 4)

static_assert(THREADS % 32 == 0 && THREADS <= 1024, "whole warps");
static_assert(VECTOR == 1 || PIECE == 16, "pieces of one number or of 16 bytes");
static_assert(STAGES >= 2, "one is filled while another is multiplied");

enum Layout { INNER, OUTER };

// The sum of a thread, its fragment of C.
typedef float Sums[THREAD_M][THREAD_N];

#if PRECISION == PRECISION_F32
#include "tile.cuh"
#else
#include "tensor.cuh"
#endif

template <class Loader>
struct Tile {
    using A = Operand<0, Loader::A_LAYOUT, TILE_M>;
    using B = Operand<1, Loader::B_LAYOUT, TILE_N>;
    using F = Fragment<Loader::A_LAYOUT, Loader::B_LAYOUT>;
    static constexpr int STAGE = A::SIZE + B::SIZE;
    static constexpr int SHARED = (ASYNC ? STAGES : 2) * STAGE;

    // A thread's pieces of both operands, and which of them are copied in step `step` of a tile's multiplication where
    // copies are spread over it: they wait for one another where they come in a bunch. Pieces of one number are too many
    // for that, and from sm_100 on it would spill.
    static constexpr int PIECES = A::PIECES + B::PIECES;
    static constexpr bool SPREAD = ASYNC && VECTOR > 1 && __CUDA_ARCH__ < 1000 && Loader::SPREADS;
    static __device__ __forceinline__ bool is_due(int piece, int step) { return piece * F::STEPS / PIECES == step; }

#if ASYNC
    static __device__ __forceinline__ void copy(Loader& from, u32 stage, int piece, bool wanted) {
        bool inside;
        const Stored* p = piece < A::PIECES ? from.a(piece, inside) : from.b(piece - A::PIECES, inside);
        int place = piece < A::PIECES ? A::place(piece) : A::SIZE + B::place(piece - A::PIECES);
        copy_async<PIECE>(stage + (u32)sizeof(Stored) * place, p, inside, wanted);
    }
    static __device__ __forceinline__ void fetch(Loader& from, u32 stage) {
        from.begin();
#pragma unroll
        for (int piece = 0; piece < PIECES; piece++) copy(from, stage, piece, true);
        from.next();
    }
#else
#if PIECE == 16
    typedef uint4 Piece;
#elif PIECE == 4
    typedef u32 Piece;
#else
    typedef unsigned short Piece;
#endif
    struct Held {
        Piece a[A::PIECES], b[B::PIECES];
    };
    static __device__ __forceinline__ Piece load(const Stored* p, bool inside) {
        Piece piece = {};
        if (inside) piece = *(const Piece*)p;
        return piece;
    }
    static __device__ __forceinline__ void fetch(Loader& from, Held& held) {
        from.begin();
#pragma unroll
        for (int i = 0; i < A::PIECES; i++) {
            bool inside;
            const Stored* p = from.a(i, inside);
            held.a[i] = load(p, inside);
        }
#pragma unroll
        for (int i = 0; i < B::PIECES; i++) {
            bool inside;
            const Stored* p = from.b(i, inside);
            held.b[i] = load(p, inside);
        }
        from.next();
    }
    static __device__ __forceinline__ void deposit(const Held& held, Stored* stage) {
#pragma unroll
        for (int i = 0; i < A::PIECES; i++) *(Piece*)(stage + A::place(i)) = held.a[i];
#pragma unroll
        for (int i = 0; i < B::PIECES; i++) *(Piece*)(stage + A::SIZE + B::place(i)) = held.b[i];
    }
#endif

    // acc += the sum over `tiles` tiles. Every thread of the block must call it with the same `tiles`.
    static __device__ __forceinline__ void multiply(Loader& from, int tiles, Stored* shared, Sums& acc) {
        if (tiles <= 0) return;
#if ASYNC
        u32 base = shared_address(shared);
#pragma unroll
        for (int s = 0; s < STAGES - 1; s++) {
            if (s < tiles) fetch(from, base + (u32)sizeof(Stored) * s * STAGE);
            commit_async();
        }
        int full = 0;
        for (int t = 0; t < tiles; t++) {
            // The oldest tile has landed, and all have done with the one before it, whose place is filled anew.
            wait_async<STAGES - 2>();
            __syncthreads();
            u32 next = base + (u32)sizeof(Stored) * (full == 0 ? STAGES - 1 : full - 1) * STAGE;
            bool more = t + STAGES - 1 < tiles;
            if constexpr (SPREAD) {
                from.begin();
                F::multiply(shared + full * STAGE, shared + full * STAGE + A::SIZE, acc, [&](int step) {
#pragma unroll
                    for (int piece = 0; piece < PIECES; piece++)
                        if (is_due(piece, step)) copy(from, next, piece, more);
                });
                from.next();
            } else {
                if (more) fetch(from, next);
                F::multiply(shared + full * STAGE, shared + full * STAGE + A::SIZE, acc, [](int) {});
            }
            commit_async();
            full = full == STAGES - 1 ? 0 : full + 1;
        }
#else
        Held held;
        fetch(from, held);
        deposit(held, shared);
        __syncthreads();
        int odd = 0;
        for (int t = 0; t < tiles; t++) {
            bool more = t + 1 < tiles;
            if (more) fetch(from, held);
            F::multiply(shared + odd * STAGE, shared + odd * STAGE + A::SIZE, acc, [](int) {});
            odd ^= 1;
            if (more) deposit(held, shared + odd * STAGE);
            __syncthreads();
        }
#endif
        F::finish(acc);
    }
};

// Stores a thread's fragment; `row_of(i)` gives the offset of its row i in `out`, or -1 where there is none. `Out` is
// float or Stored. Where a thread has neighbouring columns, it stores 16 bytes at once.
template <class F, class Out, class RowOf>
__device__ __forceinline__ void store_fragment(
    const Sums& acc, Out* out, int column0, int columns, const Epilogue& e, RowOf row_of) {
    constexpr int WIDE = VECTOR > 1 && F::FOURS ? 4 : 1;
#pragma unroll
    for (int i = 0; i < THREAD_M; i++) {
        int row = row_of(F::row(i));
        float v[THREAD_N / WIDE][WIDE];
#pragma unroll
        for (int j = 0; j < THREAD_N; j += WIDE) {
            int column = column0 + F::column(j);
#pragma unroll
            for (int l = 0; l < WIDE; l++) v[j / WIDE][l] = acc[i][j + l];
            if (row < 0 || column >= columns) continue;
            e.apply(v[j / WIDE], column, row + column, out);
            if constexpr (sizeof(Out) * WIDE != 8) store(out + row + column, v[j / WIDE]);
        }
        if constexpr (sizeof(Out) * WIDE == 8) F::store_eights(v, out, row, column0, columns);
    }
}

// The same to a matrix of float (`wide`) or of Stored.
template <class F, class RowOf>
__device__ __forceinline__ void store_result(
    const Sums& acc, void* out, bool wide, int column0, int columns, const Epilogue& e, RowOf row_of) {
    if (!HALF_STORED || wide)
        store_fragment<F>(acc, (float*)out, column0, columns, e, row_of);
    else
        store_fragment<F>(acc, (Stored*)out, column0, columns, e, row_of);
}

// A block's place in the workspace: [tile][part][TILE_M TILE_N].
__device__ __forceinline__ float* part_of_workspace(float* workspace, int part) {
    return workspace + ((long long)blockIdx.x * gridDim.z + part) * (TILE_M * TILE_N);
}

// Adds the parts of a product in their order; true for the block that has the sum and must store it. A fragment lies
// in the workspace as [4 floats of the fragment][thread], so that a warp moves whole lines.
__device__ __forceinline__ bool add_parts(Sums& acc, float* workspace, u32* counters, Stored* shared) {
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
// depends on the sizes alone, and not on the tile: each part (z) takes a range of rows, group g of SUMS groups takes
// rows g, g + SUMS, g + 2 SUMS, ... of it; then groups and parts are added in turn. A thread has some of the groups. It
// needs SUMS TILE_N floats of shared memory.
__device__ __forceinline__ void column_sums(
    const Stored* m, int rows, int columns, int column0, float* shared, float* workspace, u32* counters, float* out) {
    constexpr int SUMS = HALF_STORED ? 16 : 8;
    constexpr int ACROSS = TILE_N / VECTOR, GROUPS = THREADS / ACROSS, EACH = SUMS / GROUPS;
    static_assert(GROUPS * ACROSS == THREADS && EACH * GROUPS == SUMS, "whole groups");
    int column = (int)threadIdx.x % ACROSS * VECTOR, group = (int)threadIdx.x / ACROSS;
    float sum[EACH][VECTOR] = {};
    Part part(rows);
    if (column0 + column < columns) {
        for (int first = part.first + group; first < part.first + part.count; first += SUMS) {
#pragma unroll
            for (int e = 0; e < EACH; e++) {
                int r = first + e * GROUPS;
                if (r >= part.first + part.count) break;
                float v[VECTOR];
                load(m + (long long)r * columns + column0 + column, v);
#pragma unroll
                for (int i = 0; i < VECTOR; i++) sum[e][i] += v[i];
            }
        }
    }
#pragma unroll
    for (int e = 0; e < EACH; e++) store(shared + (group + e * GROUPS) * TILE_N + column, sum[e]);
    __syncthreads();
    bool divided = gridDim.z > 1;
    for (int c = threadIdx.x; c < TILE_N; c += THREADS) {
        float total = 0.0f;
        for (int g = 0; g < SUMS; g++) total += shared[g * TILE_N + c];
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
