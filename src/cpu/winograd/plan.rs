//! How the maps of one convolution are cut into tiles and channels, and where what is transformed lies.

use super::lines::{M, T};
use crate::cpu::gemm::{Errands, Panels, Put, product};
use crate::cpu::isa::Isa;
use crate::cpu::matrix::{Matrix, MatrixMut, Shared};
use crate::cpu::vector::Vector;
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// Elements of a transformed tile.
pub(super) const F: usize = T * T;
/// Channels are whole numbers of the widest vectors.
const L: usize = 16;
/// Channels of a block: those that a task multiplies at a time.
pub(super) const BLOCK: usize = 64;

/// Whether a convolution is computed this way: the channels fill vectors, and the map is worth a tile.
pub fn applies(s: &ConvShape) -> bool {
    s.kernel == 3 && s.c.is_multiple_of(L) && s.k.is_multiple_of(L) && s.h >= 3 && s.w >= 3
}

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

/// Some tiles and some channels.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) tiles: Range<usize>,
    pub(super) channels: Range<usize>,
}

/// Where the 36 elements of transformed tiles lie (or of weights, with an input channel in place of a tile): each
/// element is a matrix of tiles by channels, its channels in groups, one group behind the other.
///
/// ```text
///   element 0                        element 1
///   | tiles x width | tiles x width |  | ...
///     group 0         group 1
/// ```
#[derive(Clone, Copy)]
pub(super) struct Spectrum {
    /// Tiles.
    pub(super) rows: usize,
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

    /// Numbers it takes.
    pub(super) fn len(&self) -> usize {
        F * self.distance
    }

    /// The place of a tile's channel in each element.
    #[inline(always)]
    pub(super) fn at(&self, row: usize, channel: usize) -> usize {
        (channel / self.width * self.rows + row) * self.width + channel % self.width
    }
}

/// The 36 products `C (+)= A B` of transformed tiles, each of `size`: rows, columns and inner dimension.
pub(super) struct Products<'a> {
    pub(super) size: (usize, usize, usize),
    /// A's numbers from the first product's on, how they lie, and the strides of A.
    pub(super) a: (&'a [f32], Spectrum, (usize, usize)),
    /// B's, likewise, in panels.
    pub(super) b: (&'a [f32], Spectrum),
    /// C's.
    pub(super) c: (&'a mut [f32], Spectrum),
    pub(super) accumulate: bool,
}

impl Products<'_> {
    /// Computes them, on the calling thread; while one runs, the matrices of the next are brought near.
    pub(super) fn run(self, isa: Isa) {
        let Products { size: (m, n, k), a: (a, a_lie, strides), b: (b, b_lie), c: (c, c_lie), accumulate } = self;
        let a = |f: usize| Matrix::strided(&a[f * a_lie.distance..], m, k, strides);
        let b = |f: usize| Panels { data: &b[f * b_lie.distance..], rows: b_lie.rows };
        for f in 0..F {
            let near = if f + 1 < F { [Some(a(f + 1)), Some(b(f + 1).block(isa, k, n))] } else { [None; 2] };
            let mut c = MatrixMut::new(&mut c[f * c_lie.distance..], m, n);
            product(isa, a(f), b(f), &mut c, Put::adding(accumulate), Errands { near, pack: None });
        }
    }
}

/// Where some tiles and channels of transformed ones go: the first of them to tile `row` and channel `channel`.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) memory: &'a Shared<'a>,
    pub(super) lie: Spectrum,
    pub(super) row: usize,
    pub(super) channel: usize,
}

impl<'a> Place<'a> {
    /// The beginning of memory.
    pub(super) fn first(memory: &'a Shared<'a>, lie: Spectrum) -> Place<'a> {
        Place { memory, lie, row: 0, channel: 0 }
    }

    /// Writes line `i` of a transformed tile, a vector of channels from `channel` on.
    ///
    /// # Safety
    /// Nobody else uses these numbers meanwhile.
    ///
    /// # Panics
    /// They are not all there.
    #[inline(always)]
    pub(super) unsafe fn put<V: Vector>(&self, i: usize, (row, channel): (usize, usize), line: [V; T]) {
        let at = i * T * self.lie.distance + self.lie.at(self.row + row, self.channel + channel);
        // SAFETY: as the caller says.
        unsafe { self.memory.put(at, self.lie.distance, line) };
    }
}

/// Number of pieces of at most `size` that `len` is cut into.
pub(super) fn pieces(len: usize, size: usize) -> usize {
    len.div_ceil(size)
}

/// Piece number `i` of `count` nearly equal ones of a range.
pub(super) fn piece(range: &Range<usize>, count: usize, i: usize) -> Range<usize> {
    range.start + range.len() * i / count..range.start + range.len() * (i + 1) / count
}

/// Block number `i` of channels.
pub(super) fn block(channels: usize, i: usize) -> Range<usize> {
    i * BLOCK..channels.min((i + 1) * BLOCK)
}
