// The rest of the runtime: properties, symbols, pitched memory, attributes of kernels, errors, the driver's side.
#include "check.h"
#include <cstring>
#include <string>
#include <vector>

__constant__ float factors[4] = {1, 2, 3, 4};
__device__ int counter = 5;
__device__ int table[3][4];

__global__ void use(const float *x, float *y, size_t pitch, int width, int height) {
    int column = threadIdx.x, row = blockIdx.x;
    if (column < width && row < height) {
        const float *from = (const float *)((const char *)x + row * pitch);
        y[row * width + column] = from[column] * factors[row & 3];
    }
    if (column == 0 && row == 0) {
        counter += 1;
        table[2][3] = counter;
    }
}

__global__ void __launch_bounds__(64) bounded(int *x) { x[threadIdx.x] = 1; }

extern __shared__ int dynamic[];
__global__ void large(int *x, int n) {
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        dynamic[i] = i;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        *x = dynamic[n - 1];
    }
}

static void properties() {
    int count = 0, runtime = 0, driver = 0, value = 0;
    CALL(cudaGetDeviceCount(&count));
    HOLDS(count >= 1);
    CALL(cudaRuntimeGetVersion(&runtime));
    CALL(cudaDriverGetVersion(&driver));
    HOLDS(runtime / 1000 == CUDART_VERSION / 1000 && driver >= 12000);
    cudaDeviceProp p;
    CALL(cudaGetDeviceProperties(&p, 0));
    HOLDS(strlen(p.name) > 0 && p.totalGlobalMem > 0);
#define SAME(field, attribute)                                                                                         \
    CALL(cudaDeviceGetAttribute(&value, attribute, 0));                                                                \
    HOLDS((long long)p.field == value)
    SAME(major, cudaDevAttrComputeCapabilityMajor);
    SAME(minor, cudaDevAttrComputeCapabilityMinor);
    SAME(multiProcessorCount, cudaDevAttrMultiProcessorCount);
    SAME(sharedMemPerBlock, cudaDevAttrMaxSharedMemoryPerBlock);
    SAME(sharedMemPerBlockOptin, cudaDevAttrMaxSharedMemoryPerBlockOptin);
    SAME(sharedMemPerMultiprocessor, cudaDevAttrMaxSharedMemoryPerMultiprocessor);
    SAME(reservedSharedMemPerBlock, cudaDevAttrReservedSharedMemoryPerBlock);
    SAME(regsPerBlock, cudaDevAttrMaxRegistersPerBlock);
    SAME(regsPerMultiprocessor, cudaDevAttrMaxRegistersPerMultiprocessor);
    SAME(maxThreadsPerMultiProcessor, cudaDevAttrMaxThreadsPerMultiProcessor);
    SAME(maxBlocksPerMultiProcessor, cudaDevAttrMaxBlocksPerMultiprocessor);
    SAME(warpSize, cudaDevAttrWarpSize);
    SAME(memPitch, cudaDevAttrMaxPitch);
    SAME(maxThreadsDim[2], cudaDevAttrMaxBlockDimZ);
    SAME(maxGridSize[0], cudaDevAttrMaxGridDimX);
    SAME(totalConstMem, cudaDevAttrTotalConstantMemory);
    SAME(textureAlignment, cudaDevAttrTextureAlignment);
    SAME(texturePitchAlignment, cudaDevAttrTexturePitchAlignment);
    SAME(surfaceAlignment, cudaDevAttrSurfaceAlignment);
    SAME(l2CacheSize, cudaDevAttrL2CacheSize);
    SAME(memoryBusWidth, cudaDevAttrGlobalMemoryBusWidth);
    SAME(asyncEngineCount, cudaDevAttrAsyncEngineCount);
    SAME(unifiedAddressing, cudaDevAttrUnifiedAddressing);
    SAME(pciBusID, cudaDevAttrPciBusId);
    SAME(concurrentKernels, cudaDevAttrConcurrentKernels);
    SAME(managedMemory, cudaDevAttrManagedMemory);
    SAME(concurrentManagedAccess, cudaDevAttrConcurrentManagedAccess);
    SAME(cooperativeLaunch, cudaDevAttrCooperativeLaunch);
    SAME(streamPrioritiesSupported, cudaDevAttrStreamPrioritiesSupported);
    SAME(memoryPoolsSupported, cudaDevAttrMemoryPoolsSupported);
    SAME(hostRegisterSupported, cudaDevAttrHostRegisterSupported);
    SAME(clusterLaunch, cudaDevAttrClusterLaunch);
    SAME(ipcEventSupported, cudaDevAttrIpcEventSupport);
#if CUDART_VERSION < 13000
    SAME(clockRate, cudaDevAttrClockRate);
    SAME(memoryClockRate, cudaDevAttrMemoryClockRate);
    SAME(singleToDoublePrecisionPerfRatio, cudaDevAttrSingleToDoublePrecisionPerfRatio);
#endif
    char bus[32];
    int same = -1;
    CALL(cudaDeviceGetPCIBusId(bus, sizeof bus, 0));
    CALL(cudaDeviceGetByPCIBusId(&same, bus));
    HOLDS(same == 0);
    size_t limit = 0;
    for (int l = cudaLimitStackSize; l <= cudaLimitPersistingL2CacheSize; ++l) {
        CALL(cudaDeviceGetLimit(&limit, (cudaLimit)l));
    }
    CALL(cudaDeviceSetLimit(cudaLimitMallocHeapSize, 16 << 20));
    CALL(cudaDeviceGetLimit(&limit, cudaLimitMallocHeapSize));
    HOLDS(limit == 16 << 20);
}

