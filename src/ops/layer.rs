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
    /// `y` from `x, w, b`, then ReLU if asked; without it `y` are logits, float32. Views: `x, w, b, y`.
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
    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let [forward, backward_data, backward_weight] = match self.shape {
            LayerShape::Conv(_) => ["conv_forward", "conv_backward_data", "conv_backward_weight"],
            LayerShape::Linear(_) => ["linear_forward", "linear_backward_data", "linear_backward_weight"],
        };
        let sizes = match self.shape {
            LayerShape::Conv(s) => format!("{s:?}"),
            LayerShape::Linear(s) => format!("{s:?}"),
        };
        let (s, activation) = (self.shape.as_conv(), precision.storage());
        let logits = self.pass == Pass::Forward { relu: false };
        let output = if logits { DType::F32 } else { activation };
        let (x, dx) = (Operand::read("x", activation, s.x_len()), Operand::write("dx", activation, s.x_len()));
        let (y, dy) = (Operand::write("y", output, s.y_len()), Operand::read("dy", activation, s.y_len()));
        let (w, dw) = (Operand::read("w", activation, s.w_len()), Operand::write("dw", DType::F32, s.w_len()));
        let (b, db) = (Operand::read("b", DType::F32, s.k), Operand::write("db", DType::F32, s.k));
        let mask = Operand::read("mask", activation, s.x_len());
        let (name, operands) = match self.pass {
            Pass::Forward { .. } => (forward, vec![x, w, b, y]),
            Pass::BackwardData { masked: false } => (backward_data, vec![dy, w, dx]),
            Pass::BackwardData { masked: true } => (backward_data, vec![dy, w, dx, mask]),
            Pass::BackwardWeight => (backward_weight, vec![x, dy, dw, db]),
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
