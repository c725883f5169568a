//! The inner kernel: a tile of C in registers, its sizes known to the compiler.

use super::errands::OnTheWay;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::vector::{Job, Vector};

/// Rows of C in a register tile.
pub(super) const MR: usize = 6;
/// Steps of k that the inner kernel makes without asking whether there are more.
pub(super) const UNROLL: usize = 4;
/// How a product's results are written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// Over what is there.
    Over,
    /// Added to what is there.
    Add,
    /// Over what is there and past the caches, which pays for what is not read soon.
    Past,
}

impl Put {
    /// [`Put::Add`] or [`Put::Over`].
    pub fn adding(accumulate: bool) -> Put {
        if accumulate { Put::Add } else { Put::Over }
    }
}

/// `C (+)= A B` for a panel's columns of B, packed, of which the first `A.columns()` rows count.
pub(super) struct PanelProduct<'a, 'e> {
    pub(super) a: Matrix<'a>,
    pub(super) panel: &'a [f32],
    pub(super) c: MatrixMut<'a>,
    pub(super) put: Put,
    pub(super) errands: &'a mut OnTheWay<'e>,
}

impl Job for PanelProduct<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let PanelProduct { a, panel, mut c, put, errands } = self;
        assert!(a.columns() * V::PANEL <= panel.len() && a.rows() == c.rows() && c.columns() <= V::PANEL);
        let tiles = a.rows().div_ceil(MR);
        let mut i = 0;
        for tile in 0..tiles {
            // As many rows in each, as far as that goes: a tile of few rows would wait for its own sums.
            let rows = (a.rows() - i).div_ceil(tiles - tile);
            let a = a.block(i..i + rows, 0..a.columns());
            let c = c.block(i..i + rows, 0..c.columns());
            match rows {
                6 => wide::<V, 6>(zero, a, panel, c, put, errands),
                5 => wide::<V, 5>(zero, a, panel, c, put, errands),
                4 => wide::<V, 4>(zero, a, panel, c, put, errands),
                3 => wide::<V, 3>(zero, a, panel, c, put, errands),
                2 => wide::<V, 2>(zero, a, panel, c, put, errands),
                _ => wide::<V, 1>(zero, a, panel, c, put, errands),
            }
            i += rows;
        }
    }
}

/// Chooses the number of vectors, so that narrow matrices (a class count of 10) do not pay for a full panel, and the
/// way through A: along contiguous rows, or along contiguous columns.
#[inline(always)]
fn wide<V: Vector, const R: usize>(zero: V, a: Matrix, panel: &[f32], c: MatrixMut, put: Put, errands: &mut OnTheWay) {
    let turned = a.strides().1 != 1;
    match (c.columns().div_ceil(V::LANES), turned) {
        (4, false) if V::ACROSS >= 4 => kernel::<V, R, 4, false>(zero, a, panel, c, put, errands),
        (4, true) if V::ACROSS >= 4 => kernel::<V, R, 4, true>(zero, a, panel, c, put, errands),
        (3, false) if V::ACROSS >= 3 => kernel::<V, R, 3, false>(zero, a, panel, c, put, errands),
        (3, true) if V::ACROSS >= 3 => kernel::<V, R, 3, true>(zero, a, panel, c, put, errands),
        (2, false) => kernel::<V, R, 2, false>(zero, a, panel, c, put, errands),
        (2, true) => kernel::<V, R, 2, true>(zero, a, panel, c, put, errands),
        (_, false) => kernel::<V, R, 1, false>(zero, a, panel, c, put, errands),
        (_, true) => kernel::<V, R, 1, true>(zero, a, panel, c, put, errands),
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
    put: Put,
    errands: &mut OnTheWay,
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
            errands.go(zero);
            for q in p..p + UNROLL {
                sums = one_step(zero, sums, &rows, q * step, b_at.add(q * V::PANEL));
            }
            p += UNROLL;
        }
        for q in p..steps {
            sums = one_step(zero, sums, &rows, q * step, b_at.add(q * V::PANEL));
        }
        // Loops of one simple line: what the compiler does not unroll whole would keep the sums in memory.
        let at = |r: usize, v: usize| c_at.wrapping_add(r * c_row + v * V::LANES);
        if put == Put::Add {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate().take(full) {
                    *sum = sum.plus(zero.read(at(r, v)));
                }
            }
        }
        if put == Put::Past {
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate().take(full) {
                    sum.write_past(at(r, v));
                }
            }
        } else {
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate().take(full) {
                    sum.write(at(r, v));
                }
            }
        }
        if full < N {
            for (r, sums) in sums.iter().enumerate() {
                let (sum, at) = (sums[N - 1], at(r, full));
                let sum = if put == Put::Add { sum.plus(zero.read_first(at, last)) } else { sum };
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
