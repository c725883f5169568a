// Step 1 of the ladder: the product as it is defined. C[m,n] = A[m,k] B[k,n], float32, row-major and dense.
//
//   c[i,j] = sum over l of a[i,l] b[l,j]
//
// A thread computes one element. Neighbouring threads take neighbouring rows, the first thing one might write:
//
//   thread      0        1        2     ...  31
//   reads a    row 0    row 1    row 2  ...  row 31      32 addresses, k floats apart: 32 sectors, 1024 bytes, for 128
//   reads b    column j  (one address for all)
//
// Two loads for one multiply-add, and most of what the first brings is thrown away.
extern "C" __global__ void __launch_bounds__(THREADS) ladder_naive(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    long long at = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= (long long)m * n) return;
    int i = (int)(at % m), j = (int)(at / m);
    float sum = 0.0f;
    for (int l = 0; l < k; l++) sum += a[(long long)i * k + l] * b[(long long)l * n + j];
    c[(long long)i * n + j] = sum;
}
