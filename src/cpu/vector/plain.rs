//! Vectors in plain Rust, for any processor; the compiler finds what instructions there are.

use super::{Job, Vector};

/// Four lanes.
#[derive(Clone, Copy)]
pub struct F32x4([f32; 4]);

impl F32x4 {
    #[inline(always)]
    fn with(mut self, o: F32x4, f: impl Fn(f32, f32) -> f32) -> F32x4 {
        for (v, o) in self.0.iter_mut().zip(o.0) {
            *v = f(*v, o);
        }
        self
    }
}

impl Vector for F32x4 {
    const LANES: usize = 4;
    const ACROSS: usize = 2;

    #[inline(always)]
    unsafe fn read(self, at: *const f32) -> F32x4 {
        // SAFETY: `at` is readable for four numbers.
        F32x4(unsafe { at.cast::<[f32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn read_first(self, at: *const f32, lanes: usize) -> F32x4 {
        let mut v = [0.0; 4];
        // SAFETY: `at` is readable for the lanes, and `v` has as many.
        unsafe { at.copy_to_nonoverlapping(v.as_mut_ptr(), lanes) };
        F32x4(v)
    }

    #[inline(always)]
    unsafe fn write(self, at: *mut f32) {
        // SAFETY: `at` is writable for four numbers.
        unsafe { at.cast::<[f32; 4]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    unsafe fn write_first(self, at: *mut f32, lanes: usize) {
        // SAFETY: `at` is writable for the lanes, and the vector has as many.
        unsafe { at.copy_from_nonoverlapping(self.0.as_ptr(), lanes) };
    }

    #[inline(always)]
    fn splat(self, x: f32) -> F32x4 {
        F32x4([x; 4])
    }

    #[inline(always)]
    fn plus(self, o: F32x4) -> F32x4 {
        self.with(o, |v, o| v + o)
    }

    #[inline(always)]
    fn minus(self, o: F32x4) -> F32x4 {
        self.with(o, |v, o| v - o)
    }

    #[inline(always)]
    fn times(self, s: f32) -> F32x4 {
        self.with(self, |v, _| v * s)
    }

    #[inline(always)]
    fn plus_product(self, a: F32x4, b: F32x4) -> F32x4 {
        self.plus(a.with(b, |a, b| a * b))
    }

    #[inline(always)]
    fn relu(self) -> F32x4 {
        self.with(self, |v, _| if v < 0.0 { 0.0 } else { v })
    }

    #[inline(always)]
    fn where_positive(self, mask: F32x4) -> F32x4 {
        self.with(mask, |v, m| if m > 0.0 { v } else { 0.0 })
    }

    #[inline(always)]
    fn zip(self, o: F32x4) -> (F32x4, F32x4) {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, o.0);
        (F32x4([a, e, b, f]), F32x4([c, g, d, h]))
    }
}

/// Runs a job compiled for any processor of this kind.
pub fn plain<J: Job>(job: J) -> J::Output {
    job.run(F32x4([0.0; 4]))
}
