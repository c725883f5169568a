// A matrix product, plain and tiled in shared memory, against the host's.
#include "check.h"
#include <vector>

constexpr int TILE = 16;

__global__ void plain(const float *a, const float *b, float *c, int m, int n, int k) {
    int row = blockIdx.y * blockDim.y + threadIdx.y, column = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= m || column >= n) {
        return;
    }
    float sum = 0;
    for (int i = 0; i < k; ++i) {
        sum += a[row * k + i] * b[i * n + column];
    }
    c[row * n + column] = sum;
}

template <int T> __global__ void tiled(const float *a, const float *b, float *c, int m, int n, int k) {
    __shared__ float left[T][T], right[T][T + 1];
    int row = blockIdx.y * T + threadIdx.y, column = blockIdx.x * T + threadIdx.x;
    float sum = 0;
    for (int start = 0; start < k; start += T) {
        int across = start + threadIdx.x, down = start + threadIdx.y;
        left[threadIdx.y][threadIdx.x] = row < m && across < k ? a[row * k + across] : 0;
        right[threadIdx.y][threadIdx.x] = down < k && column < n ? b[down * n + column] : 0;
        __syncthreads();
        for (int i = 0; i < T; ++i) {
            sum += left[threadIdx.y][i] * right[i][threadIdx.x];
        }
        __syncthreads();
    }
    if (row < m && column < n) {
        c[row * n + column] = sum;
    }
}

int main() {
    const int m = 61, n = 77, k = 45;
    std::vector<float> a(m * k), b(k * n), c(m * n), expected(m * n, 0.f);
    // Small whole numbers: the products and their sums are exact in any order.
    for (size_t i = 0; i < a.size(); ++i) {
        a[i] = float(int(i * 7 % 11) - 5);
    }
    for (size_t i = 0; i < b.size(); ++i) {
        b[i] = float(int(i * 5 % 13) - 6);
    }
    for (int r = 0; r < m; ++r) {
        for (int i = 0; i < k; ++i) {
            for (int q = 0; q < n; ++q) {
                expected[r * n + q] += a[r * k + i] * b[i * n + q];
            }
        }
    }
    float *d_a, *d_b, *d_c;
    CALL(cudaMalloc(&d_a, a.size() * sizeof(float)));
    CALL(cudaMalloc(&d_b, b.size() * sizeof(float)));
    CALL(cudaMalloc(&d_c, c.size() * sizeof(float)));
    CALL(cudaMemcpy(d_a, a.data(), a.size() * sizeof(float), cudaMemcpyHostToDevice));
    CALL(cudaMemcpy(d_b, b.data(), b.size() * sizeof(float), cudaMemcpyHostToDevice));
    dim3 block(TILE, TILE), grid((n + TILE - 1) / TILE, (m + TILE - 1) / TILE);
    for (int variant = 0; variant < 2; ++variant) {
        CALL(cudaMemset(d_c, 0xff, c.size() * sizeof(float)));
        if (variant == 0) {
            plain<<<grid, block>>>(d_a, d_b, d_c, m, n, k);
        } else {
            tiled<TILE><<<grid, block>>>(d_a, d_b, d_c, m, n, k);
        }
        CALL(cudaGetLastError());
        CALL(cudaMemcpy(c.data(), d_c, c.size() * sizeof(float), cudaMemcpyDeviceToHost));
        HOLDS(c == expected);
    }
    CALL(cudaFree(d_a));
    CALL(cudaFree(d_b));
    CALL(cudaFree(d_c));
    printf("%d x %d x %d: plain and tiled are right\n", m, n, k);
    return 0;
}
