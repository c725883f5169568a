// Compiled with --default-stream per-thread: the default stream of each host thread is its own.
#include "check.h"
#include <thread>
#include <vector>

__global__ void fill(int *x, int n, int value) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        x[i] = value + i;
    }
}

static void work(int number) {
    const int n = 500;
    int *x;
    std::vector<int> result(n);
    CALL(cudaSetDevice(0));
    CALL(cudaMalloc(&x, n * sizeof(int)));
    for (int round = 0; round < 4; ++round) {
        fill<<<(n + 63) / 64, 64>>>(x, n, number * 1000 + round);
        CALL(cudaGetLastError());
        CALL(cudaMemcpyAsync(result.data(), x, n * sizeof(int), cudaMemcpyDeviceToHost));
        CALL(cudaStreamSynchronize(0));
        for (int i = 0; i < n; ++i) {
            HOLDS(result[i] == number * 1000 + round + i);
        }
    }
    CALL(cudaFree(x));
    // An error is the thread's own.
    if (number == 0) {
        HOLDS(cudaSetDevice(99) == cudaErrorInvalidDevice);
    }
    HOLDS(cudaGetLastError() == (number == 0 ? cudaErrorInvalidDevice : cudaSuccess));
}

int main() {
    unsigned long long here = 0, there = 0, legacy = 0;
    CALL(cudaStreamGetId(0, &here));
    CALL(cudaStreamGetId(cudaStreamLegacy, &legacy));
    HOLDS(here != legacy);
    std::thread other([&] { CALL(cudaStreamGetId(0, &there)); });
    other.join();
    HOLDS(there != here && there != legacy);
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
        threads.emplace_back(work, number);
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CALL(cudaDeviceSynchronize());
    printf("4 threads, a default stream each\n");
    return 0;
}
