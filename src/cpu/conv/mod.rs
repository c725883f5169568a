//! Convolution, the way chosen by shape alone: patches for a few taps and channels, Winograd's algorithm for 3x3 kernels
//! of many, products over taps for the rest.

mod patches;
mod taps;

use super::epilogue::Epilogue;
use super::linear::column_sums;
use super::parallel::{Shared, for_each};
use super::winograd;
use crate::ops::conv::ConvShape;

/// Memory the convolutions reuse from call to call; grows at first use, then stays.
#[derive(Default)]
pub struct Scratch {
    a: Vec<f32>,
    b: Vec<f32>,
    w: Vec<f32>,
    winograd: winograd::Buffers,
}

/// `y = conv(x, w)` with an epilogue.
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue, scratch: &mut Scratch) {
    if patches::applies(s) {
        patches::forward(s, x, w, y, end);
    } else if winograd::applies(s) {
        winograd::forward(s, x, w, y, end, &mut scratch.winograd);
    } else if taps::by_rows(s) {
        taps::forward_rows(s, x, w, y, end);
    } else {
        taps::forward_positions(s, x, w, y, end, scratch);
    }
}

/// `dx` from `dy`: a forward pass from K to C channels with the flipped, transposed kernel.
pub fn backward_data(s: &ConvShape, dy: &[f32], w: &[f32], dx: &mut [f32], end: Epilogue, scratch: &mut Scratch) {
    let mut flipped = std::mem::take(&mut scratch.w);
    flipped.resize(s.w_len().max(flipped.len()), 0.0);
    flip(s, w, &mut flipped[..s.w_len()]);
    let turned = ConvShape { c: s.k, k: s.c, ..*s };
    forward(&turned, dy, &flipped[..s.w_len()], dx, end, scratch);
    scratch.w = flipped;
}

/// `out[t][k][c] = w[taps - 1 - t][c][k]`.
fn flip(s: &ConvShape, w: &[f32], out: &mut [f32]) {
    let taps = s.kernel * s.kernel;
    let (c, k) = (s.c, s.k);
    let out = Shared(out.as_mut_ptr());
    const B: usize = 32;
    for_each(taps * k.div_ceil(B), |task| {
        let (t, k0) = (task / k.div_ceil(B), task % k.div_ceil(B) * B);
        let from = &w[(taps - 1 - t) * c * k..][..c * k];
        for c0 in (0..c).step_by(B) {
            for kk in k0..(k0 + B).min(k) {
                let to = unsafe { std::slice::from_raw_parts_mut(out.add((t * k + kk) * c + c0), B.min(c - c0)) };
                for (i, v) in to.iter_mut().enumerate() {
                    *v = from[(c0 + i) * k + kk];
                }
            }
        }
    });
}

/// `dw` and `db` from the layer's input and output gradient.
pub fn backward_weight(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], db: &mut [f32], scratch: &mut Scratch) {
    column_sums(dy, s.k, db, &mut scratch.w);
    if patches::applies(s) {
        patches::backward_weight(s, x, dy, dw, &mut scratch.a);
    } else if winograd::applies(s) {
        winograd::backward_weight(s, x, dy, dw, &mut scratch.winograd);
    } else {
        taps::backward_weight(s, x, dy, dw, scratch);
    }
}
