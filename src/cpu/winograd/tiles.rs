//! The transforms of whole tiles: input, output and its gradient, weights and theirs.
//!
//! The 36 elements of a transformed tile are the rows of a matrix, and each tile (or input channel of the weights) is a
//! few columns of it, one a channel. Each task writes columns, or rows of the map, of its own.

use super::lines::{Line, M, OutputLine, T, both};
use super::plan::Plan;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::parallel::for_each;
use crate::cpu::vector::{Isa, Job, Vector};

/// A transformation of many tiles, cut into tasks.
pub(super) trait Transform: Sync {
    /// Writes task number `task`'s part of the result. Always inlined, so that it is compiled for the vectors of its
    /// caller.
    fn part<V: Vector>(&self, zero: V, task: usize, out: &mut MatrixMut);
}

/// Runs a transformation, each task writing one of `parts`, with the processor's vectors. Without fused multiply-adds,
/// so that every processor rounds alike.
pub(super) fn run(parts: Vec<MatrixMut>, transform: &impl Transform) {
    let isa = Isa::detect();
    for_each(parts, |task, out| isa.run(Part { transform, task, out }));
}

/// One task of a transformation.
struct Part<'a, J> {
    transform: &'a J,
    task: usize,
    out: MatrixMut<'a>,
}

impl<J: Transform> Job for Part<'_, J> {
    #[inline(always)]
    fn run<V: Vector>(mut self, zero: V) {
        self.transform.part(zero, self.task, &mut self.out);
    }
}

/// From a map to transformed tiles of `stride` columns each: `out[f][t][c] = (X d X^T)[f]`, with X the matrix of a
/// line's transform and d the tile of `I x I` pixels. A task is a row of tiles.
pub(super) struct FromMap<'a, X, const I: usize> {
    pub(super) plan: &'a Plan,
    pub(super) map: &'a [f32],
    pub(super) channels: usize,
    /// Pixels outside of the map on its upper and left side that the first tiles begin with.
    pub(super) border: usize,
    /// Image of the chunk's first tile.
    pub(super) first: usize,
    pub(super) stride: usize,
    pub(super) line: X,
}

impl<X, const I: usize> FromMap<'_, X, I> {
    /// Some channels of the tile whose output pixels begin at `(i0, j0)` of image `n`; outside of the map is zero.
    #[inline(always)]
    fn read<V: Vector>(&self, zero: V, n: usize, (i0, j0): (usize, usize), c: usize) -> [[V; I]; I] {
        let s = &self.plan.s;
        let mut tile = [[zero; I]; I];
        for (i, line) in tile.iter_mut().enumerate() {
            let Some(y) = (i0 + i).checked_sub(self.border).filter(|&y| y < s.h) else {
                continue;
            };
            for (j, v) in line.iter_mut().enumerate() {
                let Some(x) = (j0 + j).checked_sub(self.border).filter(|&x| x < s.w) else {
                    continue;
                };
                *v = zero.load(&self.map[((n * s.h + y) * s.w + x) * self.channels + c..]);
            }
        }
        tile
    }
}

impl<X: Line<I, T>, const I: usize> Transform for FromMap<'_, X, I> {
    #[inline(always)]
    fn part<V: Vector>(&self, zero: V, task: usize, out: &mut MatrixMut) {
        let (n, i0) = self.plan.place(self.first, task);
        for t in 0..self.plan.columns {
            for c in (0..self.channels).step_by(V::LANES) {
                let d = self.read(zero, n, (i0, t * M), c);
                out.put_tile(t * self.stride + c, &both(&self.line, &d));
            }
        }
    }
}

/// To a map: `y = A^T m A` with an epilogue, for the pixels of a chunk's tiles that lie inside the map. A task is a row
/// of tiles, at most four rows of the map.
pub(super) struct Output<'a> {
    pub(super) plan: &'a Plan,
    /// The products, the tiles `y_stride` columns apart.
    pub(super) products: Matrix<'a>,
    /// Image of the chunk's first tile.
    pub(super) first: usize,
    pub(super) end: Epilogue<'a>,
}

impl Transform for Output<'_> {
    #[inline(always)]
    fn part<V: Vector>(&self, zero: V, task: usize, out: &mut MatrixMut) {
        let (s, rows) = (&self.plan.s, out.rows());
        let (n, i0) = self.plan.place(self.first, task);
        for t in 0..self.plan.columns {
            let (from, j0) = ((task * self.plan.columns + t) * self.plan.y_stride, t * M);
            for k in (0..s.k).step_by(V::LANES) {
                let m: [[V; T]; T] = self.products.tile(zero, from + k);
                let tile = both(&OutputLine, &m);
                for (i, line) in tile.iter().enumerate().take(rows) {
                    let row = out.row(i);
                    for (j, v) in line.iter().enumerate().take(s.w - j0) {
                        let at = ((n * s.h + i0 + i) * s.w + j0 + j) * s.k;
                        self.end.apply_vector(*v, at, k).store(&mut row[(j0 + j) * s.k + k..]);
                    }
                }
            }
        }
    }
}

/// From weights to weights, element by element of their columns: `out[O O][c][k] = X g[I I][c][k] X^T`. A task is a few
/// columns.
pub(super) struct Columns<'a, X, const I: usize, const O: usize> {
    pub(super) from: Matrix<'a>,
    pub(super) line: X,
    /// Columns of a task.
    pub(super) columns: usize,
}

impl<X: Line<I, O>, const I: usize, const O: usize> Transform for Columns<'_, X, I, O> {
    #[inline(always)]
    fn part<V: Vector>(&self, zero: V, task: usize, out: &mut MatrixMut) {
        for column in (0..out.columns()).step_by(V::LANES) {
            let g: [[V; I]; I] = self.from.tile(zero, task * self.columns + column);
            out.put_tile(column, &both(&self.line, &g));
        }
    }
}
