//! A few lanes of float32 as one value, so that a transform is written once and runs on the processor's widest vectors.

/// Lanes of float32. Everything is always inlined: the instructions exist only inside functions compiled for them.
pub trait Vector: Copy {
    const LANES: usize;
    fn zero() -> Self;
    /// # Safety
    /// `at` must be readable for the lanes.
    unsafe fn load(at: *const f32) -> Self;
    /// # Safety
    /// `at` must be writable for the lanes.
    unsafe fn store(self, at: *mut f32);
    fn plus(self, o: Self) -> Self;
    fn minus(self, o: Self) -> Self;
    /// Every lane times `s`.
    fn times(self, s: f32) -> Self;
    /// `max(x, 0)`; a NaN stays.
    fn relu(self) -> Self;
    /// The lanes where `mask` is positive, zero elsewhere.
    fn where_positive(self, mask: Self) -> Self;
}

/// One lane: any processor.
impl Vector for f32 {
    const LANES: usize = 1;
    #[inline(always)]
    fn zero() -> f32 {
        0.0
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> f32 {
        unsafe { *at }
    }
    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        unsafe { *at = self }
    }
    #[inline(always)]
    fn plus(self, o: f32) -> f32 {
        self + o
    }
    #[inline(always)]
    fn minus(self, o: f32) -> f32 {
        self - o
    }
    #[inline(always)]
    fn times(self, s: f32) -> f32 {
        self * s
    }
    #[inline(always)]
    fn relu(self) -> f32 {
        if self < 0.0 { 0.0 } else { self }
    }
    #[inline(always)]
    fn where_positive(self, mask: f32) -> f32 {
        if mask > 0.0 { self } else { 0.0 }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    // Safety of the bodies: reached only from functions that enable the instructions.
    impl Vector for __m512 {
        const LANES: usize = 16;
        #[inline(always)]
        fn zero() -> Self {
            unsafe { _mm512_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { _mm512_loadu_ps(at) }
        }
        #[inline(always)]
        unsafe fn store(self, at: *mut f32) {
            unsafe { _mm512_storeu_ps(at, self) }
        }
        #[inline(always)]
        fn plus(self, o: Self) -> Self {
            unsafe { _mm512_add_ps(self, o) }
        }
        #[inline(always)]
        fn minus(self, o: Self) -> Self {
            unsafe { _mm512_sub_ps(self, o) }
        }
        #[inline(always)]
        fn times(self, s: f32) -> Self {
            unsafe { _mm512_mul_ps(self, _mm512_set1_ps(s)) }
        }
        #[inline(always)]
        fn relu(self) -> Self {
            // The second operand is what a comparison with NaN gives.
            unsafe { _mm512_max_ps(_mm512_setzero_ps(), self) }
        }
        #[inline(always)]
        fn where_positive(self, mask: Self) -> Self {
            unsafe {
                let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(mask, _mm512_setzero_ps());
                _mm512_maskz_mov_ps(positive, self)
            }
        }
    }

    impl Vector for __m256 {
        const LANES: usize = 8;
        #[inline(always)]
        fn zero() -> Self {
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        unsafe fn load(at: *const f32) -> Self {
            unsafe { _mm256_loadu_ps(at) }
        }
        #[inline(always)]
        unsafe fn store(self, at: *mut f32) {
            unsafe { _mm256_storeu_ps(at, self) }
        }
        #[inline(always)]
        fn plus(self, o: Self) -> Self {
            unsafe { _mm256_add_ps(self, o) }
        }
        #[inline(always)]
        fn minus(self, o: Self) -> Self {
            unsafe { _mm256_sub_ps(self, o) }
        }
        #[inline(always)]
        fn times(self, s: f32) -> Self {
            unsafe { _mm256_mul_ps(self, _mm256_set1_ps(s)) }
        }
        #[inline(always)]
        fn relu(self) -> Self {
            unsafe { _mm256_max_ps(_mm256_setzero_ps(), self) }
        }
        #[inline(always)]
        fn where_positive(self, mask: Self) -> Self {
            unsafe {
                let positive = _mm256_cmp_ps::<_CMP_GT_OQ>(mask, _mm256_setzero_ps());
                _mm256_and_ps(positive, self)
            }
        }
    }
}
