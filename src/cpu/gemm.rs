//! Matrix multiplication: one register-tiled inner kernel, with A read as it lies in memory and B packed into panels.
//!
//! `C[m,n] (+)= sum over k of A[m,k] B[k,n]`. The inner kernel keeps a tile of C in registers, 6 rows by a panel of
//! [`Vector::ACROSS`] vectors: each step of k loads the vectors of B and broadcasts 6 numbers of A, with AVX-512 for 24
//! fused multiply-adds, with AVX2 for 12.
//!
//! ```text
//!                  B   | panel |
//!              step of |-------|
//!              k       |       |
//!        k
//!    +-------+         +-------+
//!  6 | | A   |       C | tile  | 6
//!    +-------+         +-------+
//! ```
//!
//! A panel holds its rows of B one behind the other, the last panel filled up with zeros: whatever B's rows are apart,
//! [`KC`] of them lie in consecutive cache lines (8 KiB with AVX2, 32 KiB with AVX-512), which stay in the first-level
//! cache while the rows of A pass.
//!
//! Each block of [`KC`] products is summed from zero before it is added to C, which keeps the rounding error of a long
//! sum half as large as adding its terms one by one. The order of every sum depends on the sizes alone, never on the
//! number of threads.

use super::isa::Isa;
use super::matrix::{Matrix, MatrixMut};
use super::vector::{Job, Vector};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Rows of C in a register tile.
const MR: usize = 6;
/// Steps of k that the inner kernel makes without asking whether there are more.
const UNROLL: usize = 4;
/// Steps of k in a block.
pub const KC: usize = 128;
/// Columns of the widest panel: what a task of many takes.
pub const PANEL: usize = 64;

/// `C (+)= A B`, on the calling thread.
///
/// # Panics
/// The sizes do not fit each other, or B's rows are not contiguous.
pub fn gemm(isa: Isa, a: Matrix, b: Matrix, c: &mut MatrixMut, accumulate: bool) {
    let (m, n, k) = (a.rows(), b.columns(), a.columns());
    assert!((m, k, n) == (c.rows(), b.rows(), c.columns()) && b.strides().1 == 1, "a product whose sizes do not fit");
    if k == 0 && !accumulate {
        c.fill(0.0);
    }
    let mut packed = Packed([MaybeUninit::uninit(); KC * PANEL]);
    for columns in pieces(n, isa.panel()) {
        for steps in pieces(k, KC) {
            let panel = isa.run(Pack { b: b.block(steps.clone(), columns.clone()), to: &mut packed });
            let (a, c) = (a.block(0..m, steps.clone()), c.block(0..m, columns.clone()));
            let mut ahead = Ahead::none(a.as_ptr());
            isa.run(PanelProduct { a, panel, c, accumulate: accumulate || steps.start > 0, ahead: &mut ahead });
        }
    }
}

/// `0..len` in pieces of that size, the last one smaller.
fn pieces(len: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(size).map(move |from| from..len.min(from + size))
}

/// A block of a panel, on a boundary of cache lines.
#[repr(align(64))]
struct Packed([MaybeUninit<f32>; KC * PANEL]);

/// Copies at most [`KC`] rows of at most a panel's columns, with zeros behind them.
struct Pack<'a, 'p> {
    b: Matrix<'a>,
    to: &'p mut Packed,
}

impl<'p> Job for Pack<'_, 'p> {
    type Output = &'p [f32];

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) -> &'p [f32] {
        let (b, rows, columns) = (self.b, self.b.rows(), self.b.columns());
        assert!(rows <= KC && columns <= V::PANEL && V::PANEL <= PANEL && b.strides().1 == 1);
        let to = self.to.0.as_mut_ptr().cast::<f32>();
        for i in 0..rows {
            for v in 0..V::ACROSS {
                let lanes = columns.saturating_sub(v * V::LANES).min(V::LANES);
                // SAFETY: row i of B has `lanes` elements from vector v on, and the block has a panel's for each row.
                unsafe {
                    let from = b.as_ptr().wrapping_add(i * b.strides().0 + v * V::LANES);
                    let x = if columns == V::PANEL { zero.read(from) } else { zero.read_first(from, lanes) };
                    x.write(to.add(i * V::PANEL + v * V::LANES));
                }
            }
        }
        // SAFETY: just written.
        unsafe { std::slice::from_raw_parts(to, rows * V::PANEL) }
    }
}

