//! B in panels, and what packs it.

use crate::cpu::isa::Isa;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::turn::turn;
use crate::cpu::vector::{Job, Vector};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Steps of k in a block.
pub const KC: usize = 128;
/// Columns that are packed at a time, and that a task of many takes: a whole number of panels of every processor.
pub const COLUMNS: usize = 64;

/// `0..len` in pieces of that size, the last one smaller.
pub fn pieces(len: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len).step_by(size).map(move |from| from..len.min(from + size))
}

/// Room for a packed block, on a boundary of cache lines.
#[repr(align(64))]
pub(super) struct Buffer([MaybeUninit<f32>; KC * COLUMNS]);

impl Buffer {
    pub(super) fn new() -> Buffer {
        Buffer([MaybeUninit::uninit(); KC * COLUMNS])
    }

    /// Packs a matrix of at most [`KC`] rows and [`COLUMNS`] columns.
    pub(super) fn pack(&mut self, isa: Isa, b: Matrix) -> &[f32] {
        let len = packed_len(isa, b.rows(), b.columns());
        let to = self.0[..len].as_mut_ptr().cast::<f32>();
        Packing { b, to, len, row: 0, column: 0, memory: PhantomData }.finish(isa);
        // SAFETY: room for `len` numbers, all of which were just written.
        unsafe { std::slice::from_raw_parts(to, len) }
    }
}

/// Packs a matrix whose rows are contiguous into memory of [`packed_len`] numbers, with zeros behind its columns.
///
/// # Panics
/// The memory has another size.
pub fn pack(isa: Isa, b: Matrix, to: &mut [f32]) {
    Packing::new(isa, b, to).finish(isa);
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
        Packing { b, to: to.as_mut_ptr(), len, row: 0, column: 0, memory: PhantomData }
    }

    /// Numbers of the packed matrix.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Packs what is left.
    pub(super) fn finish(self, isa: Isa) {
        isa.run(Finish(self));
    }

    /// Packs one vector, if there is one left, and asks for one some rows further on.
    #[inline(always)]
    pub(super) fn step<V: Vector>(&mut self, zero: V) -> bool {
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
struct Finish<'a>(Packing<'a>);

impl Job for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self, zero: V) {
        while self.0.step(zero) {}
    }
}
