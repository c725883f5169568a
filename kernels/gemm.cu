// Matrix products, float32, row-major and dense:
//   gemm_nn  C[m,n] = A[m,k] B[k,n]      linear forward:          y  = x w + b
//   gemm_nt  C[m,n] = A[m,k] B[n,k]^T    linear backward data:    dx = dy w^T
//   gemm_tn  C[m,n] = A[k,m]^T B[k,n]    linear backward weight:  dw = x^T dy, db = column sums of dy
//
// A block computes one tile of C (see tile.cuh); blocks of one z take one part of k. With more than one part the
// block that arrives last at a tile adds the parts in their order, so that the result does not depend on the order in
// which blocks run. Arithmetic bounds large products; products with few rows (m about the batch) are bounded by
// reading B once.
//
// VECTOR is 4 where every row is a multiple of 16 bytes, else 1.
#include "product.cuh"

template <int A, int B>
struct Matrices {
    static constexpr int A_LAYOUT = A, B_LAYOUT = B;
    // Whether copies are spread over a tile's multiplication (`Tile`). Not where NVRTC 12 would spill: in gemm_nt's
    // 128x64, and from sm_90 on in gemm_tn's 128x128.
    static constexpr bool NT_128X64 = A == INNER && B == INNER && TILE_M == 128 && TILE_N == 64;
    static constexpr bool TN_128X128 = A == OUTER && B == OUTER && TILE_N == 128 && __CUDA_ARCH__ >= 900;
    static constexpr bool SPREADS =
        PRECISION != PRECISION_F32 || __CUDACC_VER_MAJOR__ >= 13 || !(NT_128X64 || TN_128X128);
    using OA = Operand<0, A, TILE_M>;
    using OB = Operand<1, B, TILE_N>;
    const Stored* pa;
    const Stored* pb;
    int m_left, n_left, k_left;  // rows, columns and inner steps from this tile's start to the matrix's end
    int a_stride, b_stride;      // elements between rows in memory
    __device__ __forceinline__ Matrices(
        const Stored* a, const Stored* b, int m, int n, int k, int row0, int column0, int k0) {
        m_left = m - row0, n_left = n - column0, k_left = k - k0;
        a_stride = A == INNER ? k : m, b_stride = B == INNER ? k : n;
        pa = a + (A == INNER ? (long long)(row0 + OA::outer(0)) * k + k0 + OA::inner(0)
                             : (long long)(k0 + OA::inner(0)) * m + row0 + OA::outer(0));
        pb = b + (B == INNER ? (long long)(column0 + OB::outer(0)) * k + k0 + OB::inner(0)
                             : (long long)(k0 + OB::inner(0)) * n + column0 + OB::outer(0));
    }
    __device__ __forceinline__ void begin() {}
    // Pieces lie a fixed distance apart, in both layouts.
    __device__ __forceinline__ const Stored* a(int i, bool& inside) const {
        inside = OA::outer(i) < m_left && OA::inner(i) < k_left;
        return pa + (long long)i * OA::between(a_stride);
    }
    __device__ __forceinline__ const Stored* b(int i, bool& inside) const {
        inside = OB::outer(i) < n_left && OB::inner(i) < k_left;
        return pb + (long long)i * OB::between(b_stride);
    }
    __device__ __forceinline__ void next() {
        pa += A == INNER ? TILE_K : (long long)TILE_K * a_stride;
        pb += B == INNER ? TILE_K : (long long)TILE_K * b_stride;
        k_left -= TILE_K;
    }
};

template <int A, int B>
__device__ __forceinline__ void product(
    const Stored* a, const Stored* b, void* c, bool wide, Stored* shared, float* workspace, u32* counters, Epilogue e,
    int m, int n, int k) {
    using L = Matrices<A, B>;
    using T = Tile<L>;
    int tiles_n = ceil_div(n, TILE_N);
    int row0 = (int)blockIdx.x / tiles_n * TILE_M, column0 = (int)blockIdx.x % tiles_n * TILE_N;
    Part part(ceil_div(k, TILE_K));
    L loader(a, b, m, n, k, row0, column0, part.first * TILE_K);
    Sums acc = {};
    T::multiply(loader, part.count, shared, acc);
    if (!add_parts(acc, workspace, counters, shared)) return;
    store_result<typename T::F>(
        acc, c, wide, column0, n, e, [&](int i) { return row0 + i < m ? (row0 + i) * n : -1; });
}

// `wide`: C is float, as logits are; else it is stored as A and B are.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT(384)) KERNEL(gemm_nn)(
    const Stored* __restrict__ a, const Stored* __restrict__ b, void* c, float* workspace, u32* counters,
    const float* __restrict__ bias, const Stored* __restrict__ mask, int relu, int accumulate, int wide, int m, int n,
    int k) {
    __shared__ __align__(128) Stored shared[Tile<Matrices<INNER, OUTER>>::SHARED];
    Epilogue e = {bias, mask, relu, accumulate};
    product<INNER, OUTER>(a, b, c, wide, shared, workspace, counters, e, m, n, k);
}

extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT(256)) KERNEL(gemm_nt)(
    const Stored* __restrict__ a, const Stored* __restrict__ b, void* c, float* workspace, u32* counters,
    const float* __restrict__ bias, const Stored* __restrict__ mask, int relu, int accumulate, int wide, int m, int n,
    int k) {
    __shared__ __align__(128) Stored shared[Tile<Matrices<INNER, INNER>>::SHARED];
    Epilogue e = {bias, mask, relu, accumulate};
    product<INNER, INNER>(a, b, c, wide, shared, workspace, counters, e, m, n, k);
}

// C is float, as gradients of weights are. With `column_sum` given, one more row of blocks sums the columns of B into
// it.
extern "C" __global__ void __launch_bounds__(THREADS, RESIDENT_OUTER) KERNEL(gemm_tn)(
    const Stored* __restrict__ a, const Stored* __restrict__ b, float* c, float* workspace, u32* counters,
    float* __restrict__ column_sum, int accumulate, int m, int n, int k) {
    __shared__ __align__(128) Stored shared[Tile<Matrices<OUTER, OUTER>>::SHARED];
    int tiles = ceil_div(m, TILE_M) * ceil_div(n, TILE_N);
    if ((int)blockIdx.x < tiles) {
        Epilogue e = {nullptr, nullptr, 0, accumulate};
        product<OUTER, OUTER>(a, b, c, true, shared, workspace, counters, e, m, n, k);
        return;
    }
    column_sums(b, k, n, ((int)blockIdx.x - tiles) * TILE_N, (float*)shared, workspace, counters, column_sum);
}