static void memory() {
    const int width = 30, height = 7;
    std::vector<float> x(width * height), y(width * height);
    for (int i = 0; i < width * height; ++i) {
        x[i] = float(i);
    }
    float *d_x, *d_y;
    size_t pitch;
    CALL(cudaMallocPitch(&d_x, &pitch, width * sizeof(float), height));
    HOLDS(pitch >= width * sizeof(float));
    CALL(cudaMalloc(&d_y, width * height * sizeof(float)));
    CALL(cudaMemset2D(d_x, pitch, 0, width * sizeof(float), height));
    CALL(cudaMemcpy2D(d_x, pitch, x.data(), width * sizeof(float), width * sizeof(float), height,
                      cudaMemcpyHostToDevice));

    const float other[2] = {30, 40};
    CALL(cudaMemcpyToSymbol(factors, other, sizeof other, 2 * sizeof(float)));
    int start = 7;
    CALL(cudaMemcpyToSymbol(counter, &start, sizeof start));
    size_t size = 0;
    void *address = nullptr;
    CALL(cudaGetSymbolSize(&size, table));
    CALL(cudaGetSymbolAddress(&address, table));
    HOLDS(size == sizeof table && address);

    use<<<height, 32>>>(d_x, d_y, pitch, width, height);
    CALL(cudaGetLastError());
    CALL(cudaMemcpy(y.data(), d_y, width * height * sizeof(float), cudaMemcpyDefault));
    const float expected[4] = {1, 2, 30, 40};
    for (int i = 0; i < width * height; ++i) {
        HOLDS(y[i] == x[i] * expected[(i / width) & 3]);
    }
    int found = 0;
    CALL(cudaMemcpyFromSymbol(&found, table, sizeof found, sizeof table - sizeof found));
    HOLDS(found == 8);
    CALL(cudaMemcpy(&found, (char *)address + sizeof table - sizeof found, sizeof found, cudaMemcpyDeviceToHost));
    HOLDS(found == 8);

    // A box of 5 x 4 x 3 bytes out of one of 10 x 8 x 6.
    cudaPitchedPtr box;
    CALL(cudaMalloc3D(&box, make_cudaExtent(10, 8, 6)));
    CALL(cudaMemset3D(box, 1, make_cudaExtent(10, 8, 6)));
    std::vector<unsigned char> inner(5 * 4 * 3);
    cudaMemcpy3DParms p = {};
    p.srcPtr = box;
    p.srcPos = make_cudaPos(2, 3, 1);
    p.dstPtr = make_cudaPitchedPtr(inner.data(), 5, 5, 4);
    p.extent = make_cudaExtent(5, 4, 3);
    p.kind = cudaMemcpyDeviceToHost;
    CALL(cudaMemcpy3D(&p));
    for (unsigned char byte : inner) {
        HOLDS(byte == 1);
    }
    int nothing = 1;
    void *none = &nothing;
    CALL(cudaMalloc(&none, 0));
    HOLDS(none == nullptr);
    CALL(cudaFree(nullptr));
    CALL(cudaFree(box.ptr));
    CALL(cudaFree(d_x));
    CALL(cudaFree(d_y));
}

