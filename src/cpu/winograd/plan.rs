//! How the maps of one convolution are cut into tiles, and where transformed tiles lie.

use super::{F, L, M};
use crate::cpu::matrix::Matrix;
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// The tiles of all maps: those of an image row by row, image after image.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    /// Tiles of an image along each axis.
    rows: usize,
    columns: usize,
    images: usize,
}

impl Grid {
    pub(super) fn new(s: &ConvShape) -> Grid {
        Grid { rows: s.h.div_ceil(M), columns: s.w.div_ceil(M), images: s.n }
    }

    /// Number of tiles.
    pub(super) fn len(&self) -> usize {
        self.images * self.rows * self.columns
    }

    /// Image, first row and first column of the output pixels of tile `t`.
    #[inline(always)]
    pub(super) fn place(&self, t: usize) -> (usize, usize, usize) {
        (t / self.columns / self.rows, t / self.columns % self.rows * M, t % self.columns * M)
    }
}

/// Where the 36 elements of transformed tiles lie (or of weights, with an input channel in place of a tile): each
/// element is a matrix of tiles by channels, its channels in groups, one group behind the other.
///
/// ```text
///   element 0                      element 1
///   | tiles x width | tiles x width | ...
///     group 0         group 1
/// ```
#[derive(Clone, Copy)]
pub(super) struct Spectrum {
    /// Tiles.
    rows: usize,
    /// Channels of a group.
    width: usize,
    /// From element to element: an odd number of cache lines, so that the 36 fall into 36 different sets of the cache.
    /// With a power of two they would all compete for one.
    pub(super) distance: usize,
}

impl Spectrum {
    pub(super) fn new(rows: usize, channels: usize, width: usize) -> Spectrum {
        let len = rows * channels.next_multiple_of(width);
        Spectrum { rows, width, distance: (len.div_ceil(L) | 1) * L }
    }

    pub(super) fn covers(&self, channels: usize) -> bool {
        self.width >= channels
    }

    /// Numbers it takes.
    pub(super) fn len(&self) -> usize {
        F * self.distance
    }

    /// A channel of a tile inside of each element.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, channel: usize) -> usize {
        (channel / self.width * self.rows + row) * self.width + channel % self.width
    }

    /// The numbers of one element.
    pub(super) fn element<'a>(&self, data: &'a [f32], f: usize) -> &'a [f32] {
        &data[f * self.distance..][..self.distance]
    }

    /// One element as the matrix of tiles and of the first group's channels.
    pub(super) fn matrix<'a>(&self, data: &'a [f32], f: usize) -> Matrix<'a> {
        Matrix::new(self.element(data, f), self.rows, self.width)
    }
}

/// `0..len` in pieces of nearly one size, at most `size`: the piece number `i` of [`pieces`].
pub(super) fn piece(len: usize, size: usize, i: usize) -> Range<usize> {
    let count = pieces(len, size);
    len * i / count..len * (i + 1) / count
}

/// In how many pieces [`piece`] cuts.
pub(super) fn pieces(len: usize, size: usize) -> usize {
    len.div_ceil(size)
}
