// Sorting, sums, scans and compaction by Thrust and CUB, against the host's.
#include "check.h"
#include <algorithm>
#include <cub/cub.cuh>
#include <numeric>
#include <thrust/copy.h>
#include <thrust/device_vector.h>
#include <thrust/reduce.h>
#include <thrust/scan.h>
#include <thrust/sort.h>
#include <vector>

struct Even {
    __host__ __device__ bool operator()(unsigned x) const { return x % 2 == 0; }
};

int main() {
    const int n = 50021;
    std::vector<unsigned> values(n), got(n);
    unsigned state = 1;
    for (unsigned &value : values) {
        state = state * 1664525u + 1013904223u;
        value = state >> 4;
    }
    thrust::device_vector<unsigned> device(values.begin(), values.end()), other(n);

    unsigned long long sum = thrust::reduce(device.begin(), device.end(), 0ull);
    HOLDS(sum == std::accumulate(values.begin(), values.end(), 0ull));

    auto end = thrust::copy_if(device.begin(), device.end(), other.begin(), Even());
    HOLDS(end - other.begin() == std::count_if(values.begin(), values.end(), Even()));

    thrust::inclusive_scan(device.begin(), device.end(), other.begin());
    thrust::copy(other.begin(), other.end(), got.begin());
    std::vector<unsigned> expected(n);
    std::partial_sum(values.begin(), values.end(), expected.begin());
    HOLDS(got == expected);

    thrust::sort(device.begin(), device.end());
    thrust::copy(device.begin(), device.end(), got.begin());
    std::sort(values.begin(), values.end());
    HOLDS(got == values);

    // CUB, which is told twice: first it says how much memory it needs.
    void *room = nullptr;
    size_t bytes = 0;
    unsigned most = 0, *input = thrust::raw_pointer_cast(device.data()), *result;
    CALL(cudaMalloc(&result, sizeof most));
    CALL(cub::DeviceReduce::Max(room, bytes, input, result, n));
    CALL(cudaMalloc(&room, bytes));
    CALL(cub::DeviceReduce::Max(room, bytes, input, result, n));
    CALL(cudaMemcpy(&most, result, sizeof most, cudaMemcpyDeviceToHost));
    HOLDS(most == values.back());
    CALL(cudaFree(room));
    CALL(cudaFree(result));
    puts("sorted, summed, scanned, selected");
    return 0;
}
