//! Inverted dropout: `y = x keep / (1 - p)`, `keep = (u >= p)`; backward `dx = dy keep / (1 - p)`.
//!
//! No mask is stored: element `e` of layer `l` at step `t` draws word `e mod 4` of Philox block
//! `(index e / 4, sub l)` of the stream (seed, Dropout, t), so that backward draws the same mask again.

use super::description::{Description, Operand};
use super::philox::{Purpose, Stream, uniform};
use super::view::Precision;

/// Dropout in place, forward or backward. View: `x`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    pub seed: u64,
    /// Which dropout layer of the network, from 0.
    pub layer: u32,
    /// Probability of dropping.
    pub p: f32,
    /// Elements.
    pub len: usize,
}

impl Dropout {
    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let sizes = format!("{} of {} elements", self.layer, self.len);
        Description::new("dropout", sizes, vec![Operand::update("x", precision.storage(), self.len)])
    }

    /// Where its random numbers come from at a step.
    pub fn stream(&self, step: u64) -> Stream {
        Stream { seed: self.seed, purpose: Purpose::Dropout, step }
    }
}

/// The four keep flags of elements `4 block .. 4 block + 4`.
pub fn keep4(d: &Dropout, step: u64, block: u32) -> [bool; 4] {
    d.stream(step).block(block, d.layer).map(|word| uniform(word) >= d.p)
}

/// Reference, in place; forward and backward are the same.
pub fn apply(d: &Dropout, step: u64, x: &mut [f64]) {
    let scale = 1.0 / (1.0 - f64::from(d.p));
    for (block, group) in x.chunks_mut(4).enumerate() {
        let keep = keep4(d, step, block as u32);
        for (v, keep) in group.iter_mut().zip(keep) {
            *v = if keep { *v * scale } else { 0.0 };
        }
    }
}
