// Mistakes, one a run, named by the argument, and their corrections: `bugs bounds` and `bugs bounds corrected`.
#include "check.h"
#include <cstring>
#include <string>

const int THREADS = 64;

__global__ void bounds(int *x, int n, bool corrected) {
    int i = threadIdx.x;
    if (!corrected || i < n) {
        x[i] = i; // bounds: the last thread writes behind the end
    }
}

__global__ void race(int *x, bool corrected) {
    __shared__ int values[THREADS];
    values[threadIdx.x] = threadIdx.x;
    if (corrected) {
        __syncthreads();
    }
    x[threadIdx.x] = values[THREADS - 1 - threadIdx.x]; // race: another thread's value, without a barrier
}

__global__ void blocks(int *x, bool corrected) {
    if (corrected) {
        atomicAdd(x, 1);
    } else if (threadIdx.x == 0) {
        *x = *x + 1; // blocks: all blocks at once
    }
}

__global__ void uninitialised(int *x, int *y) {
    y[threadIdx.x] = x[threadIdx.x] + 1; // uninitialised: nobody wrote x
}

__global__ void barrier(int *x, bool corrected) {
    if (corrected || threadIdx.x < THREADS / 2) {
        __syncthreads(); // barrier: only half of the threads come
    }
    x[threadIdx.x] = 1;
}

__global__ void misaligned(char *x, bool corrected) {
    *(int *)(x + 4 * threadIdx.x + (corrected ? 0 : 2)) = 1; // misaligned: an int at an odd place
}

__global__ void freed(int *x) {
    x[threadIdx.x] = 1; // freed: the memory is gone
}

int main(int count, char **words) {
    HOLDS(count >= 2);
    std::string which = words[1];
    bool corrected = count > 2 && !strcmp(words[2], "corrected");
    int *x, *y;
    const int bytes = THREADS * sizeof(int);
    CALL(cudaMalloc(&x, bytes));
    CALL(cudaMalloc(&y, bytes));
    if (corrected || which != "uninitialised") {
        CALL(cudaMemset(x, 0, bytes));
    }
    if (which == "bounds") {
        int *small;
        CALL(cudaMalloc(&small, bytes - sizeof(int)));
        bounds<<<1, THREADS>>>(small, THREADS - 1, corrected);
    } else if (which == "race") {
        race<<<1, THREADS>>>(x, corrected);
    } else if (which == "blocks") {
        blocks<<<8, 32>>>(x, corrected);
    } else if (which == "uninitialised") {
        uninitialised<<<1, THREADS>>>(x, y);
    } else if (which == "barrier") {
        barrier<<<1, THREADS>>>(x, corrected);
    } else if (which == "misaligned") {
        misaligned<<<1, THREADS / 2>>>((char *)x, corrected);
    } else if (which == "freed") {
        if (!corrected) {
            CALL(cudaFree(x));
        }
        freed<<<1, THREADS>>>(x);
    } else if (which == "early") {
        // The host looks at the result before the copy is done.
        int *host;
        CALL(cudaMallocHost(&host, bytes));
        memset(host, 0xff, bytes);
        race<<<1, THREADS>>>(x, true);
        CALL(cudaMemcpyAsync(host, x, bytes, cudaMemcpyDeviceToHost, 0));
        if (corrected) {
            CALL(cudaStreamSynchronize(0));
        }
        HOLDS(host[0] == THREADS - 1);
    } else {
        printf("no mistake is called %s\n", which.c_str());
        return 2;
    }
    cudaDeviceSynchronize();
    printf("%s: %s\n", which.c_str(), cudaGetErrorString(cudaGetLastError()));
    return 0;
}
