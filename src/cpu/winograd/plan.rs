//! How one convolution by Winograd's algorithm is cut into chunks, and where its tiles lie.

use super::lines::{M, T};
use crate::ops::conv::ConvShape;

/// Channels handled at once.
pub(super) const L: usize = 16;
/// Elements of a transformed tile.
pub(super) const F: usize = T * T;

/// The sizes of one call and where things lie in its buffers.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) s: ConvShape,
    /// Tiles of an image along each axis.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Images transformed at a time.
    pub(super) images: usize,
    /// Distance of tiles in the transformed input and products. Not a power of two: a power would send all rows of a
    /// register tile to one set of the cache.
    pub(super) x_stride: usize,
    pub(super) y_stride: usize,
    /// Distance of the elements of a transformed tile in each buffer; see [`spread`].
    pub(super) x_distance: usize,
    pub(super) y_distance: usize,
    pub(super) w_distance: usize,
}

/// The distance, at least `len`, at which the 36 elements of a transformed tile are kept: an odd number of cache lines,
/// so that they fall into 36 different sets of the cache. With a power of two they would all compete for one.
fn spread(len: usize) -> usize {
    (len.div_ceil(L) | 1) * L
}

/// Bytes of transformed input to hold at a time.
const CHUNK_BYTES: usize = 6 << 20;

impl Plan {
    pub(super) fn new(s: &ConvShape) -> Plan {
        let (rows, columns) = (s.h.div_ceil(M), s.w.div_ceil(M));
        let image_bytes = rows * columns * F * s.c.max(s.k) * 4;
        let images = (CHUNK_BYTES / image_bytes).clamp(1, s.n.max(1));
        let tiles = images * rows * columns;
        let (x_stride, y_stride) = (s.c + L, s.k + L);
        Plan {
            s: *s,
            rows,
            columns,
            images,
            x_stride,
            y_stride,
            x_distance: spread(tiles * x_stride),
            y_distance: spread(tiles * y_stride),
            w_distance: spread(s.c * s.k),
        }
    }

    /// Image and first row of row number `t` of tiles of a chunk that starts at image `first`.
    pub(super) fn place(&self, first: usize, t: usize) -> (usize, usize) {
        (first + t / self.rows, t % self.rows * M)
    }
}
