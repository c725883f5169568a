// Errors that stay with the context, and a program that still frees memory while it ends.
#include "check.h"
#undef NDEBUG
#include <cassert>
#include <unistd.h>

__global__ void stops(int value) { assert(value == 2); }

__global__ void one(int *x) { *x = 1; }

// Frees when the process ends; the runtime may have ended before.
struct Buffer {
    int *x = nullptr;
    ~Buffer() {
        cudaError_t error = cudaFree(x);
        if (error != cudaSuccess && error != cudaErrorCudartUnloading) {
            _exit(9);
        }
    }
};

static Buffer early;

static Buffer &late() {
    static Buffer buffer;
    return buffer;
}

int main() {
    stops<<<1, 1>>>(1);
    CALL(cudaGetLastError());
    HOLDS(cudaDeviceSynchronize() == cudaErrorAssert);
    // Every later call answers it, and asking for it does not clear it.
    void *address;
    HOLDS(cudaMalloc(&address, 4) == cudaErrorAssert);
    HOLDS(cudaGetLastError() == cudaErrorAssert && cudaGetLastError() == cudaErrorAssert);
    // A new context is as new. (NVIDIA's runtime wants a new process.)
    CALL(cudaDeviceReset());
    HOLDS(cudaGetLastError() == cudaSuccess);
    int found = 0;
    CALL(cudaMalloc(&early.x, sizeof(int)));
    CALL(cudaMalloc(&late().x, sizeof(int)));
    one<<<1, 1>>>(late().x);
    CALL(cudaMemcpy(&found, late().x, sizeof found, cudaMemcpyDeviceToHost));
    HOLDS(found == 1);
    printf("an assertion, a reset, two late frees\n");
    return 0;
}
