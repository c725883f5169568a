// Sums by cooperative groups: shuffles in tiles of a warp, shared memory in a block, a barrier over the whole grid.
#include "check.h"
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <vector>

namespace cg = cooperative_groups;

// Each block leaves the sum of its elements in parts[]; after the grid's barrier block 0 adds the parts.
__global__ void sum(const int *x, int n, long long *parts, long long *result) {
    cg::grid_group grid = cg::this_grid();
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
    __shared__ long long warps[32];

    long long own = 0;
    for (unsigned long long i = grid.thread_rank(); i < n; i += grid.size()) {
        own += x[i];
    }
    own = cg::reduce(warp, own, cg::plus<long long>());
    if (warp.thread_rank() == 0) {
        warps[warp.meta_group_rank()] = own;
    }
    block.sync();
    if (block.thread_rank() == 0) {
        long long all = 0;
        for (unsigned w = 0; w < warp.meta_group_size(); ++w) {
            all += warps[w];
        }
        parts[blockIdx.x] = all;
    }
    grid.sync();
    if (grid.thread_rank() == 0) {
        long long all = 0;
        for (unsigned b = 0; b < gridDim.x; ++b) {
            all += parts[b];
        }
        *result = all;
    }
}

int main() {
    const int n = 100003, threads = 128;
    std::vector<int> x(n);
    long long expected = 0;
    for (int i = 0; i < n; ++i) {
        x[i] = (i * 2654435761u) >> 12;
        expected += x[i];
    }

    int device = 0, cooperative = 0, processors = 0, per_processor = 0;
    CALL(cudaGetDevice(&device));
    CALL(cudaDeviceGetAttribute(&cooperative, cudaDevAttrCooperativeLaunch, device));
    HOLDS(cooperative == 1);
    CALL(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device));
    CALL(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&per_processor, sum, threads, 0));
    HOLDS(per_processor > 0);
    int blocks = 24;
    HOLDS(blocks <= processors * per_processor);

    int *d_x;
    long long *d_parts, *d_result, result = 0;
    CALL(cudaMalloc(&d_x, n * sizeof(int)));
    CALL(cudaMalloc(&d_parts, blocks * sizeof(long long)));
    CALL(cudaMalloc(&d_result, sizeof(long long)));
    CALL(cudaMemcpy(d_x, x.data(), n * sizeof(int), cudaMemcpyHostToDevice));
    int count = n;
    void *arguments[] = {&d_x, &count, &d_parts, &d_result};
    CALL(cudaLaunchCooperativeKernel((const void *)sum, dim3(blocks), dim3(threads), arguments, 0, 0));
    CALL(cudaMemcpy(&result, d_result, sizeof result, cudaMemcpyDeviceToHost));
    HOLDS(result == expected);

    // More blocks than fit at once could never meet.
    cudaError_t error = cudaLaunchCooperativeKernel((const void *)sum, dim3(processors * per_processor + 1),
                                                    dim3(threads), arguments, 0, 0);
    HOLDS(error == cudaErrorCooperativeLaunchTooLarge);
    HOLDS(cudaGetLastError() == cudaErrorCooperativeLaunchTooLarge);
    HOLDS(cudaGetLastError() == cudaSuccess);

    CALL(cudaFree(d_x));
    CALL(cudaFree(d_parts));
    CALL(cudaFree(d_result));
    printf("sum of %d numbers: %lld\n", n, result);
    return 0;
}
