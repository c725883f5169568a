// Managed memory: one address for host and device; a linked list, managed variables, advice and prefetches.
#include "check.h"
#include <vector>

struct Node {
    int value;
    Node *next;
};

__managed__ int total;
__device__ __managed__ int table[8] = {1, 2, 3, 4, 5, 6, 7, 8};

__global__ void walk(const Node *node) {
    int sum = 0;
    for (; node; node = node->next) {
        sum += node->value;
    }
    total += sum;
}

__global__ void twice() { table[threadIdx.x] *= 2; }

int main() {
    // The variables have their values before the first kernel.
    HOLDS(table[7] == 8);
    total = 1000;
    Node *list = nullptr;
    for (int i = 1; i <= 10; ++i) {
        Node *node;
        CALL(cudaMallocManaged(&node, sizeof(Node)));
        node->value = i;
        node->next = list;
        list = node;
    }
    walk<<<1, 1>>>(list);
    twice<<<1, 8>>>();
    CALL(cudaGetLastError());
    CALL(cudaDeviceSynchronize());
    HOLDS(total == 1055);
    HOLDS(table[0] == 2 && table[7] == 16);

    int *numbers, device;
    CALL(cudaGetDevice(&device));
    CALL(cudaMallocManaged(&numbers, 1 << 16));
#if CUDART_VERSION >= 13000
    cudaMemLocation here = {};
    here.type = cudaMemLocationTypeDevice;
    here.id = device;
    CALL(cudaMemAdvise(numbers, 1 << 16, cudaMemAdviseSetPreferredLocation, here));
    CALL(cudaMemPrefetchAsync(numbers, 1 << 16, here, 0, 0));
#else
    CALL(cudaMemAdvise(numbers, 1 << 16, cudaMemAdviseSetPreferredLocation, device));
    CALL(cudaMemPrefetchAsync(numbers, 1 << 16, device, 0));
#endif
    CALL(cudaMemset(numbers, 0, 1 << 16));
    CALL(cudaDeviceSynchronize());
    HOLDS(numbers[100] == 0);

    cudaPointerAttributes attributes;
    CALL(cudaPointerGetAttributes(&attributes, numbers));
    HOLDS(attributes.type == cudaMemoryTypeManaged);
    HOLDS(attributes.devicePointer == numbers && attributes.hostPointer == numbers);
    CALL(cudaPointerGetAttributes(&attributes, &device));
    HOLDS(attributes.type == cudaMemoryTypeUnregistered);

    CALL(cudaFree(numbers));
    while (list) {
        Node *next = list->next;
        CALL(cudaFree(list));
        list = next;
    }
    printf("managed memory: %d\n", total);
    return 0;
}
