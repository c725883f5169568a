//! Convolution of few taps and channels, such as the one-channel first layer: the taps of an image row's pixels are gathered
//! into patches, and one matrix product takes them.

use super::taps::alive;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::{Strided, gemm};
use crate::cpu::linear::add_parts;
use crate::cpu::parallel::{Shared, for_each};
use crate::ops::conv::ConvShape;

/// Up to this many taps times channels a patch is gathered instead of summing products of tiny depth.
const PATCH: usize = 64;

/// Whether a convolution is computed this way.
pub(super) fn applies(s: &ConvShape) -> bool {
    s.kernel * s.kernel * s.c <= PATCH
}

/// Gathers the taps of the pixels of one image row: `patch[j][(u, v, c)]`, zero in the padding.
fn gather(s: &ConvShape, x: &[f32], n: usize, i: usize, patch: &mut [f32]) {
    let (c, pad) = (s.c, s.pad());
    let depth = s.kernel * s.kernel * c;
    patch.fill(0.0);
    for u in 0..s.kernel {
        let Some(xi) = (i + u).checked_sub(pad).filter(|&xi| xi < s.h) else {
            continue;
        };
        for v in 0..s.kernel {
            let (from, to, xj) = alive(v, pad, s.w);
            for j in from..to {
                let at = ((n * s.h + xi) * s.w + xj + j - from) * c;
                patch[j * depth + (u * s.kernel + v) * c..][..c].copy_from_slice(&x[at..at + c]);
            }
        }
    }
}

/// `y = conv(x, w)` with an epilogue.
pub(super) fn forward(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue) {
    let depth = s.kernel * s.kernel * s.c;
    let out = Shared(y.as_mut_ptr());
    with_patches(s, |n, i, patch| {
        gather(s, x, n, i, patch);
        let line = (n * s.h + i) * s.w * s.k;
        let y = unsafe { std::slice::from_raw_parts_mut(out.add(line), s.w * s.k) };
        let a = Strided { at: patch.as_ptr(), row: depth, column: 1 };
        unsafe { gemm((s.w, s.k, depth), a, w.as_ptr(), s.k, y.as_mut_ptr(), s.k, false) };
        for (j, pixel) in y.chunks_exact_mut(s.k).enumerate() {
            end.apply(pixel, line + j * s.k, 0);
        }
    });
}

thread_local! {
    /// One image row's patches; kept by each thread so that a step allocates nothing.
    static PATCHES: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn patch_buffer<R>(s: &ConvShape, body: impl FnOnce(&mut [f32]) -> R) -> R {
    let len = s.w * s.kernel * s.kernel * s.c;
    PATCHES.with_borrow_mut(|buffer| {
        buffer.resize(buffer.len().max(len), 0.0);
        body(&mut buffer[..len])
    })
}

/// Runs `body(n, i, patch buffer)` for every image row.
fn with_patches(s: &ConvShape, body: impl Fn(usize, usize, &mut [f32]) + Sync + Send) {
    for_each(s.n * s.h, |row| {
        patch_buffer(s, |patch| body(row / s.h, row % s.h, patch));
    });
}

/// Pieces the sum over images is cut into where one output tile cannot feed all threads; a constant, so that the
/// order of the sum does not depend on the machine.
const PARTS: usize = 16;

/// `dw` from the layer's input and output gradient.
pub(super) fn backward_weight(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], partial: &mut Vec<f32>) {
    let depth = s.kernel * s.kernel * s.c;
    let len = depth * s.k;
    partial.resize(partial.len().max(PARTS * len), 0.0);
    let sums = Shared(partial.as_mut_ptr());
    for_each(PARTS, |part| {
        let sum = sums.add(part * len);
        unsafe { std::slice::from_raw_parts_mut(sum, len) }.fill(0.0);
        patch_buffer(s, |patch| {
            for n in s.n * part / PARTS..s.n * (part + 1) / PARTS {
                for i in 0..s.h {
                    gather(s, x, n, i, patch);
                    let a = Strided { at: patch.as_ptr(), row: 1, column: depth };
                    let b = dy[(n * s.h + i) * s.w * s.k..].as_ptr();
                    unsafe { gemm((depth, s.k, s.w), a, b, s.k, sum, s.k, true) };
                }
            }
        });
    });
    add_parts(&partial[..PARTS * len], dw);
}
