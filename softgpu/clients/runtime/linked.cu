// Compiled with -rdc=true together with linked_part.cu: a kernel calls a function and uses a variable of another unit.
#include "check.h"

extern __device__ int offset;
__device__ int shifted(int value);

__global__ void shift(int *x) { x[threadIdx.x] = shifted(threadIdx.x); }

int set_offset(int value);

int main() {
    int *x, result[32];
    HOLDS(set_offset(40) == 0);
    CALL(cudaMalloc(&x, sizeof result));
    shift<<<1, 32>>>(x);
    CALL(cudaGetLastError());
    CALL(cudaMemcpy(result, x, sizeof result, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 32; ++i) {
        HOLDS(result[i] == 2 * i + 40);
    }
    CALL(cudaFree(x));
    printf("two units, linked\n");
    return 0;
}
