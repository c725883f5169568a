//! Vectors of AVX2 and AVX-512.

use super::{Job, Vector};
use std::arch::x86_64::*;

/// A register of AVX-512.
#[derive(Clone, Copy)]
pub struct F32x16(__m512);

/// A register of AVX2.
#[derive(Clone, Copy)]
pub struct F32x8(__m256);

/// Methods that are one expression of instructions on registers.
macro_rules! methods {
    ($(fn $name:ident($self:ident $(, $operand:ident: $type:ty)*) = $register:expr;)*) => { $(
        #[inline(always)]
        fn $name($self $(, $operand: $type)*) -> Self {
            // SAFETY: `self` proves the instructions, and they touch no memory.
            Self(unsafe { $register })
        }
    )* };
}

/// Methods that read or write memory by one instruction.
macro_rules! accesses {
    ($(fn $name:ident($self:ident, $($operand:ident: $type:ty),*) -> $result:ty = $access:expr;)*) => { $(
        #[inline(always)]
        unsafe fn $name($self, $($operand: $type),*) -> $result {
            // SAFETY: `self` proves the instructions; the caller, the memory of the lanes that are not masked out.
            unsafe { $access }
        }
    )* };
}

/// What all kinds do alike: stores past the caches, and hints.
macro_rules! caches {
    ($stream:ident) => {
        #[inline(always)]
        unsafe fn write_past(self, at: *mut f32) {
            if at.addr().is_multiple_of(size_of::<Self>()) {
                // SAFETY: `self` proves the instructions; `at` is writable for all lanes, and on its boundary.
                unsafe { $stream(at, self.0) }
            } else {
                // SAFETY: `at` is writable for all lanes.
                unsafe { self.write(at) }
            }
        }

        #[inline(always)]
        fn settle(self) {
            // SAFETY: every processor of this kind has it, and it touches no memory.
            unsafe { _mm_sfence() };
        }

        #[inline(always)]
        fn prefetch(self, at: *const f32) {
            // SAFETY: a hint, which may name any place.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
        }
    };
}

impl Vector for F32x16 {
    const LANES: usize = 16;
    const ACROSS: usize = 4;

    accesses! {
        fn read(self, at: *const f32) -> Self = Self(_mm512_loadu_ps(at));
        fn read_first(self, at: *const f32, lanes: usize) -> Self = Self(_mm512_maskz_loadu_ps(first(lanes), at));
        fn write(self, at: *mut f32) -> () = _mm512_storeu_ps(at, self.0);
        fn write_first(self, at: *mut f32, lanes: usize) -> () = _mm512_mask_storeu_ps(at, first(lanes), self.0);
    }
    caches!(_mm512_stream_ps);

    methods! {
        fn splat(self, x: f32) = _mm512_set1_ps(x);
        fn plus(self, o: Self) = _mm512_add_ps(self.0, o.0);
        fn minus(self, o: Self) = _mm512_sub_ps(self.0, o.0);
        fn times(self, s: f32) = _mm512_mul_ps(self.0, _mm512_set1_ps(s));
        fn plus_product(self, a: Self, b: Self) = _mm512_fmadd_ps(a.0, b.0, self.0);
        // Where an operand is a NaN, the result is the second one.
        fn relu(self) = _mm512_max_ps(_mm512_setzero_ps(), self.0);
        fn where_positive(self, mask: Self) =
            _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(mask.0, _mm512_setzero_ps()), self.0);
    }

    #[inline(always)]
    fn zip(self, o: Self) -> (Self, Self) {
        // SAFETY: `self` proves the instructions, and they touch no memory.
        unsafe {
            let first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
            (Self(_mm512_permutex2var_ps(self.0, first, o.0)), Self(_mm512_permutex2var_ps(self.0, second, o.0)))
        }
    }
}

/// The mask of the first `lanes` lanes, at most 16.
#[inline(always)]
fn first(lanes: usize) -> __mmask16 {
    ((1u32 << lanes) - 1) as __mmask16
}

impl Vector for F32x8 {
    const LANES: usize = 8;
    const ACROSS: usize = 2;

    accesses! {
        fn read(self, at: *const f32) -> Self = Self(_mm256_loadu_ps(at));
        fn read_first(self, at: *const f32, lanes: usize) -> Self = Self(_mm256_maskload_ps(at, self.first(lanes)));
        fn write(self, at: *mut f32) -> () = _mm256_storeu_ps(at, self.0);
        fn write_first(self, at: *mut f32, lanes: usize) -> () =
            _mm256_maskstore_ps(at, self.first(lanes), self.0);
    }
    caches!(_mm256_stream_ps);

    methods! {
        fn splat(self, x: f32) = _mm256_set1_ps(x);
        fn plus(self, o: Self) = _mm256_add_ps(self.0, o.0);
        fn minus(self, o: Self) = _mm256_sub_ps(self.0, o.0);
        fn times(self, s: f32) = _mm256_mul_ps(self.0, _mm256_set1_ps(s));
        fn plus_product(self, a: Self, b: Self) = _mm256_fmadd_ps(a.0, b.0, self.0);
        // Where an operand is a NaN, the result is the second one.
        fn relu(self) = _mm256_max_ps(_mm256_setzero_ps(), self.0);
        fn where_positive(self, mask: Self) =
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(mask.0, _mm256_setzero_ps()), self.0);
    }

    #[inline(always)]
    fn zip(self, o: Self) -> (Self, Self) {
        // SAFETY: `self` proves the instructions, and they touch no memory.
        unsafe {
            // Each holds a quarter of either result.
            let (low, high) = (_mm256_unpacklo_ps(self.0, o.0), _mm256_unpackhi_ps(self.0, o.0));
            (Self(_mm256_permute2f128_ps::<0x20>(low, high)), Self(_mm256_permute2f128_ps::<0x31>(low, high)))
        }
    }
}

impl F32x8 {
    /// All ones in the first `lanes` lanes, zero in the others.
    #[inline(always)]
    fn first(self, lanes: usize) -> __m256i {
        // SAFETY: `self` proves the instructions, and they touch no memory.
        unsafe { _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
    }
}

/// Runs a job compiled for AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub fn avx512<J: Job>(job: J) -> J::Output {
    job.run(F32x16(_mm512_setzero_ps()))
}

/// Runs a job compiled for AVX2.
#[target_feature(enable = "avx2,fma")]
pub fn avx2<J: Job>(job: J) -> J::Output {
    job.run(F32x8(_mm256_setzero_ps()))
}
