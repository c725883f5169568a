// Graphs: captured from streams, put together by hand, changed and launched again.
#include "check.h"
#include <vector>

__global__ void set(int *x, int n, int value) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        x[i] = value + i;
    }
}

__global__ void add(const int *x, const int *y, int *z, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        z[i] = x[i] + y[i];
    }
}

static void CUDART_CB count(void *argument) { ++*(int *)argument; }

const int N = 300, BYTES = N * sizeof(int), THREADS = 64, BLOCKS = (N + THREADS - 1) / THREADS;

// Two branches that meet, captured.
static void captured(int *x, int *y, int *z) {
    cudaStream_t main_stream, side;
    cudaEvent_t fork, join;
    CALL(cudaStreamCreate(&main_stream));
    CALL(cudaStreamCreate(&side));
    CALL(cudaEventCreate(&fork));
    CALL(cudaEventCreate(&join));
    cudaStreamCaptureStatus status;
    CALL(cudaStreamBeginCapture(main_stream, cudaStreamCaptureModeGlobal));
    CALL(cudaStreamIsCapturing(main_stream, &status));
    HOLDS(status == cudaStreamCaptureStatusActive);
    CALL(cudaEventRecord(fork, main_stream));
    CALL(cudaStreamWaitEvent(side, fork, 0));
    set<<<BLOCKS, THREADS, 0, main_stream>>>(x, N, 100);
    set<<<BLOCKS, THREADS, 0, side>>>(y, N, 7);
    CALL(cudaEventRecord(join, side));
    CALL(cudaStreamWaitEvent(main_stream, join, 0));
    add<<<BLOCKS, THREADS, 0, main_stream>>>(x, y, z, N);
    cudaGraph_t graph;
    CALL(cudaStreamEndCapture(main_stream, &graph));
    size_t nodes = 0, roots = 0;
    CALL(cudaGraphGetNodes(graph, nullptr, &nodes));
    CALL(cudaGraphGetRootNodes(graph, nullptr, &roots));
    HOLDS(nodes == 3 && roots == 2);
    cudaGraphExec_t exec;
    CALL(cudaGraphInstantiate(&exec, graph, 0));
    for (int times = 0; times < 3; ++times) {
        CALL(cudaMemset(z, 0, BYTES));
        CALL(cudaGraphLaunch(exec, main_stream));
        std::vector<int> result(N);
        CALL(cudaStreamSynchronize(main_stream));
        CALL(cudaMemcpy(result.data(), z, BYTES, cudaMemcpyDeviceToHost));
        for (int i = 0; i < N; ++i) {
            HOLDS(result[i] == 107 + 2 * i);
        }
    }
    CALL(cudaGraphExecDestroy(exec));
    CALL(cudaGraphDestroy(graph));
    CALL(cudaEventDestroy(fork));
    CALL(cudaEventDestroy(join));
    CALL(cudaStreamDestroy(side));
    CALL(cudaStreamDestroy(main_stream));
}

