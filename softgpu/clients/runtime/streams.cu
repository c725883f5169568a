// Copies and kernels in several streams, tied together by events and host functions.
#include "check.h"
#include <atomic>

__global__ void scale(const float *x, float *y, int n, float factor) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        y[i] = x[i] * factor;
    }
}

__global__ void add(const float *x, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        y[i] += x[i];
    }
}

static std::atomic<int> functions{0}, callbacks{0};

static void CUDART_CB count(void *argument) { functions += *(int *)argument; }

static void CUDART_CB called(cudaStream_t, cudaError_t status, void *argument) {
    callbacks += status == cudaSuccess ? *(int *)argument : 1000;
}

int main() {
    const int parts = 4, n = 1000, bytes = n * sizeof(float);
    float *host, *result, *x[parts], *y[parts], *sum;
    CALL(cudaMallocHost(&host, parts * bytes));
    CALL(cudaHostAlloc(&result, bytes, cudaHostAllocDefault));
    for (int i = 0; i < parts * n; ++i) {
        host[i] = float(i);
    }
    int least, greatest;
    CALL(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    HOLDS(greatest <= least);
    cudaStream_t streams[parts], last;
    cudaEvent_t done[parts], begin, end;
    CALL(cudaStreamCreateWithPriority(&last, cudaStreamNonBlocking, greatest));
    CALL(cudaEventCreate(&begin));
    CALL(cudaEventCreate(&end));
    CALL(cudaMalloc(&sum, bytes));
    CALL(cudaMemsetAsync(sum, 0, bytes, last));
    CALL(cudaEventRecord(begin, last));

    int one = 1;
    for (int p = 0; p < parts; ++p) {
        CALL(cudaStreamCreateWithFlags(&streams[p], cudaStreamNonBlocking));
        CALL(cudaEventCreateWithFlags(&done[p], cudaEventDisableTiming));
        CALL(cudaMallocAsync((void **)&x[p], bytes, streams[p]));
        CALL(cudaMallocAsync((void **)&y[p], bytes, streams[p]));
        CALL(cudaMemcpyAsync(x[p], host + p * n, bytes, cudaMemcpyHostToDevice, streams[p]));
        scale<<<(n + 127) / 128, 128, 0, streams[p]>>>(x[p], y[p], n, float(p + 1));
        CALL(cudaGetLastError());
        CALL(cudaLaunchHostFunc(streams[p], count, &one));
        CALL(cudaEventRecord(done[p], streams[p]));
    }
    for (int p = 0; p < parts; ++p) {
        CALL(cudaStreamWaitEvent(last, done[p], 0));
        add<<<(n + 127) / 128, 128, 0, last>>>(y[p], sum, n);
    }
    CALL(cudaMemcpyAsync(result, sum, bytes, cudaMemcpyDeviceToHost, last));
    CALL(cudaEventRecord(end, last));
    CALL(cudaStreamAddCallback(last, called, &one, 0));
    CALL(cudaStreamSynchronize(last));
    HOLDS(cudaStreamQuery(last) == cudaSuccess && cudaEventQuery(end) == cudaSuccess);
    float milliseconds = -1;
    CALL(cudaEventElapsedTime(&milliseconds, begin, end));
    HOLDS(milliseconds >= 0);
    HOLDS(functions == parts && callbacks == 1);
    for (int i = 0; i < n; ++i) {
        float expected = 0;
        for (int p = 0; p < parts; ++p) {
            expected += float(p * n + i) * float(p + 1);
        }
        HOLDS(result[i] == expected);
    }
    for (int p = 0; p < parts; ++p) {
        CALL(cudaFreeAsync(x[p], streams[p]));
        CALL(cudaFreeAsync(y[p], streams[p]));
        CALL(cudaStreamDestroy(streams[p]));
        CALL(cudaEventDestroy(done[p]));
    }
    CALL(cudaStreamDestroy(last));
    CALL(cudaEventDestroy(begin));
    CALL(cudaEventDestroy(end));
    CALL(cudaFree(sum));
    CALL(cudaFreeHost(host));
    CALL(cudaFreeHost(result));
    CALL(cudaDeviceSynchronize());
    printf("%d streams, %d host functions\n", parts, functions.load());
    return 0;
}
