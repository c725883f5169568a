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

use super::isa::Isa;
use super::matrix::{Matrix, MatrixMut};
use super::turn::turn;
use super::vector::{Job, Vector};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Rows of C in a register tile.
const MR: usize = 6;
/// Steps of k that the inner kernel makes without asking whether there are more.
const UNROLL: usize = 4;
/// Steps of k in a block.
pub const KC: usize = 128;
/// Columns that are packed at a time, and that a task of many takes: a whole number of panels of every processor.
pub const COLUMNS: usize = 64;

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
    let mut buffer = Buffer([MaybeUninit::uninit(); KC * COLUMNS]);
    for columns in pieces(n, COLUMNS) {
        for steps in pieces(k, KC) {
            let panels = Panels { data: buffer.pack(isa, b.block(steps.clone(), columns.clone())), rows: steps.len() };
            let mut c = c.block(0..m, columns.clone());
            let put = Put::adding(accumulate || steps.start > 0);
            product(isa, a.block(0..m, steps), panels, &mut c, put, Errands::default());
        }
    }
}

/// `0..len` in pieces of that size, the last one smaller.
pub fn pieces(len: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(size).map(move |from| from..len.min(from + size))
}

/// Room for a packed block, on a boundary of cache lines.
#[repr(align(64))]
struct Buffer([MaybeUninit<f32>; KC * COLUMNS]);

impl Buffer {
    fn pack(&mut self, isa: Isa, b: Matrix) -> &[f32] {
        let len = packed_len(isa, b.rows(), b.columns());
        let to = self.0[..len].as_mut_ptr().cast::<f32>();
        isa.run(Finish(&mut Packing { b, to, len, row: 0, column: 0, each: 0, memory: PhantomData }));
        // SAFETY: room for `len` numbers, all of which were just written.
        unsafe { std::slice::from_raw_parts(to, len) }
    }
}

/// Packs a matrix whose rows are contiguous into memory of [`packed_len`] numbers, with zeros behind its columns.
///
/// # Panics
/// The memory has another size.
pub fn pack(isa: Isa, b: Matrix, to: &mut [f32]) {
    isa.run(Finish(&mut Packing::new(isa, b, to)));
}

/// Numbers of a packed matrix.
pub fn packed_len(isa: Isa, rows: usize, columns: usize) -> usize {
    rows * columns.next_multiple_of(isa.panel())
}

/// B in panels: the rows of its first [`Isa::panel`] columns one behind the other, then those of the next columns; the
/// last panel has as many columns as the others.
#[derive(Clone, Copy)]
pub struct Panels<'a> {
    pub data: &'a [f32],
    /// Rows of a panel, of which a product takes the first.
    pub rows: usize,
}

impl<'a> Panels<'a> {
    /// The rows from `row` on.
    pub fn from(self, isa: Isa, row: usize) -> Panels<'a> {
        Panels { data: &self.data[row * isa.panel()..], ..self }
    }

    /// The memory of the first rows of some columns, a panel a row.
    pub fn block(self, isa: Isa, rows: usize, columns: usize) -> Matrix<'a> {
        Matrix::spaced(self.data, columns.div_ceil(isa.panel()), rows * isa.panel(), self.rows * isa.panel())
    }
}

/// As [`pack`] for the matrix with rows and columns exchanged; zeros behind the columns are not written.
///
/// # Panics
/// As there.
pub fn pack_turned(isa: Isa, b: Matrix, to: &mut [f32]) {
    let (rows, columns, width) = (b.columns(), b.rows(), isa.panel());
    assert!(to.len() == packed_len(isa, rows, columns), "no room for a packed matrix");
    for (columns, panel) in pieces(columns, width).zip(to.chunks_exact_mut(rows * width)) {
        let mut panel = MatrixMut::spaced(panel, rows, columns.len(), width);
        turn(isa, b.block(columns, 0..rows), &mut panel, None);
    }
}

/// The packing of a matrix, a vector at a time: a product does it on the way, as an errand.
pub struct Packing<'a> {
    b: Matrix<'a>,
    /// Writable for `len` numbers, which nobody else uses.
    to: *mut f32,
    len: usize,
    /// The next vector.
    row: usize,
    column: usize,
    /// Vectors to pack at a time.
    each: usize,
    memory: PhantomData<&'a mut [f32]>,
}

impl<'a> Packing<'a> {
    /// As [`pack`], but nothing is done yet.
    ///
    /// # Panics
    /// The memory has another size, or rows are not contiguous.
    pub fn new(isa: Isa, b: Matrix<'a>, to: &'a mut [f32]) -> Packing<'a> {
        let len = packed_len(isa, b.rows(), b.columns());
        assert!(to.len() == len && b.strides().1 == 1, "no room for a packed matrix");
        Packing { b, to: to.as_mut_ptr(), len, row: 0, column: 0, each: 0, memory: PhantomData }
    }

    /// Packs one vector, if there is one left, and asks for one some rows further on.
    #[inline(always)]
    fn step<V: Vector>(&mut self, zero: V) -> bool {
        /// Rows from a vector to the one asked for. Few: rows far apart compete for a few sets of the caches.
        const AHEAD: usize = 12;
        let (b, i, j) = (&self.b, self.row, self.column);
        if i >= b.rows() {
            return false;
        }
        let lanes = b.columns().saturating_sub(j).min(V::LANES);
        let at = (j / V::PANEL * b.rows() + i) * V::PANEL + j % V::PANEL;
        debug_assert!(at + V::LANES <= self.len);
        let from = b.as_ptr().wrapping_add(i * b.strides().0 + j);
        zero.prefetch(from.wrapping_add(AHEAD * b.strides().0));
        // SAFETY: row i of B has `lanes` elements from column j on; the memory has a panel's for each row and each
        // panel of columns.
        unsafe {
            let x = if lanes == V::LANES { zero.read(from) } else { zero.read_first(from, lanes) };
            x.write(self.to.add(at));
        }
        self.column += V::LANES;
        if self.column >= b.columns().next_multiple_of(V::PANEL) {
            (self.column, self.row) = (0, i + 1);
        }
        true
    }
}

