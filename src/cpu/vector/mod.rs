//! Vectors of float32: a computation is written once over [`Vector`] and runs on the widest vectors of the processor.
//!
//! A vector in hand proves that the processor has its instructions. The fields are private, and the first vector of
//! each kind is made by [`super::isa::Isa::run`], which has asked the processor; all others come from that one.

#[cfg(target_arch = "aarch64")]
pub mod neon;
pub mod plain;
#[cfg(target_arch = "x86_64")]
pub mod x86;

/// A few lanes of float32. Everything is always inlined: the instructions exist only inside functions compiled for
/// them.
pub trait Vector: Copy {
    /// Numbers in a vector.
    const LANES: usize;
    /// Vectors side by side in a register tile of a product, beside 6 rows of them (see [`crate::cpu::gemm`]): what
    /// the registers of the processor hold.
    const ACROSS: usize;
    /// Columns of a register tile.
    const PANEL: usize = Self::ACROSS * Self::LANES;

    /// The vector from `at` on.
    ///
    /// # Safety
    /// `at` is readable for [`Vector::LANES`] numbers.
    unsafe fn read(self, at: *const f32) -> Self;

    /// The first `lanes` numbers from `at` on, then zeros.
    ///
    /// # Safety
    /// `at` is readable for `lanes` numbers, at most [`Vector::LANES`].
    unsafe fn read_first(self, at: *const f32, lanes: usize) -> Self;

    /// Writes the vector from `at` on.
    ///
    /// # Safety
    /// `at` is writable for [`Vector::LANES`] numbers.
    unsafe fn write(self, at: *mut f32);

    /// Writes the vector from `at` on past the caches, if `at` is on a boundary of vectors. Before another thread may
    /// read it, [`Vector::settle`] must be called.
    ///
    /// # Safety
    /// As [`Vector::write`].
    #[inline(always)]
    unsafe fn write_past(self, at: *mut f32) {
        // SAFETY: as the caller says.
        unsafe { self.write(at) };
    }

    /// Waits for what [`Vector::write_past`] wrote.
    #[inline(always)]
    fn settle(self) {}

    /// Writes the first `lanes` numbers from `at` on.
    ///
    /// # Safety
    /// `at` is writable for `lanes` numbers, at most [`Vector::LANES`].
    unsafe fn write_first(self, at: *mut f32, lanes: usize);

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
    /// `self + s a`, likewise.
    #[inline(always)]
    fn plus_times(self, a: Self, s: f32) -> Self {
        self.plus_product(a, self.splat(s))
    }
    /// `max(x, 0)`; a NaN stays.
    fn relu(self) -> Self;
    /// The lanes where `mask` is positive, zero elsewhere.
    fn where_positive(self, mask: Self) -> Self;

    /// The first halves lane by lane in turn, then the second halves: `(s0, o0, s1, o1, ..)`.
    fn zip(self, o: Self) -> (Self, Self);

    /// Asks for the cache line at `at`, which is used soon.
    #[inline(always)]
    fn prefetch(self, _at: *const f32) {}

    /// The first numbers of a slice.
    #[inline(always)]
    fn load(self, from: &[f32]) -> Self {
        let from = &from[..Self::LANES];
        // SAFETY: the slice has a vector's numbers.
        unsafe { self.read(from.as_ptr()) }
    }

    /// A slice of at most a vector's numbers, then zeros.
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> Self {
        let lanes = from.len();
        assert!(lanes <= Self::LANES);
        // SAFETY: the slice has the numbers.
        unsafe { if lanes == Self::LANES { self.read(from.as_ptr()) } else { self.read_first(from.as_ptr(), lanes) } }
    }

    /// Writes a slice of at most a vector's numbers.
    #[inline(always)]
    fn store_first(self, to: &mut [f32]) {
        let lanes = to.len();
        assert!(lanes <= Self::LANES);
        // SAFETY: the slice has the numbers.
        unsafe {
            if lanes == Self::LANES { self.write(to.as_mut_ptr()) } else { self.write_first(to.as_mut_ptr(), lanes) }
        }
    }

    /// Writes the first numbers of a slice.
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..Self::LANES];
        // SAFETY: the slice has a vector's numbers.
        unsafe { self.write(to.as_mut_ptr()) }
    }
}

/// Lanes of the widest vectors.
pub const WIDEST: usize = 16;

/// Exchanges rows and lanes of the first `LANES` rows: each round of zips moves one bit of a row's number into the
/// lane's.
#[inline(always)]
pub fn transpose<V: Vector>(mut rows: [V; WIDEST]) -> [V; WIDEST] {
    let half = V::LANES / 2;
    for _ in 0..V::LANES.ilog2() {
        let mut next = rows;
        for i in 0..half {
            (next[2 * i], next[2 * i + 1]) = rows[i].zip(rows[half + i]);
        }
        rows = next;
    }
    rows
}

/// A computation over vectors of any kind.
pub trait Job {
    /// What it gives.
    type Output;
    /// Runs it with vectors such as `zero`. To be `#[inline(always)]`, so that it is compiled for the instructions of
    /// its caller.
    fn run<V: Vector>(self, zero: V) -> Self::Output;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::isa::Isa;

    /// Element `(i, j)` of a square of vectors is `100 i + j`.
    struct Transpose;

    impl Job for Transpose {
        type Output = ();

        #[inline(always)]
        fn run<V: Vector>(self, zero: V) {
            let mut rows = [zero; WIDEST];
            for (i, row) in rows.iter_mut().enumerate().take(V::LANES) {
                let numbers: Vec<f32> = (0..V::LANES).map(|j| (100 * i + j) as f32).collect();
                *row = zero.load(&numbers);
            }
            for (i, row) in transpose(rows).into_iter().enumerate().take(V::LANES) {
                let mut got = [0.0; WIDEST];
                row.store(&mut got);
                let want: Vec<f32> = (0..V::LANES).map(|j| (100 * j + i) as f32).collect();
                assert_eq!(got[..V::LANES], want);
            }
        }
    }

    #[test]
    fn rows_become_lanes() {
        for isa in Isa::all() {
            isa.run(Transpose);
        }
    }
}
