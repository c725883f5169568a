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
//! cache while the rows of A pass. What the next product needs is brought near meanwhile ([`Errands`]): the walks here
//! jump too often for the processor to guess them.
//!
//! Each block of [`KC`] products is summed from zero before it is added to C, which keeps the rounding error of a long
//! sum half as large as adding its terms one by one. The order of every sum depends on the sizes alone, never on the
//! number of threads.

mod errands;
mod kernel;
mod pack;

use super::isa::Isa;
use super::matrix::{Matrix, MatrixMut};
use errands::OnTheWay;
use kernel::{MR, PanelProduct, UNROLL};
use pack::Buffer;

pub use errands::Errands;
pub use kernel::Put;
pub use pack::{COLUMNS, KC, Packing, Panels, pack, pack_turned, packed_len, pieces};

/// `C (+)= A B`, on the calling thread; B is packed on the way.
///
/// # Panics
/// The sizes do not fit each other, or B's rows are not contiguous.
pub fn gemm(isa: Isa, a: Matrix, b: Matrix, c: &mut MatrixMut, accumulate: bool) {
    let (m, n, k) = (a.rows(), b.columns(), a.columns());
    assert!((m, k, n) == (c.rows(), b.rows(), c.columns()) && b.strides().1 == 1, "a product whose sizes do not fit");
    if k == 0 && !accumulate {
        c.fill(0.0);
    }
    let mut buffer = Buffer::new();
    for columns in pieces(n, COLUMNS) {
        for steps in pieces(k, KC) {
            let panels = Panels { data: buffer.pack(isa, b.block(steps.clone(), columns.clone())), rows: steps.len() };
            let mut c = c.block(0..m, columns.clone());
            let put = Put::adding(accumulate || steps.start > 0);
            product(isa, a.block(0..m, steps), panels, &mut c, put, Errands::default());
        }
    }
}

/// `C (+)= A B` with B in panels, on the calling thread, and some errands.
///
/// # Panics
/// The sizes do not fit each other.
pub fn product(isa: Isa, a: Matrix, b: Panels, c: &mut MatrixMut, put: Put, errands: Errands) {
    let (m, n, k) = (a.rows(), c.columns(), a.columns());
    let groups = m.div_ceil(MR) * n.div_ceil(isa.panel()) * (k / UNROLL);
    let mut errands = OnTheWay::new(isa, errands, groups);
    for steps in pieces(k, KC) {
        for columns in pieces(n, isa.panel()) {
            let panel = &b.data[columns.start * b.rows + steps.start * isa.panel()..];
            let (a, c) = (a.block(0..m, steps.clone()), c.block(0..m, columns));
            let put = if steps.start > 0 { Put::Add } else { put };
            isa.run(PanelProduct { a, panel, c, put, errands: &mut errands });
        }
    }
    errands.finish(isa);
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
