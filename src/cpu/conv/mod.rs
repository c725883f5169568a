//! Convolution, the way chosen by shape alone: patches for a few taps and channels, Winograd's algorithm for 3x3
//! kernels of many, products over taps for the rest.

pub(super) mod axis;
mod patches;
mod positions;
mod rows;

use super::buffer::Room;
use super::epilogue::Epilogue;
use super::isa::Isa;
use super::sums::{add_parts, column_sums};
use super::weights::Weights;
use super::winograd;
use crate::ops::conv::ConvShape;

/// How a convolution is computed.
enum Way {
    Patches,
    Winograd,
    /// By the pixels of image rows, where maps are wide.
    Rows,
    /// By one pixel of all images.
    Positions,
}

fn way(s: &ConvShape) -> Way {
    if patches::applies(s) {
        Way::Patches
    } else if winograd::applies(s) {
        Way::Winograd
    } else if s.w >= 8 {
        Way::Rows
    } else {
        Way::Positions
    }
}

/// `y = conv(x, w)` with an epilogue; `room` is reused from call to call.
pub fn forward(isa: Isa, s: &ConvShape, x: &[f32], w: Weights, y: &mut [f32], end: Epilogue, room: &mut Room) {
    match way(s) {
        Way::Patches => patches::forward(isa, s, x, w, y, end, room),
        Way::Winograd => winograd::forward(isa, s, x, w, y, end, room),
        Way::Rows => rows::forward(isa, s, x, w, y, end, room),
        Way::Positions => positions::forward(isa, s, x, w, y, end, room),
    }
}

/// `dx` from `dy`: a forward pass from K to C channels with turned weights.
pub fn backward_data(isa: Isa, s: &ConvShape, dy: &[f32], w: &[f32], dx: &mut [f32], end: Epilogue, room: &mut Room) {
    forward(isa, &ConvShape { c: s.k, k: s.c, ..*s }, dy, Weights::Turned(w), dx, end, room);
}

/// `dw` and `db` from the layer's input and output gradient.
pub fn backward_weight(
    isa: Isa,
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    (dw, db): (&mut [f32], &mut [f32]),
    room: &mut Room,
) {
    column_sums(dy, db, room, add_parts);
    match way(s) {
        Way::Patches => patches::backward_weight(isa, s, x, dy, dw, room),
        Way::Winograd => winograd::backward_weight(isa, s, x, dy, dw, room),
        Way::Rows => rows::backward_weight(isa, s, x, dy, dw),
        Way::Positions => positions::backward_weight(isa, s, x, dy, dw, room),
    }
}
