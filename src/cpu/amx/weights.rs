//! The weights of a layer as B, panel by panel.

use super::pack::{Part, Rows, interleave, turn_pairs};
use super::tiles::{SIDE, STEP};
use crate::cpu::element::Element;
use crate::ops::conv::ConvShape;
use half::bf16;

/// A layer's weights, `[taps][C][K]`, as factors of a sum over taps.
#[derive(Clone, Copy)]
pub struct Weights<'a, T> {
    w: &'a [T],
    s: &'a ConvShape,
    backward: bool,
}

impl<'a, T: Element> Weights<'a, T> {
    /// For a forward pass: the inner dimension is C.
    pub fn forward(s: &'a ConvShape, w: &'a [T]) -> Weights<'a, T> {
        Weights { w, s, backward: false }
    }

    /// For a pass back to the input: the inner dimension is K, the taps in reverse order.
    pub fn backward(s: &'a ConvShape, w: &'a [T]) -> Weights<'a, T> {
        Weights { w, s, backward: true }
    }

    /// The convolution that the pass is, from the channels of the inner dimension to those of the columns.
    pub fn convolution(&self) -> ConvShape {
        let ConvShape { c, k, .. } = *self.s;
        if self.backward { ConvShape { c: k, k: c, ..*self.s } } else { *self.s }
    }

    /// Numbers of a packed panel.
    pub fn panel_len(&self) -> usize {
        let of = self.convolution();
        of.kernel * of.kernel * of.c.div_ceil(SIDE) * STEP
    }

    /// Writes panels from number `first` on, step by step all of them, because they lie side by side in memory: for
    /// each tap, and in it for each 32 of the inner dimension, 32 columns.
    pub fn pack(&self, part: Part, first: usize, to: &mut [bf16]) {
        let (ConvShape { c, k, kernel, .. }, of) = (*self.s, self.convolution());
        let (per_tap, panel_len) = (of.c.div_ceil(SIDE), self.panel_len());
        for step in 0..panel_len / STEP {
            let (tap, inner) = (step / per_tap, step % per_tap * SIDE);
            let depth = SIDE.min(of.c - inner);
            for (panel, to) in to.chunks_exact_mut(panel_len).enumerate() {
                let (column, to) = ((first + panel) * SIDE, &mut to[step * STEP..][..STEP]);
                let columns = SIDE.min(of.k - column);
                if self.backward {
                    let first = ((kernel * kernel - 1 - tap) * c + column) * k + inner;
                    turn_pairs(part, &Rows { data: self.w, first, distance: k, rows: columns, columns: depth }, to);
                } else {
                    let first = (tap * c + inner) * k + column;
                    interleave(part, &Rows { data: self.w, first, distance: k, rows: depth, columns }, to);
                }
            }
        }
    }
}
