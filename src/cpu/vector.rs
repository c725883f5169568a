//! Vectors of float32: a computation is written once over [`Vector`] and runs on the widest vectors of the processor.
//!
//! A vector in hand proves that the processor has its instructions. The fields are private, and the first vector of
//! each kind is made by [`Isa::run`], which has asked the processor; all others come from that one.

use std::sync::OnceLock;

/// A few lanes of float32. Everything is always inlined: the instructions exist only inside functions compiled for
/// them.
pub trait Vector: Copy {
    /// Numbers in a vector.
    const LANES: usize;
    /// Columns of a register tile of a product (see [`crate::cpu::gemm`]): a whole number of vectors.
    const PANEL: usize;

    /// The first `lanes` numbers from `at` on, then zeros.
    ///
    /// # Safety
    /// `at` is readable for `lanes` numbers, at most [`Vector::LANES`].
    unsafe fn read(self, at: *const f32, lanes: usize) -> Self;

    /// Writes the first `lanes` numbers from `at` on.
    ///
    /// # Safety
    /// `at` is writable for `lanes` numbers, at most [`Vector::LANES`].
    unsafe fn write(self, at: *mut f32, lanes: usize);

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self;
    /// `self + o`.
    fn plus(self, o: Self) -> Self;
    /// `self - o`.
    fn minus(self, o: Self) -> Self;
    /// Every lane times `s`.
    fn times(self, s: f32) -> Self;
    /// `self + a b`, rounded once where the processor can.
    fn plus_product(self, a: Self, b: Self) -> Self;
    /// `max(x, 0)`; a NaN stays.
    fn relu(self) -> Self;
    /// The lanes where `mask` is positive, zero elsewhere.
    fn where_positive(self, mask: Self) -> Self;

    /// The first numbers of a slice.
    #[inline(always)]
    fn load(self, from: &[f32]) -> Self {
        let from = &from[..Self::LANES];
        // SAFETY: the slice has a vector's numbers.
        unsafe { self.read(from.as_ptr(), Self::LANES) }
    }

    /// Writes the first numbers of a slice.
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the slice has a vector's numbers.
        unsafe { self.write(to.as_mut_ptr(), Self::LANES) }
    }
}

/// Four lanes in plain Rust, for any processor.
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
    const PANEL: usize = 16;

    #[inline(always)]
    unsafe fn read(self, at: *const f32, lanes: usize) -> F32x4 {
        let mut v = [0.0; 4];
        // SAFETY: `at` is readable for the lanes, and `v` has as many.
        unsafe { at.copy_to_nonoverlapping(v.as_mut_ptr(), lanes) };
        F32x4(v)
    }

    #[inline(always)]
    unsafe fn write(self, at: *mut f32, lanes: usize) {
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
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
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

    impl Vector for F32x16 {
        const LANES: usize = 16;
        const PANEL: usize = 64;

        #[inline(always)]
        unsafe fn read(self, at: *const f32, lanes: usize) -> Self {
            // SAFETY: `self` proves the instructions; lanes that are masked out are not read.
            Self(unsafe { if lanes == 16 { _mm512_loadu_ps(at) } else { _mm512_maskz_loadu_ps(first(lanes), at) } })
        }

        #[inline(always)]
        unsafe fn write(self, at: *mut f32, lanes: usize) {
            // SAFETY: `self` proves the instructions; lanes that are masked out are not written.
            unsafe { _mm512_mask_storeu_ps(at, first(lanes), self.0) }
        }

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
    }

    /// The mask of the first `lanes` lanes, at most 16.
    #[inline(always)]
    fn first(lanes: usize) -> __mmask16 {
        ((1u32 << lanes) - 1) as __mmask16
    }

    impl Vector for F32x8 {
        const LANES: usize = 8;
        const PANEL: usize = 16;

        #[inline(always)]
        unsafe fn read(self, at: *const f32, lanes: usize) -> Self {
            // SAFETY: `self` proves the instructions; lanes that are masked out are not read.
            Self(unsafe { if lanes == 8 { _mm256_loadu_ps(at) } else { _mm256_maskload_ps(at, self.first(lanes)) } })
        }

        #[inline(always)]
        unsafe fn write(self, at: *mut f32, lanes: usize) {
            if lanes == 8 {
                // SAFETY: `self` proves the instructions; `at` is writable for all lanes.
                unsafe { _mm256_storeu_ps(at, self.0) }
            } else {
                // SAFETY: `self` proves the instructions; lanes that are masked out are not written.
                unsafe { _mm256_maskstore_ps(at, self.first(lanes), self.0) }
            }
        }

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
    #[target_feature(enable = "avx512f")]
    pub fn avx512<J: super::Job>(job: J) {
        job.run(F32x16(_mm512_setzero_ps()));
    }

    /// Runs a job compiled for AVX2.
    #[target_feature(enable = "avx2,fma")]
    pub fn avx2<J: super::Job>(job: J) {
        job.run(F32x8(_mm256_setzero_ps()));
    }
}

/// A computation over vectors of any kind.
pub trait Job {
    /// Runs it with vectors such as `zero`. To be `#[inline(always)]`, so that it is compiled for the instructions of
    /// its caller.
    fn run<V: Vector>(self, zero: V);
}

/// The instructions that this processor has: a value of this type is made by asking it.
#[derive(Clone, Copy)]
pub struct Isa(Kind);

#[derive(Clone, Copy)]
enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

impl Isa {
    /// All that this processor has, the widest first.
    pub fn all() -> Vec<Isa> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                all.push(Isa(Kind::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                all.push(Isa(Kind::Avx2));
            }
        }
        all.push(Isa(Kind::Plain));
        all
    }

    /// The best of this processor.
    pub fn detect() -> Isa {
        static ISA: OnceLock<Isa> = OnceLock::new();
        *ISA.get_or_init(|| Isa::all()[0])
    }

    /// For messages.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "AVX-512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "AVX2",
            Kind::Plain => "no vector extension",
        }
    }

    /// Runs a job compiled for these instructions.
    #[inline(always)]
    pub fn run<J: Job>(self, job: J) {
        match self.0 {
            // SAFETY: `Isa::all` found AVX-512 in this processor.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { x86::avx512(job) },
            // SAFETY: `Isa::all` found AVX2 and its fused multiply-adds in this processor.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { x86::avx2(job) },
            Kind::Plain => job.run(F32x4([0.0; 4])),
        }
    }
}
