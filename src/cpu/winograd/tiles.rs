//! The transforms of tiles: input, output and its gradient.

use super::lines::{Line, OutputLine, T, Tile, columns};
use super::plan::{BLOCK, F, Grid, Part, Place, Spectrum};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::matrix::{Matrix, Shared};
use crate::cpu::vector::Vector;
use crate::ops::conv::ConvShape;

/// A map `[n, h, w, channels]`.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    grid: Grid,
    h: usize,
    w: usize,
    pub(super) channels: usize,
    data: &'a [f32],
}

impl<'a> Map<'a> {
    /// The map of a convolution with that many channels.
    ///
    /// # Panics
    /// It has another size.
    pub(super) fn new(s: &ConvShape, channels: usize, data: &'a [f32]) -> Map<'a> {
        assert!(data.len() == s.n * s.h * s.w * channels, "a map of another size");
        Map { grid: Grid::new(s), h: s.h, w: s.w, channels, data }
    }

    /// Where the channels from `channel` on begin, for each pixel of the tile of `I x I` pixels that begins `border`
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
    /// `I x I` pixels, which begins `border` before its output pixels.
    ///
    /// # Safety
    /// Nobody else uses these tiles and channels of the result meanwhile.
    ///
    /// # Panics
    /// More than [`BLOCK`] channels, or no room for them.
    #[inline(always)]
    pub(super) unsafe fn transform<V: Vector, X: Line<I, T>, const I: usize>(
        &self,
        zero: V,
        (line, border): (&X, usize),
        part: Part,
        to: Place,
    ) {
        let channels = part.channels.len();
        assert!(part.channels.end <= self.channels && channels <= BLOCK && channels.is_multiple_of(V::LANES));
        for (row, t) in part.tiles.enumerate() {
            let at = self.pixels::<I>(t, border, part.channels.start);
            for c in (0..channels).step_by(V::LANES) {
                for (i, half) in columns(line, zero, &Pixels { at: &at, c }).into_iter().enumerate() {
                    // SAFETY: as the caller says.
                    unsafe { to.put(i, (row, c), line.apply(half)) };
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

impl<V: Vector, const I: usize> Tile<I, V> for Pixels<'_, I> {
    #[inline(always)]
    fn read(&self, zero: V, i: usize, j: usize) -> V {
        // SAFETY: as the field says.
        unsafe { zero.read(self.at[i][j].add(self.c)) }
    }
}

/// A tile whose vectors lie at one column of a matrix, one in each of its first rows.
pub(super) struct Rows<const I: usize> {
    /// `I I` rows have a vector's numbers there.
    at: *const f32,
    row: usize,
}

impl<const I: usize> Rows<I> {
    /// # Panics
    /// They are not all there.
    #[inline(always)]
    pub(super) fn new<V: Vector>(m: Matrix, column: usize) -> Rows<I> {
        let (at, row) = m.vectors::<V>(I * I, column);
        Rows { at, row }
    }
}

impl<V: Vector, const I: usize> Tile<I, V> for Rows<I> {
    #[inline(always)]
    fn read(&self, zero: V, i: usize, j: usize) -> V {
        // SAFETY: as the field says.
        unsafe { zero.read(self.at.add((i * I + j) * self.row)) }
    }
}

/// A map `[n, h, w, channels]` that several tasks write.
pub(super) struct MapMut<'a> {
    grid: Grid,
    h: usize,
    w: usize,
    channels: usize,
    data: Shared<'a>,
}

impl<'a> MapMut<'a> {
    /// As [`Map::new`].
    pub(super) fn new(s: &ConvShape, channels: usize, data: &'a mut [f32]) -> MapMut<'a> {
        assert!(data.len() == s.n * s.h * s.w * channels, "a map of another size");
        MapMut { grid: Grid::new(s), h: s.h, w: s.w, channels, data: Shared::new(data) }
    }

    /// From products: `y = A^T m A` with an epilogue, for the pixels of the part's tiles that lie inside the map.
    ///
    /// # Safety
    /// Nobody else uses this part of the map meanwhile.
    #[inline(always)]
    pub(super) unsafe fn put<V: Vector>(&self, zero: V, part: Part, from: Spectrum, products: &[f32], end: &Epilogue) {
        let products = Matrix::new(products, F, from.distance);
        for (row, t) in part.tiles.enumerate() {
            let (n, i0, j0) = self.grid.place(t);
            for k in part.channels.clone().step_by(V::LANES) {
                let m = Rows::<T>::new::<V>(products, from.at(row, k - part.channels.start));
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