/// Several products `C (+)= A B` of one size, whose matrices lie at equal distances.
pub struct Batch<'a> {
    pub count: usize,
    /// Rows of A and C, columns of C, and the inner dimension.
    pub size: (usize, usize, usize),
    /// A's elements, the distance from matrix to matrix, and those of its rows and columns, one of which is 1.
    pub a: (&'a [f32], usize, (usize, usize)),
    /// B's elements in panels and the distance from matrix to matrix: the first [`Isa::panel`] columns, all rows one
    /// behind the other, then the next columns; the last panel has as many columns as the others.
    pub b: (&'a [f32], usize),
    /// Rows of a panel, of which a product takes the first.
    pub panel_rows: usize,
    /// C's elements, the distance from matrix to matrix, and that of rows.
    pub c: (&'a mut [f32], usize, usize),
    pub accumulate: bool,
}

impl Batch<'_> {
    /// Computes them, on the calling thread; while one runs, the matrices of the next are brought near.
    ///
    /// # Panics
    /// The sizes do not fit each other.
    pub fn run(self, isa: Isa) {
        let (m, n, k) = self.size;
        let (c, c_distance, c_row) = self.c;
        let groups = m.div_ceil(MR) * n.div_ceil(isa.panel()) * k.div_ceil(UNROLL);
        for f in 0..self.count {
            let a = Matrix::strided(&self.a.0[f * self.a.1..], m, k, self.a.2);
            let b = &self.b.0[f * self.b.1..];
            let mut c = MatrixMut::spaced(&mut c[f * c_distance..], m, n, c_row);
            let mut ahead = Ahead::none(a.as_ptr());
            if f + 1 < self.count {
                ahead = Ahead {
                    at: [a.as_ptr().wrapping_add(self.a.1), b.as_ptr().wrapping_add(self.b.1)],
                    step: [m * k / groups, k * n.next_multiple_of(isa.panel()) / groups],
                };
            }
            for columns in pieces(n, isa.panel()) {
                let panel = &b[columns.start * self.panel_rows..];
                for steps in pieces(k, KC) {
                    let (a, c) = (a.block(0..m, steps.clone()), c.block(0..m, columns.clone()));
                    let panel = &panel[steps.start * isa.panel()..];
                    let accumulate = self.accumulate || steps.start > 0;
                    isa.run(PanelProduct { a, panel, c, accumulate, ahead: &mut ahead });
                }
            }
        }
    }
}

/// Memory that is asked for while a product runs, because the next one needs it: two places, and how far they move in
/// each group of [`UNROLL`] steps.
struct Ahead {
    at: [*const f32; 2],
    step: [usize; 2],
}

impl Ahead {
    /// Nothing but what is there.
    fn none(at: *const f32) -> Ahead {
        Ahead { at: [at; 2], step: [0; 2] }
    }

    #[inline(always)]
    fn ask<V: Vector>(&mut self, zero: V) {
        for (at, step) in self.at.iter_mut().zip(self.step) {
            zero.prefetch(*at);
            *at = at.wrapping_add(step);
        }
    }
}

/// `C (+)= A B` for a panel's columns of B, packed, of which the first `A.columns()` rows count.
struct PanelProduct<'a> {
    a: Matrix<'a>,
    panel: &'a [f32],
    c: MatrixMut<'a>,
    accumulate: bool,
    ahead: &'a mut Ahead,
}

