// What several kernels share: integer helpers, asynchronous copies, reductions, random numbers, the step's scalars.
//
// Nothing is included: NVRTC without a CUDA toolkit has no headers, not even stdint.h.
#pragma once

typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned char u8;

#define FULL_WARP 0xffffffffu

// The name of a kernel: what it was compiled for stands behind it (SUFFIX, of src/cuda/units.rs: tile and precision),
// so that a profiler tells the variants apart.
#define KERNEL_NAMED(name, suffix) name##suffix
#define KERNEL_WITH(name, suffix) KERNEL_NAMED(name, suffix)
#define KERNEL(name) KERNEL_WITH(name, SUFFIX)

// What changes from step to step (`StepState` of src/ops/description.rs): written by the host before each step and read
// by every kernel that depends on it, so that a captured graph can be replayed.
struct Step {
    u64 step;
    float lr;
    float ema_decay;
    // The images of the batch follow.
    __device__ __forceinline__ const u32* samples() const { return (const u32*)(this + 1); }
};

// Sizes and offsets are `int`. An operand has fewer than 2^31 - 2^22 elements (src/cuda/limits.rs refuses a launch
// beyond it), so that the offset of each of its elements is an `int`, and also a number that runs past its end by less
// than 2^22: by a tile, by the threads of a block, by the stride of a grid. Where a kernel computes numbers that can be
// larger, the proof that they are right stands beside them.

__device__ __forceinline__ int ceil_div(int a, int b) { return (a + b - 1) / b; }
__device__ __forceinline__ int min_int(int a, int b) { return a < b ? a : b; }

// Division by a number known to the host: q = x * multiplier >> shift, exact for x < 2^31
// (Granlund and Montgomery, "Division by invariant integers using multiplication", PLDI 1994).
struct Divisor {
    u32 divisor;
    u32 multiplier;
    u32 shift;
    // In 32 bits: the upper half of 2x multiplier is x multiplier / 2^31, and `shift` is 31 at least.
    __device__ __forceinline__ u32 divide(u32 x) const { return __umulhi(2 * x, multiplier) >> (shift - 31); }
};

// Address of shared memory as the asm instructions want it.
__device__ __forceinline__ u32 shared_address(const void* p) { return (u32)__cvta_generic_to_shared(p); }

// A copy of 4 or 16 bytes from global to shared memory that does not wait; zeros where `inside` is false, and then
// nothing is read; nothing at all where `wanted` is false, without a branch, so that it can stand among multiply-adds.
// sm_80 and newer, as are the two below.
template <int BYTES>
__device__ __forceinline__ void copy_async(u32 to, const void* from, bool inside, bool wanted = true) {
#if __CUDA_ARCH__ >= 800
    int read = inside ? BYTES : 0;
    if constexpr (BYTES == 16)
        asm volatile("{ .reg .pred wanted; setp.ne.s32 wanted, %3, 0;"
                     " @wanted cp.async.cg.shared.global [%0], [%1], 16, %2; }"
                     ::"r"(to), "l"(from), "r"(read), "r"((int)wanted) : "memory");
    else
        asm volatile("{ .reg .pred wanted; setp.ne.s32 wanted, %3, 0;"
                     " @wanted cp.async.ca.shared.global [%0], [%1], 4, %2; }"
                     ::"r"(to), "l"(from), "r"(read), "r"((int)wanted) : "memory");
#endif
}

// Ends a group of copies.
__device__ __forceinline__ void commit_async() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `PENDING` groups of this thread's copies, the last ones, are still on their way.
template <int PENDING>
__device__ __forceinline__ void wait_async() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

// Ten rounds of Philox4x32 (src/ops/philox.rs): the same words as on every other backend.
__device__ __forceinline__ uint4 philox(u32 index, u32 sub, u64 step, u32 purpose, u64 seed) {
    uint4 c = make_uint4(index, sub, (u32)step, (u32)(step >> 32) | purpose << 24);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) {
        u32 ah = __umulhi(c.x, 0xD2511F53u), al = c.x * 0xD2511F53u;
        u32 bh = __umulhi(c.z, 0xCD9E8D57u), bl = c.z * 0xCD9E8D57u;
        c = make_uint4(bh ^ c.y ^ k0, bl, ah ^ c.w ^ k1, al);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

#define PURPOSE_DROPOUT 3u
#define PURPOSE_AUGMENT 4u

// A random word as a number in [0, 1): its upper 24 bits.
__device__ __forceinline__ float uniform(u32 word) { return (float)(word >> 8) * (1.0f / 16777216.0f); }
