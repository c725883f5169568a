//! Matrix multiplication: one register-tiled inner kernel on matrices as they lie in memory, nothing packed.
//!
//! `C[m,n] (+)= sum over k of A[m,k] B[k,n]`. The inner kernel keeps a tile of C in registers, 6 rows by a panel of up
//! to 4 vectors: each step of k loads the vectors of B and broadcasts 6 numbers of A, with AVX-512 for 24 fused
//! multiply-adds.
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
//! Blocks of [`KC`] rows of B (32 KiB with AVX-512) stay in the first-level cache while the rows of A pass, and each
//! block is summed from zero before it is added to C, which keeps the rounding error of a long sum half as large as
//! adding its terms one by one. The order of every sum depends on the sizes alone, never on the number of threads.

use super::matrix::{Matrix, MatrixMut};
use super::vector::{Isa, Job, Vector};

/// Rows of C in a register tile.
const MR: usize = 6;
/// Columns of C that a task takes: a whole number of register tiles of every processor.
pub const PANEL: usize = 64;
/// Steps of k in a block.
const KC: usize = 128;

/// `C (+)= A B`, on the calling thread.
///
/// # Panics
/// The sizes do not fit each other, or B's rows are not contiguous.
pub fn gemm(a: Matrix, b: Matrix, c: &mut MatrixMut, accumulate: bool) {
    gemm_with(Isa::detect(), a, b, c, accumulate);
}

fn gemm_with(isa: Isa, a: Matrix, b: Matrix, c: &mut MatrixMut, accumulate: bool) {
    let sizes = (a.rows(), a.columns(), b.columns());
    assert!(sizes == (c.rows(), b.rows(), c.columns()) && b.strides().1 == 1, "a product whose sizes do not fit");
    if a.columns() == 0 && !accumulate {
        c.fill(0.0);
    }
    isa.run(Product { a, b, c, accumulate });
}

/// A product, for vectors of any kind.
struct Product<'a, 'b> {
    a: Matrix<'a>,
    b: Matrix<'a>,
    c: &'a mut MatrixMut<'b>,
    accumulate: bool,
}

impl Job for Product<'_, '_> {
    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let Product { a, b, c, accumulate } = self;
        let (m, n, k) = (a.rows(), b.columns(), a.columns());
        for j in (0..n).step_by(V::PANEL) {
            let columns = j..n.min(j + V::PANEL);
            for p in (0..k).step_by(KC) {
                let steps = p..k.min(p + KC);
                let b = b.block(steps.clone(), columns.clone());
                for i in (0..m).step_by(MR) {
                    let rows = i..m.min(i + MR);
                    let a = a.block(rows.clone(), steps.clone());
                    let c = c.block(rows.clone(), columns.clone());
                    let accumulate = accumulate || p > 0;
                    match rows.len() {
                        6 => tile::<V, 6>(zero, a, b, c, accumulate),
                        5 => tile::<V, 5>(zero, a, b, c, accumulate),
                        4 => tile::<V, 4>(zero, a, b, c, accumulate),
                        3 => tile::<V, 3>(zero, a, b, c, accumulate),
                        2 => tile::<V, 2>(zero, a, b, c, accumulate),
                        _ => tile::<V, 1>(zero, a, b, c, accumulate),
                    }
                }
            }
        }
    }
}

/// Chooses the number of vectors, so that narrow matrices (a class count of 10) do not pay for a full panel.
#[inline(always)]
fn tile<V: Vector, const R: usize>(zero: V, a: Matrix, b: Matrix, c: MatrixMut, accumulate: bool) {
    match b.columns().div_ceil(V::LANES) {
        4 if V::PANEL >= 4 * V::LANES => kernel::<V, R, 4>(zero, a, b, c, accumulate),
        3 if V::PANEL >= 3 * V::LANES => kernel::<V, R, 3>(zero, a, b, c, accumulate),
        2 => kernel::<V, R, 2>(zero, a, b, c, accumulate),
        _ => kernel::<V, R, 1>(zero, a, b, c, accumulate),
    }
}

/// The tile of `R` rows and `N` vectors, the last of which may be cut short.
#[inline(always)]
fn kernel<V: Vector, const R: usize, const N: usize>(
    zero: V,
    a: Matrix,
    b: Matrix,
    mut c: MatrixMut,
    accumulate: bool,
) {
    let columns = c.columns();
    assert!(a.rows() == R && c.rows() == R && a.columns() == b.rows() && b.columns() == columns);
    assert!(columns > (N - 1) * V::LANES && columns <= N * V::LANES && b.strides().1 == 1);
    let lanes = |v: usize| if v + 1 == N { columns - (N - 1) * V::LANES } else { V::LANES };
    let mut sums = [[zero; N]; R];
    let ((row, step), b_row, c_row) = (a.strides(), b.strides().0, c.stride());
    let (mut a_at, mut b_at, c_at) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
    // SAFETY: A is of R rows, B of as many rows as A has columns, C of R rows, and B and C of N vectors, the last one
    // of `lanes(N - 1)` numbers: all just checked. So every place read is an element of A, B or C, and every place
    // written one of C.
    unsafe {
        for _ in 0..a.columns() {
            let mut line = [zero; N];
            for (v, x) in line.iter_mut().enumerate() {
                *x = zero.read(b_at.add(v * V::LANES), lanes(v));
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                let factor = zero.splat(*a_at.add(r * row));
                for (sum, x) in sums.iter_mut().zip(line) {
                    *sum = sum.plus_product(factor, x);
                }
            }
            // The last step may leave the memory; what it gives is not used.
            a_at = a_at.wrapping_add(step);
            b_at = b_at.wrapping_add(b_row);
        }
        for (r, sums) in sums.iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                let at = c_at.add(r * c_row + v * V::LANES);
                let sum = if accumulate { sum.plus(zero.read(at, lanes(v))) } else { sum };
                sum.write(at, lanes(v));
            }
        }
    }
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
            gemm_with(isa, a_matrix, Matrix::new(&b, k, n), &mut c_matrix, accumulate);
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
