//! Convolution of few taps and channels, such as the one-channel first layer: the taps of an image row's pixels are
//! gathered into patches, and one matrix product takes them.

use super::axis;
use crate::cpu::buffer::{Room, with_scratch};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::gemm;
use crate::cpu::isa::Isa;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::parallel::for_each;
use crate::cpu::sums::add_parts;
use crate::cpu::weights::Weights;
use crate::ops::conv::ConvShape;
use rayon::prelude::*;

/// Up to this many taps times channels a patch is gathered instead of summing products of tiny depth.
const PATCH: usize = 64;

/// Taps times channels: the length of a pixel's patch.
fn depth(s: &ConvShape) -> usize {
    s.kernel * s.kernel * s.c
}

/// Whether a convolution is computed this way.
pub(super) fn applies(s: &ConvShape) -> bool {
    depth(s) <= PATCH
}

/// `y = conv(x, w)` with an epilogue.
pub(super) fn forward(isa: Isa, s: &ConvShape, x: &[f32], w: Weights, y: &mut [f32], end: Epilogue, room: &mut Room) {
    let w = match w {
        Weights::Straight(w) => w,
        Weights::Turned(w) => flip(s, w, room.of(w.len())),
    };
    let w = Matrix::new(w, depth(s), s.k);
    for_each(y.par_chunks_mut(s.w * s.k), |row, y| {
        with_patches(s, x, row, |patches| gemm(isa, patches, w, &mut MatrixMut::new(y, s.w, s.k), false));
        for (j, pixel) in y.chunks_exact_mut(s.k).enumerate() {
            end.apply(pixel, (row * s.w + j) * s.k, 0);
        }
    });
}

/// `out[t][c][k] = w[taps - 1 - t][k][c]`.
fn flip<'a>(s: &ConvShape, w: &[f32], out: &'a mut [f32]) -> &'a [f32] {
    for (out, w) in out.chunks_exact_mut(s.c * s.k).zip(w.rchunks_exact(s.c * s.k)) {
        for (i, v) in out.iter_mut().enumerate() {
            *v = w[i % s.k * s.c + i / s.k];
        }
    }
    out
}

/// Pieces the sum over images is cut into where one output tile cannot feed all threads; a constant, so that the
/// order of the sum does not depend on the machine.
const PARTS: usize = 16;

/// `dw` from the layer's input and output gradient.
pub(super) fn backward_weight(isa: Isa, s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], room: &mut Room) {
    let dy = Matrix::new(dy, s.n * s.h * s.w, s.k);
    let partial = room.of(PARTS * dw.len());
    for_each(partial.par_chunks_mut(dw.len()), |part, sum| {
        sum.fill(0.0);
        let mut sum = MatrixMut::new(sum, depth(s), s.k);
        for row in s.n * part / PARTS * s.h..s.n * (part + 1) / PARTS * s.h {
            let dy = dy.block(row * s.w..(row + 1) * s.w, 0..s.k);
            with_patches(s, x, row, |patches| gemm(isa, patches.transposed(), dy, &mut sum, true));
        }
    });
    add_parts(partial, dw);
}

/// Runs `body` on the patches of the pixels of an image row, counted over all images: `patches[j][(u, v, c)]`, zero in
/// the padding.
fn with_patches(s: &ConvShape, x: &[f32], row: usize, body: impl FnOnce(Matrix)) {
    let (c, pad, depth) = (s.c, s.pad(), depth(s));
    let (n, i) = (row / s.h, row % s.h);
    with_scratch(s.w * depth, |patches| {
        patches.fill(0.0);
        for u in 0..s.kernel {
            let Some(xi) = axis::input(i, u, pad, s.h) else {
                continue;
            };
            for v in 0..s.kernel {
                let (from, to, xj) = axis::alive(v, pad, s.w);
                for j in from..to {
                    let at = ((n * s.h + xi) * s.w + xj + j - from) * c;
                    patches[j * depth + (u * s.kernel + v) * c..][..c].copy_from_slice(&x[at..at + c]);
                }
            }
        }
        body(Matrix::new(patches, s.w, depth));
    });
}
