// The ten mistakes of docs/mistakes.md, one a run, named by the argument, and their corrections: `mistakes ragged` and
// `mistakes ragged corrected`. Each line that a finding names ends in a comment with the mistake's name.
#include "check.h"
#include <cstring>

// 1. The grid is rounded up to whole blocks, and nobody asks whether a thread has an element.
__global__ void ragged(float *x, const float *bias, int n, int columns) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    x[i] += bias[i % columns]; // ragged
}
__global__ void ragged_corrected(float *x, const float *bias, int n, int columns) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        x[i] += bias[i % columns];
    }
}

// 2. The index of an element is computed in 32 bits, but the table has more than 2^31 elements.
__global__ void overflow(const char *table, const int *rows, char *out, int width) {
    int column = threadIdx.x;
    out[column] = table[rows[0] * width + column]; // overflow
}
__global__ void overflow_corrected(const char *table, const int *rows, char *out, int width) {
    int column = threadIdx.x;
    out[column] = table[(long long)rows[0] * width + column];
}

// 3. A loop over tiles has a barrier after the tile is filled, and none before it is filled again.
__global__ void tiles(const float *x, float *sums, int n) {
    __shared__ float tile[64];
    float sum = 0;
    for (int start = 0; start < n; start += 64) {
        tile[threadIdx.x] = x[start + threadIdx.x]; // tiles
        __syncthreads();
        for (int k = 0; k < 64; k++) {
            sum += tile[k] * threadIdx.x; // tiles
        }
    }
    sums[threadIdx.x] = sum;
}
__global__ void tiles_corrected(const float *x, float *sums, int n) {
    __shared__ float tile[64];
    float sum = 0;
    for (int start = 0; start < n; start += 64) {
        tile[threadIdx.x] = x[start + threadIdx.x];
        __syncthreads();
        for (int k = 0; k < 64; k++) {
            sum += tile[k] * threadIdx.x;
        }
        __syncthreads();
    }
    sums[threadIdx.x] = sum;
}

// 4. A warp adds up in shared memory as if its threads went in step.
__global__ void lockstep(const float *x, float *sum) {
    __shared__ float part[32];
    int i = threadIdx.x;
    part[i] = x[i]; // lockstep
    for (int step = 16; step > 0; step /= 2) {
        if (i < step) {
            part[i] += part[i + step]; // lockstep
        }
    }
    if (i == 0) {
        *sum = part[0];
    }
}
__global__ void lockstep_corrected(const float *x, float *sum) {
    __shared__ float part[32];
    int i = threadIdx.x;
    part[i] = x[i];
    for (int step = 16; step > 0; step /= 2) {
        __syncwarp();
        if (i < step) {
            part[i] += part[i + step];
        }
    }
    if (i == 0) {
        *sum = part[0];
    }
}

// 5. Two groups of 16 threads take their maximum with the mask of the first.
__global__ void mask(const float *x, float *most) {
    float mine = x[threadIdx.x];
    for (int step = 8; step > 0; step /= 2) {
        mine = fmaxf(mine, __shfl_xor_sync(0xffff, mine, step)); // mask
    }
    most[threadIdx.x] = mine;
}
__global__ void mask_corrected(const float *x, float *most) {
    float mine = x[threadIdx.x];
    unsigned group = 0xffffu << (threadIdx.x & 16);
    for (int step = 8; step > 0; step /= 2) {
        mine = fmaxf(mine, __shfl_xor_sync(group, mine, step));
    }
    most[threadIdx.x] = mine;
}

// 6. Threads without an element return before the barrier.
__global__ void returned(const int *x, int *sums, int n) {
    __shared__ int part[64];
    int i = blockIdx.x * 64 + threadIdx.x;
    if (i >= n) {
        return;
    }
    part[threadIdx.x] = x[i];
    __syncthreads(); // returned
    if (threadIdx.x == 0) {
        for (int k = 1; k < 64 && i + k < n; k++) {
            part[0] += part[k];
        }
        sums[blockIdx.x] = part[0];
    }
}
__global__ void returned_corrected(const int *x, int *sums, int n) {
    __shared__ int part[64];
    int i = blockIdx.x * 64 + threadIdx.x;
    part[threadIdx.x] = i < n ? x[i] : 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int k = 1; k < 64; k++) {
            part[0] += part[k];
        }
        sums[blockIdx.x] = part[0];
    }
}

// 7. A kernel adds to a result that nobody has set to zero: the correction is the host's.
__global__ void unset(const int *x, int *sum) {
    atomicAdd(sum, x[threadIdx.x]); // unset
}

