// A matrix product on tensor cores: half times half, summed in float.
#include "check.h"
#include <cuda_fp16.h>
#include <mma.h>
#include <vector>

using namespace nvcuda;

// One warp a 16 x 16 tile of C; m, n, k are multiples of 16.
__global__ void product(const half *a, const half *b, float *c, int n, int k) {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, half, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, half, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    int row = blockIdx.y * 16, column = blockIdx.x * 16;
    for (int i = 0; i < k; i += 16) {
        wmma::load_matrix_sync(left, a + row * k + i, k);
        wmma::load_matrix_sync(right, b + i * n + column, n);
        wmma::mma_sync(sum, left, right, sum);
    }
    wmma::store_matrix_sync(c + row * n + column, sum, n, wmma::mem_row_major);
}

int main() {
    const int m = 48, n = 32, k = 64;
    std::vector<half> a(m * k), b(k * n);
    std::vector<float> c(m * n), expected(m * n, 0.f);
    for (int i = 0; i < m * k; ++i) {
        a[i] = __float2half(float(i * 7 % 11 - 5));
    }
    for (int i = 0; i < k * n; ++i) {
        b[i] = __float2half(float(i * 5 % 13 - 6));
    }
    for (int r = 0; r < m; ++r) {
        for (int i = 0; i < k; ++i) {
            for (int q = 0; q < n; ++q) {
                expected[r * n + q] += __half2float(a[r * k + i]) * __half2float(b[i * n + q]);
            }
        }
    }
    half *d_a, *d_b;
    float *d_c;
    CALL(cudaMalloc(&d_a, a.size() * sizeof(half)));
    CALL(cudaMalloc(&d_b, b.size() * sizeof(half)));
    CALL(cudaMalloc(&d_c, c.size() * sizeof(float)));
    CALL(cudaMemcpy(d_a, a.data(), a.size() * sizeof(half), cudaMemcpyHostToDevice));
    CALL(cudaMemcpy(d_b, b.data(), b.size() * sizeof(half), cudaMemcpyHostToDevice));
    product<<<dim3(n / 16, m / 16), 32>>>(d_a, d_b, d_c, n, k);
    CALL(cudaGetLastError());
    CALL(cudaMemcpy(c.data(), d_c, c.size() * sizeof(float), cudaMemcpyDeviceToHost));
    HOLDS(c == expected);
    CALL(cudaFree(d_a));
    CALL(cudaFree(d_b));
    CALL(cudaFree(d_c));
    printf("%d x %d x %d on tensor cores is right\n", m, n, k);
    return 0;
}
