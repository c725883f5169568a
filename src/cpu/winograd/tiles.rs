//! The transforms of tiles: input, output and its gradient, weights and theirs.

use super::lines::{Line, OutputLine, Tile, WeightGradientLine, WeightLine, columns};
use super::plan::{Grid, Spectrum};
use super::{BLOCK, T};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::matrix::{Matrix, MatrixMut, Shared};
use crate::cpu::vector::Vector;
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// Some tiles and channels of a map.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) tiles: Range<usize>,
    pub(super) channels: Range<usize>,
}

/// A map `[n, h, w, channels]`.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub(super) grid: Grid,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) channels: usize,
    pub(super) data: &'a [f32],
}

impl<'a> Map<'a> {
    pub(super) fn new(s: &ConvShape, channels: usize, data: &'a [f32]) -> Map<'a> {
        assert!(data.len() == s.n * s.h * s.w * channels, "a map of another size");
        Map { grid: Grid::new(s), h: s.h, w: s.w, channels, data }
    }

    /// Where the channels from `channel` on begin for each pixel of the tile of `I x I` pixels that begins `border`
    /// before those of tile `t`; a pixel outside of the map has zeros for [`BLOCK`] channels.
    #[inline(always)]
    fn pixels<const I: usize>(&self, t: usize, border: usize, channel: usize) -> [[*const f32; I]; I] {
        static ZEROS: [f32; BLOCK] = [0.0; BLOCK];
        let (n, i0, j0) = self.grid.place(t);
        let mut pixels = [[ZEROS.as_ptr(); I]; I];
        for (i, line) in pixels.iter_mut().enumerate() {
            for (j, at) in line.iter_mut().enumerate() {
                let (y, x) = ((i0 + i).wrapping_sub(border), (j0 + j).wrapping_sub(border));
                if y < self.h && x < self.w {
                    *at = self.data[((n * self.h + y) * self.w + x) * self.channels + channel..].as_ptr();
                }
            }
        }
        pixels
    }

    /// To transformed tiles: `out[f][t][c] = (X d X^T)[f]`, with X the matrix of a line's transform and d the tile of
    /// `I x I` pixels.
    #[inline(always)]
    pub(super) fn transform<V: Vector, X: Line<I, T>, const I: usize>(
        &self,
        zero: V,
        (line, border): (&X, usize),
        part: Part,
        to: Spectrum,
        out: &mut [f32],
    ) {
        let mut out = MatrixMut::spaced(out, T * T, to.distance, to.distance);
        let channels = part.channels.len();
        let first = if to.covers(self.channels) { 0 } else { part.channels.start };
        assert!(part.channels.end <= self.channels && channels <= BLOCK && channels.is_multiple_of(V::LANES));
        for (row, t) in part.tiles.enumerate() {
            let pixels = self.pixels::<I>(t, border, part.channels.start);
            for c in (0..channels).step_by(V::LANES) {
                let column = to.at(row, part.channels.start + c - first);
                for (i, half) in columns(line, zero, &Pixels { at: &pixels, c }).into_iter().enumerate() {
                    out.put_column(i * T, column, line.apply(half));
                }
            }
        }
    }
}

/// Some channels of a tile's pixels, from channel c on.
struct Pixels<'a, const I: usize> {
    /// Each of them has a vector's numbers from c on.
    at: &'a [[*const f32; I]; I],
    c: usize,
}

impl<const I: usize> Tile<I> for Pixels<'_, I> {
    #[inline(always)]
    fn read<V: Vector>(&self, zero: V, i: usize, j: usize) -> V {
        // SAFETY: as the field says.
        unsafe { zero.read(self.at[i][j].add(self.c)) }
    }
}

/// A tile whose vectors lie at one column of a matrix, one in each row.
struct Rows {
    /// Every row has a vector's numbers there.
    at: *const f32,
    row: usize,
}

impl Rows {
    #[inline(always)]
    fn new<V: Vector>(m: Matrix, rows: usize, column: usize) -> Rows {
        let (at, row) = m.vectors::<V>(rows, column);
        Rows { at, row }
    }
}

