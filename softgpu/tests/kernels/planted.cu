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

// The barrier over the grid again and again: the last block to come sets the generation, for which the others wait.
__device__ volatile u32 generation;
__device__ u32 arrivals;
static __device__ void meet() {
  __syncthreads();
  if (threadIdx.x == 0) {
    u32 now = generation;
    __threadfence();
    if (atomicAdd(&arrivals, 1u) == gridDim.x - 1) {
      arrivals = 0;
      __threadfence();
      generation = now + 1;
    } else {
      while (generation == now) {
      }
    }
    __threadfence();
  }
  __syncthreads();
}

static __device__ void shift(float* from, float* to, int rounds, int skipped) {
  int n = gridDim.x * blockDim.x, i = blockIdx.x * blockDim.x + threadIdx.x;
  from[i] = i;
  meet();
  for (int round = 0; round < rounds; round++) {
    to[i] = from[(i + blockDim.x) % n] + 1; // BUG missing_grid_barrier
    if (round != skipped) meet();
    float* other = from;
    from = to;
    to = other;
  }
}
extern "C" __global__ void missing_grid_barrier(float* a, float* b) { shift(a, b, 6, 3); }
extern "C" __global__ void missing_grid_barrier_fixed(float* a, float* b) { shift(a, b, 6, -1); }

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

// Two blocks write one byte; the twin's blocks write different bytes of one word.
extern "C" __global__ void two_blocks_one_byte(unsigned char* out) {
  if (threadIdx.x == 0)
    out[blockIdx.x % 3] = blockIdx.x;  // BUG two_blocks_one_byte
}
extern "C" __global__ void two_blocks_one_byte_fixed(unsigned char* out) {
  if (threadIdx.x == 0) out[blockIdx.x] = blockIdx.x;
}

// Two blocks add to one element of 16 bits; the twin's blocks to one each, two of them in a word.
extern "C" __global__ void two_blocks_one_half(unsigned short* out) {
  if (threadIdx.x == 0)
    out[blockIdx.x / 2] += 1;  // BUG two_blocks_one_half
}
extern "C" __global__ void two_blocks_one_half_fixed(unsigned short* out) {
  if (threadIdx.x == 0) out[blockIdx.x] += 1;
}

// All blocks read the first byte and add it to another; one of them to the first itself. The twin's all have their own.
extern "C" __global__ void all_read_one_byte(unsigned char* out) {
  if (threadIdx.x == 0) {
    unsigned char x = out[0];  // ALSO all_read_one_byte
    out[blockIdx.x] = x + 1;  // BUG all_read_one_byte
  }
}
extern "C" __global__ void all_read_one_byte_fixed(unsigned char* out) {
  if (threadIdx.x == 0) out[blockIdx.x + 1] += out[0];
}

// Every block reads a word, the last to come writes it; one reader never says that it is done.
extern "C" __global__ void reader_without_release(float* word, u32* count, float* out) {
  if (threadIdx.x != 0) return;
  float x = word[0];  // ALSO reader_without_release
  out[blockIdx.x] = x;
  if (blockIdx.x == 3) return;
  __threadfence();
  if (atomicAdd(count, 1u) == gridDim.x - 2)
    word[0] = x + 1;  // BUG reader_without_release
}
extern "C" __global__ void reader_without_release_fixed(float* word, u32* count, float* out) {
  if (threadIdx.x != 0) return;
  float x = word[0];
  out[blockIdx.x] = x;
  __threadfence();
  if (atomicAdd(count, 1u) == gridDim.x - 1) word[0] = x + 1;
}