impl Job for PanelProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let PanelProduct { a, panel, mut c, accumulate, ahead } = self;
        assert!(a.columns() * V::PANEL <= panel.len() && a.rows() == c.rows() && c.columns() <= V::PANEL);
        let tiles = a.rows().div_ceil(MR);
        let mut i = 0;
        for tile in 0..tiles {
            // As many rows in each, as far as that goes: a tile of few rows would wait for its own sums.
            let rows = (a.rows() - i).div_ceil(tiles - tile);
            let a = a.block(i..i + rows, 0..a.columns());
            let c = c.block(i..i + rows, 0..c.columns());
            match rows {
                6 => wide::<V, 6>(zero, a, panel, c, accumulate, ahead),
                5 => wide::<V, 5>(zero, a, panel, c, accumulate, ahead),
                4 => wide::<V, 4>(zero, a, panel, c, accumulate, ahead),
                3 => wide::<V, 3>(zero, a, panel, c, accumulate, ahead),
                2 => wide::<V, 2>(zero, a, panel, c, accumulate, ahead),
                _ => wide::<V, 1>(zero, a, panel, c, accumulate, ahead),
            }
            i += rows;
        }
    }
}

/// Chooses the number of vectors, so that narrow matrices (a class count of 10) do not pay for a full panel, and the way
/// through A: along contiguous rows, or along contiguous columns.
#[inline(always)]
fn wide<V: Vector, const R: usize>(
    zero: V,
    a: Matrix,
    panel: &[f32],
    c: MatrixMut,
    accumulate: bool,
    ahead: &mut Ahead,
) {
    let turned = a.strides().1 != 1;
    match (c.columns().div_ceil(V::LANES), turned) {
        (4, false) if V::ACROSS >= 4 => kernel::<V, R, 4, false>(zero, a, panel, c, accumulate, ahead),
        (4, true) if V::ACROSS >= 4 => kernel::<V, R, 4, true>(zero, a, panel, c, accumulate, ahead),
        (3, false) if V::ACROSS >= 3 => kernel::<V, R, 3, false>(zero, a, panel, c, accumulate, ahead),
        (3, true) if V::ACROSS >= 3 => kernel::<V, R, 3, true>(zero, a, panel, c, accumulate, ahead),
        (2, false) => kernel::<V, R, 2, false>(zero, a, panel, c, accumulate, ahead),
        (2, true) => kernel::<V, R, 2, true>(zero, a, panel, c, accumulate, ahead),
        (_, false) => kernel::<V, R, 1, false>(zero, a, panel, c, accumulate, ahead),
        (_, true) => kernel::<V, R, 1, true>(zero, a, panel, c, accumulate, ahead),
    }
}

