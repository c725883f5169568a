//! How one convolution by Winograd's algorithm is cut into chunks, and where its tiles lie.

use super::{Buffers, F, L, M};
use crate::cpu::vector::Vector;
use crate::ops::conv::ConvShape;

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

/// The distance, at least `len`, at which the 36 elements of a transformed tile are kept: an odd number of cache lines, so
/// that they fall into 36 different sets of the cache. With a power of two they would all compete for one.
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

    pub(super) fn reserve(&self, buffers: &mut Buffers) {
        let grow = |v: &mut Vec<f32>, len: usize| v.resize(v.len().max(len), 0.0);
        grow(&mut buffers.x, F * self.x_distance);
        grow(&mut buffers.y, F * self.y_distance);
        grow(&mut buffers.w, F * self.w_distance);
    }

    /// Image, first row and first column of output tile `t` of a chunk that starts at image `first`.
    pub(super) fn place(&self, first: usize, t: usize) -> (usize, usize, usize) {
        let per_image = self.rows * self.columns;
        let at = t % per_image;
        (first + t / per_image, at / self.columns * M, at % self.columns * M)
    }

    /// Reads an `I x I` tile of `channels`-channel pixels from row `i0` and column `j0` on; outside is zero.
    #[inline(always)]
    pub(super) fn read<V: Vector, const I: usize>(
        &self,
        from: &[f32],
        channels: usize,
        n: usize,
        (i0, j0): (isize, isize),
        c: usize,
    ) -> [[V; I]; I] {
        let mut tile = [[V::zero(); I]; I];
        for (i, line) in tile.iter_mut().enumerate() {
            let y = i0 + i as isize;
            if y < 0 || y >= self.s.h as isize {
                continue;
            }
            for (j, v) in line.iter_mut().enumerate() {
                let x = j0 + j as isize;
                if x < 0 || x >= self.s.w as isize {
                    continue;
                }
                let at = ((n * self.s.h + y as usize) * self.s.w + x as usize) * channels + c;
                *v = unsafe { V::load(from[at..at + V::LANES].as_ptr()) };
            }
        }
        tile
    }
}
