// Mistakes planted on purpose, each beside its corrected twin. The line that a finding must name ends in a
// comment "BUG <kernel>"; the other side of a hazard, which a finding may name as well, in "ALSO <kernel>". Made into planted.ptx by make_ptx.py.

typedef unsigned int u32;

__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

extern "C" __global__ void out_of_bounds(float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= n)
    out[i] = 1.0f;  // BUG out_of_bounds
}
extern "C" __global__ void out_of_bounds_fixed(float* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = 1.0f;
}

extern "C" __global__ void misaligned(const float* in, float4* out) {
  out[threadIdx.x] = *(const float4*)(in + 4 * threadIdx.x + 1);  // BUG misaligned
}
extern "C" __global__ void misaligned_fixed(const float* in, float4* out) {
  out[threadIdx.x] = *(const float4*)(in + 4 * threadIdx.x);
}

extern "C" __global__ void uninitialised_shared(float* out) {
  __shared__ float tile[64];
  if (threadIdx.x < 32) tile[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];  // BUG uninitialised_shared
}
extern "C" __global__ void uninitialised_shared_fixed(float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void uninitialised_global(const float* in, float* out) {
  out[threadIdx.x] = in[threadIdx.x + 1];  // BUG uninitialised_global
}
extern "C" __global__ void uninitialised_global_fixed(const float* in, float* out) {
  out[threadIdx.x] = in[threadIdx.x];
}

extern "C" __global__ void uninitialised_local(float* out, int n) {
  float values[8];
  for (int i = 0; i < n; i++) values[i] = i;
  out[threadIdx.x] = values[(threadIdx.x + n) % 8];  // BUG uninitialised_local
}
extern "C" __global__ void uninitialised_local_fixed(float* out, int n) {
  float values[8];
  for (int i = 0; i < 8; i++) values[i] = i * n;
  out[threadIdx.x] = values[(threadIdx.x + n) % 8];
}

extern "C" __global__ void missing_barrier_write_read(float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;  // ALSO missing_barrier_write_read
  out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG missing_barrier_write_read
}
extern "C" __global__ void missing_barrier_write_read_fixed(float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  __syncthreads();
  out[threadIdx.x] = tile[63 - threadIdx.x];
}

extern "C" __global__ void missing_barrier_read_write(float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  __syncthreads();
  float x = tile[63 - threadIdx.x];  // ALSO missing_barrier_read_write
  tile[threadIdx.x] = x + 1.0f;  // BUG missing_barrier_read_write
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];
}
extern "C" __global__ void missing_barrier_read_write_fixed(float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  __syncthreads();
  float x = tile[63 - threadIdx.x];
  __syncthreads();
  tile[threadIdx.x] = x + 1.0f;
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void missing_syncwarp(float* out) {
  __shared__ volatile float tile[32];
  tile[threadIdx.x] = threadIdx.x;
  out[threadIdx.x] = ((float*)tile)[31 - threadIdx.x];  // BUG missing_syncwarp
}
extern "C" __global__ void missing_syncwarp_fixed(float* out) {
  __shared__ volatile float tile[32];
  tile[threadIdx.x] = threadIdx.x;
  __syncwarp();
  out[threadIdx.x] = ((float*)tile)[31 - threadIdx.x];
}

extern "C" __global__ void missing_copy_wait(const float4* in, float4* out) {
  __shared__ float4 tile[64];
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(&tile[threadIdx.x])), "l"(in + threadIdx.x));
  asm volatile("cp.async.commit_group;");
  __syncthreads();
  out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG missing_copy_wait
}
extern "C" __global__ void missing_copy_wait_fixed(const float4* in, float4* out) {
  __shared__ float4 tile[64];
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(&tile[threadIdx.x])), "l"(in + threadIdx.x));
  asm volatile("cp.async.commit_group;");
  asm volatile("cp.async.wait_group 0;" ::: "memory");
  __syncthreads();
  out[threadIdx.x] = tile[63 - threadIdx.x];
}

extern "C" __global__ void divergent_barrier(float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  if (threadIdx.x % 32 < 16)
    __syncthreads();  // BUG divergent_barrier
  else
    out[threadIdx.x] = 0;
  out[threadIdx.x] += 1;
}
extern "C" __global__ void divergent_barrier_fixed(float* out) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  __syncthreads();
  if (threadIdx.x % 32 < 16) out[threadIdx.x] = 0;
  out[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void missing_participant(int* out) {
  int x = threadIdx.x;
  if (threadIdx.x < 16)
    x = __shfl_xor_sync(0xffffffff, x, 1);  // BUG missing_participant
  out[threadIdx.x] = x;
}
extern "C" __global__ void missing_participant_fixed(int* out) {
  int x = threadIdx.x;
  if (threadIdx.x < 16) x = __shfl_xor_sync(0x0000ffff, x, 1);
  out[threadIdx.x] = x;
}

extern "C" __global__ void two_blocks_one_word(float* out) {
  if (threadIdx.x == 0)
    out[0] = blockIdx.x;  // BUG two_blocks_one_word
}
extern "C" __global__ void two_blocks_one_word_fixed(float* out) {
  if (threadIdx.x == 0) out[blockIdx.x] = blockIdx.x;
}

// The last block to finish adds up what the others wrote.
__device__ __forceinline__ void last_block_sum(float* part, u32* count, float* total) {
  __shared__ bool last;
  if (threadIdx.x == 0) last = atomicAdd(count, 1u) == gridDim.x - 1;
  __syncthreads();
  if (last && threadIdx.x == 0) {
    float sum = 0;
    for (int i = 0; i < gridDim.x; i++) sum += part[i];  // BUG missing_fence
    *total = sum;
    *count = 0;
  }
}
extern "C" __global__ void missing_fence(float* part, u32* count, float* total) {
  if (threadIdx.x == 0) part[blockIdx.x] = blockIdx.x;
  last_block_sum(part, count, total);
}
extern "C" __global__ void missing_fence_fixed(float* part, u32* count, float* total) {
  if (threadIdx.x == 0) part[blockIdx.x] = blockIdx.x;
  __threadfence();
  last_block_sum(part, count, total);
}

extern "C" __global__ void use_after_free(const float* in, float* out) {
  out[threadIdx.x] = in[threadIdx.x];  // BUG use_after_free
}

// A barrier over all blocks of the grid: they must all be resident.
extern "C" __global__ void grid_barrier(volatile u32* count, float* part, float* out) {
  part[blockIdx.x * blockDim.x + threadIdx.x] = blockIdx.x;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    atomicAdd((u32*)count, 1u);
    while (*count < gridDim.x) {
    }
    __threadfence();
  }
  __syncthreads();
  int other = (blockIdx.x + 1) % gridDim.x;
  out[blockIdx.x * blockDim.x + threadIdx.x] = part[other * blockDim.x + threadIdx.x];
}

// Waits for a flag that nobody sets.
extern "C" __global__ void never_set(volatile u32* flag) {
  while (*flag == 0) {
  }
}

// Each lane of a warp takes one lock after the other: hangs without independent thread scheduling.
extern "C" __global__ void lock_in_warp(u32* lock, u32* sum) {
  while (atomicCAS(lock, 0u, 1u) != 0u) {
  }
  *(volatile u32*)sum = *(volatile u32*)sum + 1;
  __threadfence();
  atomicExch(lock, 0u);
}