impl<const I: usize> Tile<I> for Rows {
    #[inline(always)]
    fn read<V: Vector>(&self, zero: V, i: usize, j: usize) -> V {
        // SAFETY: as the field says; [`Rows::new`] was asked for `I I` rows.
        unsafe { zero.read(self.at.add((i * I + j) * self.row)) }
    }
}

/// A map that several tasks write.
pub(super) struct MapMut<'a> {
    pub(super) grid: Grid,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) channels: usize,
    pub(super) data: Shared<'a>,
}

impl<'a> MapMut<'a> {
    pub(super) fn new(s: &ConvShape, channels: usize, data: &'a mut [f32]) -> MapMut<'a> {
        assert!(data.len() == s.n * s.h * s.w * channels, "a map of another size");
        MapMut { grid: Grid::new(s), h: s.h, w: s.w, channels, data: Shared::new(data) }
    }

    /// From products: `y = A^T m A` with an epilogue, for the pixels of the tiles that lie inside the map.
    ///
    /// # Safety
    /// Only the caller uses this part of the map now.
    #[inline(always)]
    pub(super) unsafe fn put<V: Vector>(&self, zero: V, part: Part, from: Spectrum, products: &[f32], end: &Epilogue) {
        let products = Matrix::new(products, T * T, from.distance);
        for (row, t) in part.tiles.enumerate() {
            let (n, i0, j0) = self.grid.place(t);
            for k in part.channels.clone().step_by(V::LANES) {
                let m = Rows::new::<V>(products, T * T, from.at(row, k - part.channels.start));
                for (i, half) in columns(&OutputLine, zero, &m).into_iter().enumerate() {
                    for (j, v) in OutputLine.apply(half).into_iter().enumerate() {
                        if i0 + i < self.h && j0 + j < self.w {
                            let at = ((n * self.h + i0 + i) * self.w + j0 + j) * self.channels;
                            // SAFETY: the pixels of different tiles are different ones, and the caller alone uses this
                            // tile's, in these channels.
                            let to = unsafe { self.data.part(at + k..at + k + V::LANES) };
                            end.apply_vector(v, at, k).store(to);
                        }
                    }
                }
            }
        }
    }
}

/// Weights `[3, 3, c, k]` to transformed ones, for some input and output channels: `out[f][c][k] = (G g G^T)[f]`.
#[inline(always)]
pub(super) fn from_weights<V: Vector>(
    zero: V,
    s: &ConvShape,
    w: &[f32],
    (inputs, outputs): (Range<usize>, Range<usize>),
    to: Spectrum,
    out: &mut MatrixMut,
) {
    let w = Matrix::new(w, 9, s.c * s.k);
    for (row, c) in inputs.enumerate() {
        for k in outputs.clone().step_by(V::LANES) {
            let (g, column) = (Rows::new::<V>(w, 9, c * s.k + k), to.at(row, k - outputs.start));
            for (i, half) in columns(&WeightLine, zero, &g).into_iter().enumerate() {
                out.put_column(i * T, column, WeightLine.apply(half));
            }
        }
    }
}

/// The gradient of transformed weights to that of the weights: `dw[t][c][k] = (G^T u G)[t]`.
///
/// # Safety
/// Only the caller uses the elements of these input and output channels of `dw` now.
#[inline(always)]
pub(super) unsafe fn to_weights<V: Vector>(
    zero: V,
    s: &ConvShape,
    (inputs, outputs): (Range<usize>, Range<usize>),
    from: Spectrum,
    sums: &[f32],
    dw: &Shared,
) {
    let sums = Matrix::new(sums, T * T, from.distance);
    for (row, c) in inputs.enumerate() {
        for k in outputs.clone().step_by(V::LANES) {
            let u = Rows::new::<V>(sums, T * T, from.at(row, k - outputs.start));
            for (i, half) in columns(&WeightGradientLine, zero, &u).into_iter().enumerate() {
                for (j, v) in WeightGradientLine.apply(half).into_iter().enumerate() {
                    let at = ((3 * i + j) * s.c + c) * s.k + k;
                    // SAFETY: elements of these channels, as the caller allows.
                    v.store(unsafe { dw.part(at..at + V::LANES) });
                }
            }
        }
    }
}
