//! What follows a sum before it is stored: bias and ReLU, or the mask of one.

use super::vector::Vector;

/// What happens to an output value on its way out.
#[derive(Clone, Copy)]
pub enum Epilogue<'a, T = f32> {
    /// `y = v + b[k]`, then ReLU if asked.
    Bias { bias: &'a [f32], relu: bool },
    /// `y = v (mask > 0)`.
    Mask(&'a [T]),
    /// `y = v`.
    None,
}

impl Epilogue<'_> {
    /// Applies it to the channels `from..` of one pixel, whose first element is number `at` of the tensor.
    #[inline(always)]
    pub fn apply(&self, values: &mut [f32], at: usize, from: usize) {
        match *self {
            Epilogue::Bias { bias, relu } => {
                let bias = &bias[from..from + values.len()];
                let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
                for (v, b) in values.iter_mut().zip(bias) {
                    let sum = *v + b;
                    // Written so that a NaN passes.
                    *v = if sum < floor { floor } else { sum };
                }
            }
            Epilogue::Mask(mask) => {
                let mask = &mask[at + from..at + from + values.len()];
                for (v, &m) in values.iter_mut().zip(mask) {
                    *v = if m > 0.0 { *v } else { 0.0 };
                }
            }
            Epilogue::None => {}
        }
    }

    /// As [`Epilogue::apply`] for one vector of channels from `from` on.
    #[inline(always)]
    pub fn apply_vector<V: Vector>(&self, v: V, at: usize, from: usize) -> V {
        match *self {
            Epilogue::Bias { bias, relu } => {
                let sum = v.plus(v.load(&bias[from..]));
                if relu { sum.relu() } else { sum }
            }
            Epilogue::Mask(mask) => v.where_positive(v.load(&mask[at + from..])),
            Epilogue::None => v,
        }
    }
}
