//! The layer table that `params` prints.

use super::{Layer, Model, Shape};
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::pool::PoolShape;
use serde::Serialize;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub name: String,
    /// Kernel, as `3x3`; empty for layers without one.
    pub kernel: String,
    /// Input channels or features.
    pub inputs: usize,
    /// Output channels or features.
    pub outputs: usize,
    /// Output shape, `HxWxC`.
    pub shape: String,
    pub weights: usize,
    pub biases: usize,
    /// Floating-point operations of one image's forward pass in millions, a multiply-add as 2, padding taps counted.
    pub mflop: f64,
}

/// The table of a model.
pub fn rows(model: &Model) -> Vec<Row> {
    let layers = model.layers.iter().zip(model.shapes());
    layers.map(|((name, layer), (from, to))| row(name, layer, from, to)).collect()
}

fn row(name: &str, layer: &Layer, from: Shape, to: Shape) -> Row {
    let (h, w, c) = (from.h, from.w, from.c);
    let (kernel, inputs, weights, biases, flops) = match *layer {
        Layer::Conv { kernel, out: k } => {
            let s = ConvShape { n: 1, h, w, c, k, kernel };
            (format!("{kernel}x{kernel}"), c, s.w_len(), k, s.flops())
        }
        Layer::Linear { out: outputs, .. } => {
            let inputs = from.len();
            let s = LinearShape { n: 1, inputs, outputs };
            (String::new(), inputs, inputs * outputs, outputs, s.as_conv().flops())
        }
        Layer::Pool => {
            let s = PoolShape { n: 1, h, w, c };
            ("2x2".into(), c, 0, 0, s.flops())
        }
        Layer::Dropout { .. } => (String::new(), c, 0, 0, 0),
    };
    Row {
        name: name.into(),
        kernel,
        inputs,
        outputs: to.c,
        shape: to.to_string(),
        weights,
        biases,
        mflop: flops as f64 / 1e6,
    }
}
