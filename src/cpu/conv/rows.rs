//! Convolution on wide maps, as sums of matrix products over taps: the rows of a product are the pixels of one image
//! row that see inside the image through a tap, read in place.

use super::axis;
use crate::cpu::buffer::Room;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::{COLUMNS, Errands, Panels, Put, gemm, pack, pack_turned, packed_len, product};
use crate::cpu::isa::Isa;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::parallel::for_each;
use crate::cpu::weights::Weights;
use crate::ops::conv::ConvShape;
use rayon::prelude::*;

/// `y = conv(x, w)` with an epilogue.
pub(super) fn forward(isa: Isa, s: &ConvShape, x: &[f32], w: Weights, y: &mut [f32], end: Epilogue, room: &mut Room) {
    let (c, k, pad, taps) = (s.c, s.k, s.pad(), s.kernel * s.kernel);
    let len = packed_len(isa, c, k);
    let packed = room.of(taps * len);
    for_each(packed.par_chunks_mut(len), |tap, to| match w {
        Weights::Straight(w) => pack(isa, Matrix::new(&w[tap * c * k..], c, k), to),
        Weights::Turned(w) => pack_turned(isa, Matrix::new(&w[(taps - 1 - tap) * c * k..], k, c), to),
    });
    let (x, packed) = (Matrix::new(x, s.n * s.h * s.w, c), &*packed);
    for_each(y.par_chunks_mut(s.w * k), |row, y| {
        let (n, i) = (row / s.h, row % s.h);
        y.fill(0.0);
        let mut sums = MatrixMut::new(y, s.w, k);
        for u in 0..s.kernel {
            let Some(xi) = axis::input(i, u, pad, s.h) else {
                continue;
            };
            for v in 0..s.kernel {
                let (from, to, xj) = axis::alive(v, pad, s.w);
                let first = (n * s.h + xi) * s.w + xj;
                let pixels = x.block(first..first + to - from, 0..c);
                let tap = Panels { data: &packed[(u * s.kernel + v) * len..], rows: c };
                product(isa, pixels, tap, &mut sums.block(from..to, 0..k), Put::Add, Errands::default());
            }
        }
        for (j, pixel) in y.chunks_exact_mut(k).enumerate() {
            end.apply(pixel, (row * s.w + j) * k, 0);
        }
    });
}

/// `dw` from the layer's input and output gradient.
pub(super) fn backward_weight(isa: Isa, s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    /// Input channels of a task.
    const ROWS: usize = 96;
    let (c, k, pad, pixels) = (s.c, s.k, s.pad(), s.n * s.h * s.w);
    let (x_t, dy) = (Matrix::new(x, pixels, c).transposed(), Matrix::new(dy, pixels, k));
    let blocks = k.div_ceil(COLUMNS);
    let mut tiles = Vec::new();
    for (t, tap) in dw.chunks_exact_mut(c * k).enumerate() {
        let blocks = MatrixMut::new(tap, c, k).tiles(ROWS, COLUMNS);
        tiles.extend(blocks.into_iter().enumerate().map(|(q, dw)| (t, q, dw)));
    }
    for_each(tiles, |_, (t, q, mut dw)| {
        let (c0, k0) = (q / blocks * ROWS, q % blocks * COLUMNS);
        let (channels, outputs) = (c0..c0 + dw.rows(), k0..k0 + dw.columns());
        let (i0, i1, xi0) = axis::alive(t / s.kernel, pad, s.h);
        let (j0, j1, xj0) = axis::alive(t % s.kernel, pad, s.w);
        dw.fill(0.0);
        for n in 0..s.n {
            for i in i0..i1 {
                let (from_x, from_dy) = ((n * s.h + xi0 + i - i0) * s.w + xj0, (n * s.h + i) * s.w + j0);
                let x = x_t.block(channels.clone(), from_x..from_x + j1 - j0);
                gemm(isa, x, dy.block(from_dy..from_dy + j1 - j0, outputs.clone()), &mut dw, true);
            }
        }
    });
}
