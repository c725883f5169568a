//! Dynamic scaling of gradients, for f16, whose smallest numbers are too large for them.
//!
//! The loss multiplies its gradient by a scale, so that every gradient that follows carries it; the optimiser divides
//! it out again, in float32. The scale is a power of two, so that neither changes a significand. Where a gradient has
//! overflowed, the step is left out and the scale halved; after [`GROWTH`] steps without an overflow it is doubled
//! (Micikevicius et al., arXiv 1710.03740, section 3.2). All of it happens on the device, inside a recorded step.
//!
//! The state is four float32: [`SCALE`], [`INVERSE`], [`GOOD`], [`SKIPPED`].

use super::description::{Description, Operand};
use super::view::DType;

/// Place of the scale that the next loss multiplies by.
pub const SCALE: usize = 0;
/// Place of what the optimiser multiplies the gradients at hand by: one over the scale they have; 0 skips the step.
pub const INVERSE: usize = 1;
/// Place of the number of steps without an overflow since the scale last changed.
pub const GOOD: usize = 2;
/// Place of the number of steps left out.
pub const SKIPPED: usize = 3;
/// Numbers of the state.
pub const STATE: usize = 4;
/// The state that a run starts with.
pub const START: [f32; STATE] = [65536.0, 1.0 / 65536.0, 0.0, 0.0];
/// Steps without an overflow after which the scale is doubled.
pub const GROWTH: f32 = 2000.0;
/// The largest scale: twice it still leaves room for sums in float32.
pub const LARGEST: f32 = (1u64 << 40) as f32;

/// Looks for overflow in the gradients, and chooses the scale. Views: `gradients, scaling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scaling {
    /// Elements of the gradients' arena.
    pub len: usize,
}

impl Scaling {
    /// Its name, operands and work.
    pub fn describe(&self) -> Description {
        let operands = vec![Operand::read("gradients", DType::F32, self.len), state(true)];
        Description::new("scaling", self.len.to_string(), operands)
    }

    /// The reference.
    pub fn reference(&self, values: &mut [Vec<f64>]) {
        let [gradients, state] = values else { panic!("{} values", values.len()) };
        let next = next([0, 1, 2, 3].map(|i| state[i] as f32), gradients.iter().all(|g| g.is_finite()));
        *state = next.map(f64::from).to_vec();
    }
}

/// The state as an operand.
pub fn state(updated: bool) -> Operand {
    match updated {
        true => Operand::update("scaling", DType::F32, STATE),
        false => Operand::read("scaling", DType::F32, STATE),
    }
}

/// The state after the gradients of a step have been seen.
pub fn next([scale, _, good, skipped]: [f32; STATE], finite: bool) -> [f32; STATE] {
    match (finite, good + 1.0 >= GROWTH) {
        (false, _) => [(scale / 2.0).max(1.0), 0.0, 0.0, skipped + 1.0],
        (true, false) => [scale, 1.0 / scale, good + 1.0, skipped],
        (true, true) => [(scale * 2.0).min(LARGEST), 1.0 / scale, 0.0, skipped],
    }
}
