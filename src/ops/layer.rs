//! Layers with weights: convolutions and fully connected layers, which have the same three passes.

use super::conv::{self, ConvShape};
use super::description::{Description, Operand};
use super::linear::LinearShape;
use super::relu;
use super::view::{DType, Precision};

/// The sizes of a layer with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerShape {
    Conv(ConvShape),
    Linear(LinearShape),
}

/// One pass through a layer with weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// `y` from `x, w, b`, then ReLU if asked. Views: `x, w, b, y`.
    Forward { relu: bool },
    /// `dx` from `dy, w`, times `(mask > 0)` with a mask: the layer's input after its ReLU. Views: `dy, w, dx, mask`.
    BackwardData { masked: bool },
    /// `dw, db` from `x, dy`. Views: `x, dy, dw, db`.
    BackwardWeight,
}

/// A pass through a layer of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerPass {
    pub shape: LayerShape,
    pub pass: Pass,
}

impl LayerShape {
    /// The convolution it is.
    pub fn as_conv(&self) -> ConvShape {
        match self {
            LayerShape::Conv(s) => *s,
            LayerShape::Linear(s) => s.as_conv(),
        }
    }
}

impl LayerPass {
    pub fn describe(&self, precision: Precision) -> Description {
        let [forward, backward_data, backward_weight] = match self.shape {
            LayerShape::Conv(_) => ["conv_forward", "conv_backward_data", "conv_backward_weight"],
            LayerShape::Linear(_) => ["linear_forward", "linear_backward_data", "linear_backward_weight"],
        };
        let sizes = match self.shape {
            LayerShape::Conv(s) => format!("{s:?}"),
            LayerShape::Linear(s) => format!("{s:?}"),
        };
        let (s, activation, weight) = (self.shape.as_conv(), precision.activations(), DType::F32);
        let (name, operands) = match self.pass {
            Pass::Forward { .. } => {
                let (x, w) = (Operand::read("x", activation, s.x_len()), Operand::read("w", weight, s.w_len()));
                (forward, vec![x, w, Operand::read("b", weight, s.k), Operand::write("y", activation, s.y_len())])
            }
            Pass::BackwardData { masked } => {
                let (dy, w) = (Operand::read("dy", activation, s.y_len()), Operand::read("w", weight, s.w_len()));
                let mut operands = vec![dy, w, Operand::write("dx", activation, s.x_len())];
                operands.extend(masked.then_some(Operand::read("mask", activation, s.x_len())));
                (backward_data, operands)
            }
            Pass::BackwardWeight => {
                let (x, dy) = (Operand::read("x", activation, s.x_len()), Operand::read("dy", activation, s.y_len()));
                let dw = Operand::write("dw", weight, s.w_len());
                (backward_weight, vec![x, dy, dw, Operand::write("db", weight, s.k)])
            }
        };
        Description { flops: s.flops(), ..Description::new(name, sizes, operands) }
    }

    /// The reference in f64.
    pub fn reference(&self, values: &mut [Vec<f64>]) {
        let s = &self.shape.as_conv();
        match (self.pass, values) {
            (Pass::Forward { relu }, [x, w, b, y]) => {
                *y = conv::forward(s, x, w, b);
                if relu {
                    relu::forward(y);
                }
            }
            (Pass::BackwardData { .. }, [dy, w, dx, mask @ ..]) => {
                *dx = conv::backward_data(s, dy, w);
                for mask in mask {
                    relu::backward(mask, dx);
                }
            }
            (Pass::BackwardWeight, [x, dy, dw, db]) => (*dw, *db) = conv::backward_weight(s, x, dy),
            (_, values) => panic!("{self:?} of {} values", values.len()),
        }
    }
}