/// Packs what is left.
struct Finish<'a, 'b>(&'a mut Packing<'b>);

impl Job for Finish<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        while self.0.step(zero) {}
    }
}

/// What a product does on the way, for those that follow: bring matrices near, and pack one.
#[derive(Default)]
pub struct Errands<'a> {
    pub near: [Option<Matrix<'a>>; 2],
    pub pack: Option<Packing<'a>>,
}

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

/// `C (+)= A B` with B in panels, on the calling thread, and some errands.
///
/// # Panics
/// The sizes do not fit each other.
pub fn product(isa: Isa, a: Matrix, b: Panels, c: &mut MatrixMut, put: Put, errands: Errands) {
    let (m, n, k) = (a.rows(), c.columns(), a.columns());
    let groups = m.div_ceil(MR) * n.div_ceil(isa.panel()) * (k / UNROLL);
    let mut pack = errands.pack;
    if let Some(pack) = &mut pack {
        pack.each = (pack.len / isa.lanes()).div_ceil(groups.max(1));
    }
    let mut on_the_way = OnTheWay { near: errands.near.map(|matrix| Near::new(matrix, groups)), pack: pack.as_mut() };
    for steps in pieces(k, KC) {
        for columns in pieces(n, isa.panel()) {
            let panel = &b.data[columns.start * b.rows + steps.start * isa.panel()..];
            let (a, c) = (a.block(0..m, steps.clone()), c.block(0..m, columns));
            let put = if steps.start > 0 { Put::Add } else { put };
            isa.run(PanelProduct { a, panel, c, put, errands: &mut on_the_way });
        }
    }
    if let Some(pack) = &mut pack {
        isa.run(Finish(pack));
    }
}

/// Errands under way.
struct OnTheWay<'a, 'b> {
    near: [Near; 2],
    pack: Option<&'a mut Packing<'b>>,
}

impl OnTheWay<'_, '_> {
    /// A little of each.
    #[inline(always)]
    fn go<V: Vector>(&mut self, zero: V) {
        self.near.iter_mut().for_each(|near| near.ask(zero));
        if let Some(pack) = &mut self.pack {
            for _ in 0..pack.each {
                pack.step(zero);
            }
        }
    }
}

/// Memory that is asked for while a product runs.
struct Near {
    at: *const f32,
    /// Numbers of a row, and those up to the next line to ask for.
    width: usize,
    column: usize,
    step: usize,
    /// From row to row.
    row: usize,
    rows: usize,
}

impl Near {
    /// A matrix, as a product asks `groups` times.
    fn new(matrix: Option<Matrix>, groups: usize) -> Near {
        const LINE: usize = 16;
        let Some(m) = matrix.filter(|m| m.rows() > 0 && m.columns() > 0 && groups > 0) else {
            return Near { at: std::ptr::null(), width: 0, column: 0, step: 0, row: 0, rows: 0 };
        };
        let (rows, width, row) = match m.strides() {
            (row, 1) => (m.rows(), m.columns(), row),
            (_, column) => (m.columns(), m.rows(), column),
        };
        // Rows without gaps are one.
        let (rows, width) = if row == width { (1, rows * width) } else { (rows, width) };
        let lines = rows * width.div_ceil(LINE);
        Near { at: m.as_ptr(), width, column: 0, step: LINE * lines.div_ceil(groups), row, rows }
    }

    /// Asks for one more line.
    #[inline(always)]
    fn ask<V: Vector>(&mut self, zero: V) {
        if self.rows > 0 {
            zero.prefetch(self.at.wrapping_add(self.column));
            self.column += self.step;
            if self.column >= self.width {
                (self.column, self.rows) = (0, self.rows - 1);
                self.at = self.at.wrapping_add(self.row);
            }
        }
    }
}

/// `C (+)= A B` for a panel's columns of B, packed, of which the first `A.columns()` rows count.
struct PanelProduct<'a, 'e, 'p> {
    a: Matrix<'a>,
    panel: &'a [f32],
    c: MatrixMut<'a>,
    put: Put,
    errands: &'a mut OnTheWay<'e, 'p>,
}

impl Job for PanelProduct<'_, '_, '_> {
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

/// Chooses the number of vectors, so that narrow matrices (a class count of 10) do not pay for a full panel, and the way
/// through A: along contiguous rows, or along contiguous columns.
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