// 8. A row is read two numbers at a time, also where it begins at an odd number.
__global__ void vectors(const float *x, float *sums, int columns) {
    const float *row = x + blockIdx.x * columns;
    float2 two = ((const float2 *)row)[threadIdx.x]; // vectors
    atomicAdd(&sums[blockIdx.x], two.x + two.y);
}
__global__ void vectors_corrected(const float *x, float *sums, int columns) {
    const float *row = x + blockIdx.x * columns;
    float2 two;
    if ((size_t)row % sizeof(float2) == 0) {
        two = ((const float2 *)row)[threadIdx.x];
    } else {
        two = make_float2(row[2 * threadIdx.x], row[2 * threadIdx.x + 1]);
    }
    atomicAdd(&sums[blockIdx.x], two.x + two.y);
}

// 9. The last block to come adds up what all have written; nothing says that it sees what they wrote.
__device__ void last_adds(const int *part, unsigned *count, int *sum) {
    if (atomicAdd(count, 1) == gridDim.x - 1) {
        int total = 0;
        for (int block = 0; block < gridDim.x; block++) {
            total += part[block]; // fence
        }
        *sum = total;
    }
}
__global__ void fence(int *part, unsigned *count, int *sum) {
    part[blockIdx.x] = blockIdx.x;
    last_adds(part, count, sum); // fence
}
__global__ void fence_corrected(int *part, unsigned *count, int *sum) {
    part[blockIdx.x] = blockIdx.x;
    __threadfence();
    last_adds(part, count, sum);
}

// 10. The host looks at a result before the copy is done: the kernel is right.
__global__ void numbers(int *x) {
    x[threadIdx.x] = threadIdx.x + 1;
}
int early(int *x, bool corrected) {
    int *host;
    CALL(cudaMallocHost(&host, 64 * sizeof(int)));
    memset(host, 0, 64 * sizeof(int));
    numbers<<<1, 64>>>(x);
    CALL(cudaMemcpyAsync(host, x, 64 * sizeof(int), cudaMemcpyDeviceToHost, 0));
    if (corrected) {
        CALL(cudaStreamSynchronize(0));
    }
    int last = host[63];
    CALL(cudaFreeHost(host));
    return last;
}

template <typename T> T *zeros(size_t count) {
    T *x;
    CALL(cudaMalloc(&x, count * sizeof(T)));
    CALL(cudaMemset(x, 0, count * sizeof(T)));
    return x;
}

int main(int count, char **words) {
    HOLDS(count >= 2);
    auto called = [&](const char *name) { return !strcmp(words[1], name); };
    bool corrected = count > 2 && !strcmp(words[2], "corrected");
    float *x = zeros<float>(1024), *y = zeros<float>(1000);
    int *n = zeros<int>(64), *m = zeros<int>(64);
    if (called("ragged")) {
        (corrected ? ragged_corrected : ragged)<<<4, 256>>>(y, x, 1000, 50);
    } else if (called("overflow")) {
        // The last row of a table of 70,000 rows of 32,768 bytes.
        const int row = 69999, width = 32768;
        char *table, *out;
        CALL(cudaMalloc(&table, size_t(row + 1) * width));
        CALL(cudaMalloc(&out, 64));
        CALL(cudaMemset(table + size_t(row) * width, 1, width));
        CALL(cudaMemcpy(n, &row, sizeof(int), cudaMemcpyHostToDevice));
        (corrected ? overflow_corrected : overflow)<<<1, 64>>>(table, n, out, width);
    } else if (called("tiles")) {
        (corrected ? tiles_corrected : tiles)<<<1, 64>>>(x, y, 128);
    } else if (called("lockstep")) {
        (corrected ? lockstep_corrected : lockstep)<<<1, 32>>>(x, y);
    } else if (called("mask")) {
        (corrected ? mask_corrected : mask)<<<1, 32>>>(x, y);
    } else if (called("returned")) {
        (corrected ? returned_corrected : returned)<<<1, 64>>>(n, m, 50);
    } else if (called("unset")) {
        int *sum;
        CALL(cudaMalloc(&sum, sizeof(int)));
        if (corrected) {
            CALL(cudaMemset(sum, 0, sizeof(int)));
        }
        unset<<<1, 64>>>(n, sum);
    } else if (called("vectors")) {
        (corrected ? vectors_corrected : vectors)<<<2, 32>>>(x, y, 65);
    } else if (called("fence")) {
        (corrected ? fence_corrected : fence)<<<8, 1>>>(n, (unsigned *)m, m + 1);
    } else if (called("early")) {
        int last = early(n, corrected);
        printf("the last number is %d\n", last);
        return last != 64;
    } else {
        printf("no mistake is called %s\n", words[1]);
        return 2;
    }
    cudaDeviceSynchronize();
    return cudaGetLastError() != cudaSuccess;
}