// Fill, copy in, kernel, copy out, host function: made node by node.
static void by_hand(int *x, int *y, int *z) {
    std::vector<int> input(N), output(N, -1);
    for (int i = 0; i < N; ++i) {
        input[i] = i * i;
    }
    int calls = 0;
    cudaGraph_t graph;
    CALL(cudaGraphCreate(&graph, 0));
    cudaGraphNode_t fill, copy_in, kernel, copy_out, host;

    cudaMemsetParams set_params = {};
    set_params.dst = y;
    set_params.value = 5;
    set_params.elementSize = 4;
    set_params.width = N;
    set_params.height = 1;
    CALL(cudaGraphAddMemsetNode(&fill, graph, nullptr, 0, &set_params));
    CALL(cudaGraphAddMemcpyNode1D(&copy_in, graph, nullptr, 0, x, input.data(), BYTES, cudaMemcpyHostToDevice));

    int n = N;
    void *arguments[] = {&x, &y, &z, &n};
    cudaKernelNodeParams params = {};
    params.func = (void *)add;
    params.gridDim = dim3(BLOCKS);
    params.blockDim = dim3(THREADS);
    params.kernelParams = arguments;
    cudaGraphNode_t before[] = {fill, copy_in};
    CALL(cudaGraphAddKernelNode(&kernel, graph, before, 2, &params));
    CALL(cudaGraphAddMemcpyNode1D(&copy_out, graph, &kernel, 1, output.data(), z, BYTES, cudaMemcpyDeviceToHost));
    cudaHostNodeParams call = {count, &calls};
    CALL(cudaGraphAddHostNode(&host, graph, &copy_out, 1, &call));

    // The same edges once more, taken away and put back; and a node by the form for all kinds.
    cudaGraphNode_t last;
    cudaGraphNodeParams any = {};
    any.type = cudaGraphNodeTypeHost;
    any.host.fn = count;
    any.host.userData = &calls;
#if CUDART_VERSION >= 13000
    CALL(cudaGraphRemoveDependencies(graph, before, &kernel, nullptr, 1));
    CALL(cudaGraphAddDependencies(graph, before, &kernel, nullptr, 1));
    CALL(cudaGraphAddNode(&last, graph, &host, nullptr, 1, &any));
#else
    CALL(cudaGraphRemoveDependencies(graph, before, &kernel, 1));
    CALL(cudaGraphAddDependencies(graph, before, &kernel, 1));
    CALL(cudaGraphAddNode(&last, graph, &host, 1, &any));
#endif

    size_t edges = 0, after = 2;
    cudaGraphNode_t dependencies[2];
#if CUDART_VERSION >= 13000
    CALL(cudaGraphGetEdges(graph, nullptr, nullptr, nullptr, &edges));
    CALL(cudaGraphNodeGetDependencies(kernel, dependencies, nullptr, &after));
#else
    CALL(cudaGraphGetEdges(graph, nullptr, nullptr, &edges));
    CALL(cudaGraphNodeGetDependencies(kernel, dependencies, &after));
#endif
    HOLDS(edges == 5 && after == 2);
    cudaGraphNodeType type;
    CALL(cudaGraphNodeGetType(host, &type));
    HOLDS(type == cudaGraphNodeTypeHost);
    cudaKernelNodeParams found;
    CALL(cudaGraphKernelNodeGetParams(kernel, &found));
    HOLDS(found.func == (void *)add && found.gridDim.x == BLOCKS && found.blockDim.x == THREADS);
    HOLDS(*(int **)found.kernelParams[2] == z && *(int *)found.kernelParams[3] == N);
    cudaMemsetParams found_set;
    CALL(cudaGraphMemsetNodeGetParams(fill, &found_set));
    HOLDS(found_set.dst == y && found_set.value == 5 && found_set.width == N);

    cudaGraphExec_t exec;
    CALL(cudaGraphInstantiateWithFlags(&exec, graph, 0));
    CALL(cudaGraphLaunch(exec, 0));
    CALL(cudaDeviceSynchronize());
    for (int i = 0; i < N; ++i) {
        HOLDS(output[i] == i * i + 5);
    }
    // Another fill and fewer elements, in the executable graph.
    set_params.value = 9;
    CALL(cudaGraphExecMemsetNodeSetParams(exec, fill, &set_params));
    n = N / 2;
    CALL(cudaGraphExecKernelNodeSetParams(exec, kernel, &params));
    CALL(cudaGraphLaunch(exec, 0));
    CALL(cudaDeviceSynchronize());
    for (int i = 0; i < N; ++i) {
        HOLDS(output[i] == i * i + (i < N / 2 ? 9 : 5));
    }
    HOLDS(calls == 4);

    // A clone with a child graph: its nodes are found by those of the original.
    cudaGraph_t clone;
    cudaGraphNode_t copied, child;
    CALL(cudaGraphClone(&clone, graph));
    CALL(cudaGraphNodeFindInClone(&copied, kernel, clone));
    CALL(cudaGraphNodeGetType(copied, &type));
    HOLDS(type == cudaGraphNodeTypeKernel && copied != kernel);
    cudaGraph_t outer;
    CALL(cudaGraphCreate(&outer, 0));
    CALL(cudaGraphAddChildGraphNode(&child, outer, nullptr, 0, graph));
    cudaGraphExec_t again;
    CALL(cudaGraphInstantiate(&again, outer, 0));
    CALL(cudaGraphLaunch(again, 0));
    CALL(cudaDeviceSynchronize());
    HOLDS(calls == 6);
    CALL(cudaGraphExecDestroy(again));
    CALL(cudaGraphDestroy(outer));
    CALL(cudaGraphDestroy(clone));
    CALL(cudaGraphExecDestroy(exec));
    CALL(cudaGraphDestroy(graph));
}

int main() {
    int *x, *y, *z;
    CALL(cudaMalloc(&x, BYTES));
    CALL(cudaMalloc(&y, BYTES));
    CALL(cudaMalloc(&z, BYTES));
    captured(x, y, z);
    by_hand(x, y, z);
    CALL(cudaFree(x));
    CALL(cudaFree(y));
    CALL(cudaFree(z));
    printf("graphs: captured and made by hand\n");
    return 0;
}