/// The tile of `R` rows and `N` vectors, the last of which may be cut short in C. `TURNED`: A's columns are contiguous,
/// else its rows.
#[inline(always)]
fn kernel<V: Vector, const R: usize, const N: usize, const TURNED: bool>(
    zero: V,
    a: Matrix,
    panel: &[f32],
    mut c: MatrixMut,
    accumulate: bool,
    ahead: &mut Ahead,
) {
    let (columns, steps, (row, step)) = (c.columns(), a.columns(), a.strides());
    assert!(a.rows() == R && c.rows() == R && steps * V::PANEL <= panel.len() && N <= V::ACROSS);
    assert!(columns > (N - 1) * V::LANES && columns <= N * V::LANES && (if TURNED { row } else { step }) == 1);
    let (row, step) = if TURNED { (1, step) } else { (row, 1) };
    let mut sums = [[zero; N]; R];
    // Where the rows of A begin: none leaves the memory, because A has R rows.
    let rows: [*const f32; R] = std::array::from_fn(|r| a.as_ptr().wrapping_add(r * row));
    let b_at = panel.as_ptr();
    let (c_row, c_at) = (c.stride(), c.as_mut_ptr());
    let (full, last) = (columns / V::LANES, columns % V::LANES);
    // SAFETY: A is of R rows and as many columns as the panel has rows, C of R rows and N vectors, the last one of
    // `last` numbers if that is not 0: all just checked. So every place read is an element of A, of the panel or of C,
    // and every place written one of C.
    unsafe {
        let mut p = 0;
        while p + UNROLL <= steps {
            ahead.ask(zero);
            for q in p..p + UNROLL {
                sums = one_step(zero, sums, &rows, q * step, b_at.add(q * V::PANEL));
            }
            p += UNROLL;
        }
        for q in p..steps {
            sums = one_step(zero, sums, &rows, q * step, b_at.add(q * V::PANEL));
        }
        // Loops of one simple line: what the compiler does not unroll whole would keep the sums in memory.
        for (r, sums) in sums.iter_mut().enumerate() {
            for (v, sum) in sums.iter_mut().enumerate().take(if accumulate { full } else { 0 }) {
                *sum = sum.plus(zero.read(c_at.add(r * c_row + v * V::LANES)));
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate().take(full) {
                sum.write(c_at.add(r * c_row + v * V::LANES));
            }
        }
        if full < N {
            for (r, sums) in sums.iter().enumerate() {
                let at = c_at.add(r * c_row + full * V::LANES);
                let sum = if accumulate { sums[N - 1].plus(zero.read_first(at, last)) } else { sums[N - 1] };
                sum.write_first(at, last);
            }
        }
    }
}

/// Adds one step of k: the number `from` further on in each row of A, times the vectors at `b`.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn one_step<V: Vector, const R: usize, const N: usize>(
    zero: V,
    mut sums: [[V; N]; R],
    rows: &[*const f32; R],
    from: usize,
    b: *const f32,
) -> [[V; N]; R] {
    // SAFETY: as the caller says.
    unsafe {
        let mut line = [zero; N];
        for (v, x) in line.iter_mut().enumerate() {
            *x = zero.read(b.add(v * V::LANES));
        }
        for (sums, row) in sums.iter_mut().zip(rows) {
            let factor = zero.splat(*row.add(from));
            for (sum, x) in sums.iter_mut().zip(line) {
                *sum = sum.plus_product(factor, x);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tail of rows, columns and k, both orders of A, overwriting and accumulating, against f64, with every
    /// instruction set of this processor.
    #[test]
    fn agrees_with_f64() {
        for m in [1, 2, 5, 6, 7, 13] {
            for n in [1, 10, 16, 17, 63, 64, 65, 100] {
                for k in [0, 1, 3, 127, 128, 129, 300] {
                    for transposed in [false, true] {
                        for accumulate in [false, true] {
                            check(m, n, k, transposed, accumulate);
                        }
                    }
                }
            }
        }
    }

    fn check(m: usize, n: usize, k: usize, transposed: bool, accumulate: bool) {
        let value = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 1009.0 - 0.5;
        let a: Vec<f32> = (0..m * k + 1).map(value).collect();
        let b: Vec<f32> = (0..k * n + 1).map(|i| value(i + 5)).collect();
        let start: Vec<f32> = (0..m * n).map(|i| value(i + 9)).collect();
        let (row, column) = if transposed { (1, m) } else { (k, 1) };
        for isa in Isa::all() {
            let mut c = if accumulate { start.clone() } else { vec![f32::NAN; m * n] };
            let a_matrix = if transposed { Matrix::new(&a, k, m).transposed() } else { Matrix::new(&a, m, k) };
            let mut c_matrix = MatrixMut::new(&mut c, m, n);
            gemm(isa, a_matrix, Matrix::new(&b, k, n), &mut c_matrix, accumulate);
            for i in 0..m {
                for j in 0..n {
                    let mut sum = if accumulate { f64::from(start[i * n + j]) } else { 0.0 };
                    for p in 0..k {
                        sum += f64::from(a[i * row + p * column]) * f64::from(b[p * n + j]);
                    }
                    let got = f64::from(c[i * n + j]);
                    assert!((got - sum).abs() <= 1e-5, "{}: {m}x{n}x{k} at {i},{j}: {got} {sum}", isa.name());
                }
            }
        }
    }
}