static void kernels() {
    cudaFuncAttributes attributes;
    CALL(cudaFuncGetAttributes(&attributes, bounded));
    HOLDS(attributes.maxThreadsPerBlock == 64 && attributes.numRegs > 0 && attributes.binaryVersion == 86 && attributes.ptxVersion == 86);
    int blocks, size;
    CALL(cudaOccupancyMaxPotentialBlockSize(&blocks, &size, use));
    HOLDS(blocks > 0 && size > 0 && size % 32 == 0);
    const char *name;
    CALL(cudaFuncGetName(&name, (const void *)bounded));
    HOLDS(std::string(name).find("bounded") != std::string::npos);

    // More than 48 KiB of shared memory has to be asked for.
    int *x, found = 0, n = 15000;
    CALL(cudaMalloc(&x, sizeof(int)));
    large<<<1, 32, n * sizeof(int)>>>(x, n);
    HOLDS(cudaGetLastError() == cudaErrorInvalidValue);
    CALL(cudaFuncSetAttribute(large, cudaFuncAttributeMaxDynamicSharedMemorySize, n * sizeof(int)));
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(1);
    config.blockDim = dim3(32);
    config.dynamicSmemBytes = n * sizeof(int);
    CALL(cudaLaunchKernelEx(&config, large, x, n));
    CALL(cudaMemcpy(&found, x, sizeof found, cudaMemcpyDeviceToHost));
    HOLDS(found == n - 1);
    CALL(cudaFree(x));
}

static void errors() {
    // An error is there until it is asked for, and a later success doesn't clear it.
    void *address;
    HOLDS(cudaSetDevice(99) == cudaErrorInvalidDevice);
    CALL(cudaMalloc(&address, 4));
    HOLDS(cudaPeekAtLastError() == cudaErrorInvalidDevice);
    HOLDS(cudaGetLastError() == cudaErrorInvalidDevice);
    HOLDS(cudaGetLastError() == cudaSuccess);
    bounded<<<1, 2000>>>((int *)address);
    HOLDS(cudaGetLastError() == cudaErrorInvalidConfiguration);
    bounded<<<1, 0>>>((int *)address);
    HOLDS(cudaGetLastError() == cudaErrorInvalidConfiguration);
    HOLDS(cudaMemcpy(address, address, 4, (cudaMemcpyKind)7) == cudaErrorInvalidMemcpyDirection);
    CALL(cudaFree(address));
    HOLDS(cudaMalloc(&address, ~size_t(0) / 2) == cudaErrorMemoryAllocation);
    HOLDS(cudaGetLastError() == cudaErrorMemoryAllocation);
    HOLDS(std::string(cudaGetErrorName(cudaErrorInvalidValue)) == "cudaErrorInvalidValue");
    HOLDS(std::string(cudaGetErrorString(cudaErrorMemoryAllocation)) == "out of memory");
}

// Stream-ordered memory, and host memory that is registered.
static void pools() {
    cudaMemPool_t own, standard;
    CALL(cudaDeviceGetDefaultMemPool(&standard, 0));
    unsigned long long threshold = 1 << 20, found = 0;
    CALL(cudaMemPoolSetAttribute(standard, cudaMemPoolAttrReleaseThreshold, &threshold));
    CALL(cudaMemPoolGetAttribute(standard, cudaMemPoolAttrReleaseThreshold, &found));
    HOLDS(found == threshold);
    cudaMemPoolProps properties = {};
    properties.allocType = cudaMemAllocationTypePinned;
    properties.location.type = cudaMemLocationTypeDevice;
    CALL(cudaMemPoolCreate(&own, &properties));
    int *x;
    CALL(cudaMallocFromPoolAsync((void **)&x, 64 * sizeof(int), own, 0));
    CALL(cudaMemPoolGetAttribute(own, cudaMemPoolAttrUsedMemCurrent, &found));
    HOLDS(found >= 64 * sizeof(int));
    bounded<<<1, 64>>>(x);
    std::vector<int> host(64);
    CALL(cudaHostRegister(host.data(), 64 * sizeof(int), cudaHostRegisterDefault));
    cudaPointerAttributes attributes;
    CALL(cudaPointerGetAttributes(&attributes, host.data()));
    HOLDS(attributes.type == cudaMemoryTypeHost);
    CALL(cudaMemcpyAsync(host.data(), x, 64 * sizeof(int), cudaMemcpyDeviceToHost, 0));
    CALL(cudaFreeAsync(x, 0));
    CALL(cudaStreamSynchronize(0));
    HOLDS(host[63] == 1);
    CALL(cudaHostUnregister(host.data()));
    CALL(cudaMemPoolTrimTo(own, 0));
    CALL(cudaMemPoolDestroy(own));
}

