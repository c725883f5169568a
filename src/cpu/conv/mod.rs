//! Convolution, the way chosen by shape alone: patches for a few taps and channels, Winograd's algorithm for 3x3
//! kernels of many, products over taps for the rest.

mod axis;
mod patches;
mod taps;

use super::buffer::Room;
use super::epilogue::Epilogue;
use super::isa::Isa;
use super::linear::column_sums;
use super::parallel::{for_each, room};
use super::winograd;
use crate::ops::conv::ConvShape;
use rayon::prelude::*;

/// Memory the convolutions reuse from call to call; grows at first use, then stays.
#[derive(Default)]
pub struct Scratch {
    a: Vec<f32>,
    b: Vec<f32>,
    w: Vec<f32>,
    winograd: Room,
}

/// `y = conv(x, w)` with an epilogue.
pub fn forward(isa: Isa, s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue, scratch: &mut Scratch) {
    if patches::applies(s) {
        patches::forward(isa, s, x, w, y, end);
    } else if winograd::applies(s) {
        winograd::forward(isa, s, x, w, y, end, &mut scratch.winograd);
    } else if taps::by_rows(s) {
        taps::forward_rows(isa, s, x, w, y, end);
    } else {
        taps::forward_positions(isa, s, x, w, y, end, &mut scratch.a);
    }
}

/// `dx` from `dy`: a forward pass from K to C channels with the flipped, transposed kernel.
pub fn backward_data(
    isa: Isa,
    s: &ConvShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    end: Epilogue,
    scratch: &mut Scratch,
) {
    if !patches::applies(&ConvShape { c: s.k, k: s.c, ..*s }) && winograd::applies(s) {
        return winograd::backward_data(isa, s, dy, w, dx, end, &mut scratch.winograd);
    }
    let mut buffer = std::mem::take(&mut scratch.w);
    let flipped = room(&mut buffer, s.w_len());
    flip(s, w, flipped);
    let turned = ConvShape { c: s.k, k: s.c, ..*s };
    forward(isa, &turned, dy, flipped, dx, end, scratch);
    scratch.w = buffer;
}

/// `out[t][k][c] = w[taps - 1 - t][c][k]`.
fn flip(s: &ConvShape, w: &[f32], out: &mut [f32]) {
    /// Input and output channels of a block that is transposed at once.
    const B: usize = 32;
    let (c, k) = (s.c, s.k);
    let blocks = out.par_chunks_mut(c * k).zip(w.par_chunks(c * k).rev());
    blocks.for_each(|(out, w)| {
        for_each(out.par_chunks_mut(B * c), |block, out| {
            for c0 in (0..c).step_by(B) {
                for (kk, out) in out.chunks_exact_mut(c).enumerate() {
                    for (i, v) in out[c0..c.min(c0 + B)].iter_mut().enumerate() {
                        *v = w[(c0 + i) * k + block * B + kk];
                    }
                }
            }
        });
    });
}

/// `dw` and `db` from the layer's input and output gradient.
pub fn backward_weight(
    isa: Isa,
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    db: &mut [f32],
    scratch: &mut Scratch,
) {
    column_sums(dy, s.k, db, &mut scratch.w);
    if patches::applies(s) {
        patches::backward_weight(isa, s, x, dy, dw, &mut scratch.a);
    } else if winograd::applies(s) {
        winograd::backward_weight(isa, s, x, dy, dw, &mut scratch.winograd);
    } else {
        taps::backward_weight(isa, s, x, dy, dw, (&mut scratch.a, &mut scratch.b));
    }
}