// mbarrier objects, in the forms that sm_80 has.
typedef unsigned long long u64;
__device__ __forceinline__ void mbarrier_init(u64* at, u32 count) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(at)), "r"(count) : "memory");
}
__device__ __forceinline__ u64 mbarrier_arrive(u64* at) {
  u64 token;
  asm volatile("mbarrier.arrive.shared.b64 %0, [%1];" : "=l"(token) : "r"(shared_address(at)) : "memory");
  return token;
}
__device__ __forceinline__ bool mbarrier_test(u64* at, u64 token) {
  u32 done;
  asm volatile("{ .reg .pred p; mbarrier.test_wait.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
               : "=r"(done) : "r"(shared_address(at)), "l"(token) : "memory");
  return done;
}
__device__ __forceinline__ void mbarrier_wait(u64* at, u32 parity) {
  u32 done;
  do {
    asm volatile("{ .reg .pred p; mbarrier.test_wait.parity.shared.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                 : "=r"(done) : "r"(shared_address(at)), "r"(parity) : "memory");
  } while (!done);
}
__device__ __forceinline__ void copy_async(void* to, const void* from) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(shared_address(to)), "l"(from) : "memory");
}
__device__ __forceinline__ void copies_arrive(u64* at) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(shared_address(at)) : "memory");
}

extern "C" __global__ void missing_mbarrier_wait(float* out) {
  __shared__ float tile[32];
  __shared__ u64 full;
  if (threadIdx.x == 0) mbarrier_init(&full, 32);
  __syncthreads();
  if (threadIdx.x < 32) {
    tile[threadIdx.x] = threadIdx.x;  // ALSO missing_mbarrier_wait
    mbarrier_arrive(&full);
  } else {
    out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG missing_mbarrier_wait
  }
}
extern "C" __global__ void missing_mbarrier_wait_fixed(float* out) {
  __shared__ float tile[32];
  __shared__ u64 full;
  if (threadIdx.x == 0) mbarrier_init(&full, 32);
  __syncthreads();
  if (threadIdx.x < 32) {
    tile[threadIdx.x] = threadIdx.x;
    mbarrier_arrive(&full);
  } else {
    mbarrier_wait(&full, 0);
    out[threadIdx.x] = tile[63 - threadIdx.x];
  }
}

// The consumers say that they are done before they read.
extern "C" __global__ void mbarrier_arrive_too_early(const float* in, float* out) {
  __shared__ float tile[32];
  __shared__ u64 free;
  if (threadIdx.x == 0) mbarrier_init(&free, 32);
  if (threadIdx.x < 32) tile[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 32) {
    mbarrier_wait(&free, 0);
    tile[threadIdx.x] = 0;  // ALSO mbarrier_arrive_too_early
  } else {
    mbarrier_arrive(&free);
    out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG mbarrier_arrive_too_early
  }
}
extern "C" __global__ void mbarrier_arrive_too_early_fixed(const float* in, float* out) {
  __shared__ float tile[32];
  __shared__ u64 free;
  if (threadIdx.x == 0) mbarrier_init(&free, 32);
  if (threadIdx.x < 32) tile[threadIdx.x] = in[threadIdx.x];
  __syncthreads();
  if (threadIdx.x < 32) {
    mbarrier_wait(&free, 0);
    tile[threadIdx.x] = 0;
  } else {
    out[threadIdx.x] = tile[63 - threadIdx.x];
    mbarrier_arrive(&free);
  }
}

extern "C" __global__ void missing_mbarrier_copy_wait(const float* in, float* out) {
  __shared__ float tile[64];
  __shared__ u64 full;
  if (threadIdx.x == 0) mbarrier_init(&full, 64);
  __syncthreads();
  copy_async(&tile[threadIdx.x], in + threadIdx.x);
  copies_arrive(&full);
  __syncthreads();
  out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG missing_mbarrier_copy_wait
}
extern "C" __global__ void missing_mbarrier_copy_wait_fixed(const float* in, float* out) {
  __shared__ float tile[64];
  __shared__ u64 full;
  if (threadIdx.x == 0) mbarrier_init(&full, 64);
  __syncthreads();
  copy_async(&tile[threadIdx.x], in + threadIdx.x);
  copies_arrive(&full);
  mbarrier_wait(&full, 0);
  out[threadIdx.x] = tile[63 - threadIdx.x];
}