// One device has no peers.
static void peers() {
    int can = -1, *x, *y, found[4], numbers[4] = {1, 2, 3, 4};
    CALL(cudaDeviceCanAccessPeer(&can, 0, 0));
    HOLDS(can == 0);
    HOLDS(cudaDeviceEnablePeerAccess(0, 0) == cudaErrorInvalidDevice);
    HOLDS(cudaGetLastError() == cudaErrorInvalidDevice);
    CALL(cudaMalloc(&x, sizeof numbers));
    CALL(cudaMalloc(&y, sizeof numbers));
    CALL(cudaMemcpy(x, numbers, sizeof numbers, cudaMemcpyHostToDevice));
    CALL(cudaMemcpyPeer(y, 0, x, 0, sizeof numbers));
    CALL(cudaMemcpy(found, y, sizeof numbers, cudaMemcpyDeviceToHost));
    HOLDS(found[3] == 4);
    CALL(cudaFree(x));
    CALL(cudaFree(y));
}

#if CUDART_VERSION >= 13000
// Code that comes at run time, as PTX.
static void libraries() {
    const char *text = ".version 8.0\n.target sm_80\n.address_size 64\n"
                       ".visible .entry store(.param .u64 p)\n{\n.reg .b64 %a;\n.reg .b32 %v;\n"
                       "ld.param.u64 %a, [p];\nmov.u32 %v, 77;\nst.global.u32 [%a], %v;\nret;\n}\n";
    cudaLibrary_t library;
    cudaKernel_t kernel, enumerated;
    unsigned count = 0;
    CALL(cudaLibraryLoadData(&library, text, nullptr, nullptr, 0, nullptr, nullptr, 0));
    CALL(cudaLibraryGetKernelCount(&count, library));
    CALL(cudaLibraryEnumerateKernels(&enumerated, 1, library));
    CALL(cudaLibraryGetKernel(&kernel, library, "store"));
    HOLDS(count == 1 && kernel == enumerated);
    int *x, found = 0;
    CALL(cudaMalloc(&x, sizeof(int)));
    void *arguments[] = {&x};
    CALL(cudaLaunchKernel((const void *)kernel, dim3(1), dim3(1), arguments, 0, 0));
    CALL(cudaMemcpy(&found, x, sizeof found, cudaMemcpyDeviceToHost));
    HOLDS(found == 77);
    CALL(cudaFree(x));
    CALL(cudaLibraryUnload(library));
}
#endif

// The driver's view of the same device: the runtime works in its primary context.
static void with_the_driver() {
    typedef int (*GetCurrent)(void **);
    typedef int (*Alloc)(unsigned long long *, size_t);
    GetCurrent get_current = nullptr;
    Alloc alloc = nullptr;
#if CUDART_VERSION >= 13000
    CALL(cudaGetDriverEntryPointByVersion("cuCtxGetCurrent", (void **)&get_current, 12000, cudaEnableDefault));
    CALL(cudaGetDriverEntryPointByVersion("cuMemAlloc", (void **)&alloc, 12000, cudaEnableDefault));
#else
    CALL(cudaGetDriverEntryPoint("cuCtxGetCurrent", (void **)&get_current, cudaEnableDefault));
    CALL(cudaGetDriverEntryPoint("cuMemAlloc", (void **)&alloc, cudaEnableDefault));
#endif
    void *context = nullptr;
    unsigned long long address = 0;
    HOLDS(get_current(&context) == 0 && context);
    HOLDS(alloc(&address, 64 * sizeof(int)) == 0);
    bounded<<<1, 64>>>((int *)address);
    int found[64];
    CALL(cudaMemcpy(found, (void *)address, sizeof found, cudaMemcpyDeviceToHost));
    HOLDS(found[63] == 1);
    CALL(cudaFree((void *)address));
}

int main() {
    properties();
    memory();
    kernels();
    errors();
    pools();
    peers();
#if CUDART_VERSION >= 13000
    libraries();
#endif
    with_the_driver();
    // A device that was reset is as new: variables have their first values again.
    CALL(cudaDeviceReset());
    int value = 0;
    CALL(cudaMemcpyFromSymbol(&value, counter, sizeof value));
    HOLDS(value == 5);
    printf("properties, memory, kernels, errors, driver\n");
    return 0;
}
