//! Vectors of NEON, which every processor of aarch64 has.

use super::{Job, Vector};
use std::arch::aarch64::*;

/// A register of NEON.
#[derive(Clone, Copy)]
pub struct F32x4(float32x4_t);

impl Vector for F32x4 {
    const LANES: usize = 4;
    const ACROSS: usize = 4;

    #[inline(always)]
    unsafe fn read(self, at: *const f32) -> F32x4 {
        // SAFETY: `at` is readable for four numbers.
        F32x4(unsafe { vld1q_f32(at) })
    }

    #[inline(always)]
    unsafe fn read_first(self, at: *const f32, lanes: usize) -> F32x4 {
        let mut v = [0.0; 4];
        // SAFETY: `at` is readable for the lanes, and `v` has as many.
        unsafe { at.copy_to_nonoverlapping(v.as_mut_ptr(), lanes) };
        // SAFETY: `v` has four numbers.
        F32x4(unsafe { vld1q_f32(v.as_ptr()) })
    }

    #[inline(always)]
    unsafe fn write(self, at: *mut f32) {
        // SAFETY: `at` is writable for four numbers.
        unsafe { vst1q_f32(at, self.0) };
    }

    #[inline(always)]
    unsafe fn write_first(self, at: *mut f32, lanes: usize) {
        let mut v = [0.0f32; 4];
        // SAFETY: `v` has four numbers; `at` is writable for the lanes, of which `v` has as many.
        unsafe {
            vst1q_f32(v.as_mut_ptr(), self.0);
            at.copy_from_nonoverlapping(v.as_ptr(), lanes);
        }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> F32x4 {
        // SAFETY: every processor of aarch64 has NEON.
        F32x4(unsafe { vdupq_n_f32(x) })
    }

    #[inline(always)]
    fn plus(self, o: F32x4) -> F32x4 {
        // SAFETY: as in `splat`.
        F32x4(unsafe { vaddq_f32(self.0, o.0) })
    }

    #[inline(always)]
    fn minus(self, o: F32x4) -> F32x4 {
        // SAFETY: as in `splat`.
        F32x4(unsafe { vsubq_f32(self.0, o.0) })
    }

    #[inline(always)]
    fn times(self, s: f32) -> F32x4 {
        // SAFETY: as in `splat`.
        F32x4(unsafe { vmulq_n_f32(self.0, s) })
    }

    #[inline(always)]
    fn plus_product(self, a: F32x4, b: F32x4) -> F32x4 {
        // SAFETY: as in `splat`.
        F32x4(unsafe { vfmaq_f32(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn relu(self) -> F32x4 {
        // The largest of a NaN and a number is the NaN.
        // SAFETY: as in `splat`.
        F32x4(unsafe { vmaxq_f32(self.0, vdupq_n_f32(0.0)) })
    }

    #[inline(always)]
    fn where_positive(self, mask: F32x4) -> F32x4 {
        // SAFETY: as in `splat`.
        unsafe {
            let positive = vcgtq_f32(mask.0, vdupq_n_f32(0.0));
            F32x4(vreinterpretq_f32_u32(vandq_u32(positive, vreinterpretq_u32_f32(self.0))))
        }
    }

    #[inline(always)]
    fn zip(self, o: F32x4) -> (F32x4, F32x4) {
        // SAFETY: as in `splat`.
        unsafe { (F32x4(vzip1q_f32(self.0, o.0)), F32x4(vzip2q_f32(self.0, o.0))) }
    }
}

/// Runs a job.
pub fn neon<J: Job>(job: J) -> J::Output {
    // SAFETY: every processor of aarch64 has NEON.
    job.run(F32x4(unsafe { vdupq_n_f32(0.0) }))
}
