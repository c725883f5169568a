// Step 2 of the ladder: neighbouring threads take neighbouring columns. C[m,n] = A[m,k] B[k,n], float32, row-major.
//
//   thread      0           1           2        ...  31
//   reads a    row i, all the same address             1 sector
//   reads b    b[l,j]    b[l,j+1]    b[l,j+2]    ...  b[l,j+31]     128 bytes in a row: 4 sectors, all of them used
//
// One line of step 1 has changed. Still every multiply-add has two loads of its own.
extern "C" __global__ void __launch_bounds__(THREADS) ladder_coalesced(
    const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ c, int m, int n, int k) {
    long long at = (long long)blockIdx.x * THREADS + threadIdx.x;
    if (at >= (long long)m * n) return;
    int i = (int)(at / n), j = (int)(at % n);
    float sum = 0.0f;
    for (int l = 0; l < k; l++) sum += a[(long long)i * k + l] * b[(long long)l * n + j];
    c[(long long)i * n + j] = sum;
}
