// Mistakes of every rank, and what only looks like one. The line that an error must name ends in a comment "BUG <kernel>";
// its corrected twin has no finding. Kernels with lines "NOTE <kernel>" have notes there and nothing else. Made into ranks.ptx by make_ptx.py.

// The CUDA guide's loop for an atomic that a card doesn't have: its first read may race with the swaps. What was read
// goes elsewhere in the kernel with the mistake.
__device__ __forceinline__ float add_by_swap(float* at, float x) {
  int* word = (int*)at;
  int old = *word, assumed;
  do {
    assumed = old;
    old = atomicCAS(word, assumed, __float_as_int(x + __int_as_float(assumed)));
  } while (assumed != old);
  return __int_as_float(old);
}
extern "C" __global__ void swap_read_used(float* sum, float* out) {
  int* word = (int*)sum;
  int old = *word;  // BUG swap_read_used
  out[blockIdx.x * blockDim.x + threadIdx.x] = __int_as_float(old);
  int assumed;
  do {
    assumed = old;
    old = atomicCAS(word, assumed, __float_as_int(1.0f + __int_as_float(assumed)));
  } while (assumed != old);
}
extern "C" __global__ void swap_read_used_fixed(float* sum, float* out) {
  out[blockIdx.x * blockDim.x + threadIdx.x] = add_by_swap(sum, 1.0f);
}
// The same in shared memory, in 64 bits, and with an array's element.
extern "C" __global__ void swaps_in_shared(float* out, int n) {
  __shared__ float sums[4];
  __shared__ unsigned long long wide;
  if (threadIdx.x < 4) sums[threadIdx.x] = 0;
  if (threadIdx.x == 0) wide = 0;
  __syncthreads();
  add_by_swap(&sums[threadIdx.x % n], 1.0f);
  unsigned long long old = wide, assumed;
  do {
    assumed = old;
    old = atomicCAS(&wide, assumed, assumed + threadIdx.x);
  } while (assumed != old);
  __syncthreads();
  if (threadIdx.x < n) out[blockIdx.x * n + threadIdx.x] = sums[threadIdx.x] + wide;
}
// A largest value by swaps, which are left out where a look says that there is no need: a note.
extern "C" __global__ void swap_after_a_look(float* most) {
  int* word = (int*)most;
  int old = *word;  // NOTE swap_after_a_look
  float mine = blockIdx.x * 64 + threadIdx.x;
  while (__int_as_float(old) < mine) {
    int assumed = old;
    old = atomicCAS(word, assumed, __float_as_int(mine));
    if (old == assumed) break;
  }
}

// Threads of several warps write a word: what they write differs, or is the same, which is a note.
extern "C" __global__ void one_word_of_many(int* out) {
  __shared__ int flag;
  flag = threadIdx.x / 32;  // BUG one_word_of_many
  __syncthreads();
  out[threadIdx.x] = flag;
}
extern "C" __global__ void one_word_of_many_fixed(int* out) {
  __shared__ int flag;
  if (threadIdx.x == 0) flag = 1;
  __syncthreads();
  out[threadIdx.x] = flag;
}
extern "C" __global__ void same_value(int* out, int n) {
  __shared__ int flag;
  __shared__ unsigned char bytes[8];
  flag = n;  // NOTE same_value
  bytes[5] = n;  // NOTE same_value
  __syncthreads();
  out[threadIdx.x] = flag + bytes[5];
}
extern "C" __global__ void blocks_same_value(int* flag, unsigned short* half) {
  if (threadIdx.x % 2 == 0) {
    *flag = 1;  // NOTE blocks_same_value
    half[1] = 3;  // NOTE blocks_same_value
  }
}
extern "C" __global__ void blocks_other_value(int* flag) {
  *flag = blockIdx.x;  // BUG blocks_other_value
}
extern "C" __global__ void blocks_other_value_fixed(int* flag) { flag[blockIdx.x] = 1; }

// Lanes read, shuffle, and write where others have read: together on every card, but a shuffle orders no memory.
extern "C" __global__ void shuffle_between(int* out) {
  __shared__ int tile[32];
  tile[threadIdx.x] = threadIdx.x;
  __syncwarp();
  int x = tile[31 - threadIdx.x];
  x += __shfl_xor_sync(0xffffffff, x, 1);
  tile[threadIdx.x] = x;  // NOTE shuffle_between
  __syncwarp();
  out[threadIdx.x] = tile[threadIdx.x];
}
extern "C" __global__ void half_shuffle_between(int* out) {
  __shared__ int tile[32];
  tile[threadIdx.x] = threadIdx.x;
  __syncwarp();
  int x = tile[31 - threadIdx.x];
  if (threadIdx.x < 16) x += __shfl_xor_sync(0xffff, x, 1);
  tile[threadIdx.x] = x;  // BUG half_shuffle_between
  __syncwarp();
  out[threadIdx.x] = tile[threadIdx.x];
}
extern "C" __global__ void half_shuffle_between_fixed(int* out) {
  __shared__ int tile[32];
  tile[threadIdx.x] = threadIdx.x;
  __syncwarp();
  int x = tile[31 - threadIdx.x];
  if (threadIdx.x < 16) x += __shfl_xor_sync(0xffff, x, 1);
  __syncwarp();
  tile[threadIdx.x] = x;
  __syncwarp();
  out[threadIdx.x] = tile[threadIdx.x];
}
// The warp stores a fragment over what its lanes have read: wmma.store waits for all of them, and orders no memory.
__device__ void store_fragment(float* tile, float x) {
  unsigned at = __cvta_generic_to_shared(tile);
  asm volatile("wmma.store.d.sync.aligned.row.m16n16k16.shared.f32 [%0], {%1,%1,%1,%1,%1,%1,%1,%1}, 16;" ::"r"(at), "f"(x) : "memory");  // NOTE fragment_over_reads
}
extern "C" __global__ void fragment_over_reads(float* out) {
  __shared__ float tile[256];
  store_fragment(tile, threadIdx.x);
  __syncwarp();
  float x = tile[8 * (31 - threadIdx.x)];
  store_fragment(tile, x);
  __syncwarp();
  out[threadIdx.x] = tile[threadIdx.x];
}

// Lanes that a member mask names have exited.
extern "C" __global__ void shuffle_with_exited(int* out) {
  if (threadIdx.x >= 20) return;
  int x = threadIdx.x;
  x = __shfl_down_sync(0xffffffff, x, 4);  // BUG shuffle_with_exited
  out[threadIdx.x] = x;
}
extern "C" __global__ void shuffle_with_exited_fixed(int* out) {
  int x = threadIdx.x;
  x = __shfl_down_sync(0xffffffff, x, 4);
  if (threadIdx.x < 20) out[threadIdx.x] = x;
}