extern "C" __global__ void mbarrier_used_before_init(float* out) {
  __shared__ u64 object;
  if (threadIdx.x == 0) mbarrier_init(&object, 64);
  asm volatile("mbarrier.arrive.shared.b64 _, [%0];" ::"r"(shared_address(&object)) : "memory");  // BUG mbarrier_used_before_init
  out[threadIdx.x] = 1;
}
extern "C" __global__ void mbarrier_used_before_init_fixed(float* out) {
  __shared__ u64 object;
  if (threadIdx.x == 0) mbarrier_init(&object, 64);
  __syncthreads();
  mbarrier_arrive(&object);
  out[threadIdx.x] = 1;
}

// Warp 0 copies tiles of 32 numbers into two buffers, warps 1 and 2 add each tile to its mirror image.
// Arguments: numbers, results of both warps, tiles.
extern "C" __global__ void pipeline(const float* in, float* out, int tiles) {
  __shared__ float tile[2][32];
  __shared__ u64 full[2], free[2];
  if (threadIdx.x < 2) {
    mbarrier_init(&full[threadIdx.x], 32);
    mbarrier_init(&free[threadIdx.x], 64);
  }
  __syncthreads();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const float* mine = in + blockIdx.x * tiles * 32;
  if (warp == 0) {
    for (int t = 0; t < tiles; t++) {
      if (t >= 2) mbarrier_wait(&free[t % 2], t / 2 - 1 & 1);
      copy_async(&tile[t % 2][lane], mine + t * 32 + lane);
      copies_arrive(&full[t % 2]);
    }
  } else {
    float* to = out + (blockIdx.x * 2 + warp - 1) * tiles * 32;
    for (int t = 0; t < tiles; t++) {
      mbarrier_wait(&full[t % 2], t / 2 & 1);
      to[t * 32 + lane] = tile[t % 2][lane] + tile[t % 2][31 - lane];
      mbarrier_arrive(&free[t % 2]);
    }
  }
}

// A barrier of the block by token; gives what the last thread in the row wrote.
extern "C" __global__ void token_barrier(float* out) {
  __shared__ float tile[96];
  __shared__ u64 object;
  if (threadIdx.x == 0) mbarrier_init(&object, 96);
  __syncthreads();
  float sum = 0;
  for (int round = 0; round < 5; round++) {
    tile[threadIdx.x] = threadIdx.x + 100 * round;
    u64 token = mbarrier_arrive(&object);
    while (!mbarrier_test(&object, token)) {
    }
    sum += tile[95 - threadIdx.x];
    token = mbarrier_arrive(&object);
    while (!mbarrier_test(&object, token)) {
    }
  }
  out[threadIdx.x] = sum;
}

extern "C" __global__ void mbarrier_never_full(float* out) {
  __shared__ u64 object;
  if (threadIdx.x == 0) mbarrier_init(&object, 65);
  __syncthreads();
  mbarrier_arrive(&object);
  mbarrier_wait(&object, 0);
  out[threadIdx.x] = 1;
}

// What comes out depends on the order in which diverged lanes go on.
extern "C" __global__ void tickets(u32* out) {
  __shared__ u32 next;
  if (threadIdx.x == 0) next = 0;
  __syncthreads();
  u32 mine = 0;
  for (int i = 0; i < threadIdx.x % 5; i++) mine += atomicAdd(&next, i + 1) << i;
  out[blockIdx.x * blockDim.x + threadIdx.x] = mine;
}

// Two blocks read many words at the same time, in step, though nothing orders them. The last one is not waited for by
// the first, which writes them all.
extern "C" __global__ void many_readers(float* words, u32* count, float* out, volatile u32* turn) {
  __shared__ bool last;
  float sum = 0;
  for (int i = threadIdx.x; i < 4096; i += blockDim.x) {
    if (threadIdx.x == 0) {
      atomicAdd((u32*)turn, 1u);
      while (*turn < gridDim.x * (i / blockDim.x + 1)) {}
    }
    __syncwarp();
    sum += words[i];
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
  if (blockIdx.x == gridDim.x - 1) return;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(count, 1u) == gridDim.x - 2;
  __syncthreads();
  if (!last) return;
  __threadfence();
  for (int i = threadIdx.x; i < 4096; i += blockDim.x) words[i] = sum;
}
