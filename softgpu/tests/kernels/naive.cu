// C = A B of n x n matrices by rows, an element a thread: neighbours read neighbours of B (by_columns), or elements of A
// that lie n apart (by_rows). Made into naive.ptx by make_ptx.py.

extern "C" __global__ void __launch_bounds__(1024) by_columns(const float* a, const float* b, float* c, int n) {
  int row = blockIdx.y * 32 + threadIdx.x / 32, column = blockIdx.x * 32 + threadIdx.x % 32;
  float sum = 0;
  for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
  c[row * n + column] = sum;
}

extern "C" __global__ void __launch_bounds__(1024) by_rows(const float* a, const float* b, float* c, int n) {
  int row = blockIdx.x * 32 + threadIdx.x % 32, column = blockIdx.y * 32 + threadIdx.x / 32;
  float sum = 0;
  for (int k = 0; k < n; k++) sum += a[row * n + k] * b[k * n + column];
  c[row * n + column] = sum;
}
