//! The cases of layers with weights: convolutions and fully connected layers, which differ in their sizes alone.

use super::{Comparison, Output, put, scale, values, wide};
use crate::device::{Device, View};
use crate::error::Result;
use crate::ops::conv::{self, ConvShape};
use crate::ops::linear::{self, LinearShape};
use crate::ops::relu;

/// A layer's sizes, its operations on a device, and their references.
#[allow(clippy::type_complexity)] // The signatures that the contract and the references have.
struct Layer<'d, S> {
    name: &'static str,
    sizes: S,
    shape: String,
    flops: u64,
    /// Lengths of the input, the weights, the bias and the output.
    x: usize,
    w: usize,
    b: usize,
    y: usize,
    /// Products that are added up in an element of the output, of `dx` and of `dw`.
    terms: [usize; 3],
    forward: fn(&mut (dyn Device + 'd), &S, View, View, View, View, bool) -> Result<()>,
    backward_data: fn(&mut (dyn Device + 'd), &S, View, View, View, Option<View>) -> Result<()>,
    backward_weight: fn(&mut (dyn Device + 'd), &S, View, View, View, View) -> Result<()>,
    want_forward: fn(&S, &[f64], &[f64], &[f64]) -> Vec<f64>,
    want_backward_data: fn(&S, &[f64], &[f64]) -> Vec<f64>,
    want_backward_weight: fn(&S, &[f64], &[f64]) -> (Vec<f64>, Vec<f64>),
}

pub fn convolution(d: &mut dyn Device, s: &ConvShape) -> Result<Vec<Comparison>> {
    let taps = s.kernel * s.kernel;
    let layer = Layer {
        name: "conv",
        sizes: *s,
        shape: format!("{}x{}x{}x{} -> {}, {}x{}", s.n, s.h, s.w, s.c, s.k, s.kernel, s.kernel),
        flops: s.flops(),
        x: s.x_len(),
        w: s.w_len(),
        b: s.k,
        y: s.y_len(),
        terms: [taps * s.c, taps * s.k, s.n * s.h * s.w],
        forward: <dyn Device>::conv_forward,
        backward_data: <dyn Device>::conv_backward_data,
        backward_weight: <dyn Device>::conv_backward_weight,
        want_forward: conv::forward,
        want_backward_data: conv::backward_data,
        want_backward_weight: conv::backward_weight,
    };
    layer.compare(d)
}

pub fn fully_connected(d: &mut dyn Device, s: &LinearShape) -> Result<Vec<Comparison>> {
    let layer = Layer {
        name: "linear",
        sizes: *s,
        shape: format!("{}x{} -> {}", s.n, s.inputs, s.outputs),
        flops: s.flops(),
        x: s.n * s.inputs,
        w: s.inputs * s.outputs,
        b: s.outputs,
        y: s.n * s.outputs,
        terms: [s.inputs, s.outputs, s.n],
        forward: <dyn Device>::linear_forward,
        backward_data: <dyn Device>::linear_backward_data,
        backward_weight: <dyn Device>::linear_backward_weight,
        want_forward: linear::forward,
        want_backward_data: linear::backward_data,
        want_backward_weight: linear::backward_weight,
    };
    layer.compare(d)
}

impl<'d, S> Layer<'d, S> {
    /// Without and with the ReLU or its mask; at large sizes with it alone, as training has it: the sums are the same.
    fn variants(&self) -> &'static [bool] {
        if self.flops > 20_000_000 { &[true] } else { &[false, true] }
    }

    /// Runs all three operations.
    fn compare(&self, d: &mut (dyn Device + 'd)) -> Result<Vec<Comparison>> {
        let (name, s, shape) = (self.name, &self.sizes, &self.shape);
        let [into_y, into_dx, into_dw] = self.terms.map(scale);
        let x = values(1, self.x, 1.0);
        let b = values(3, self.b, 0.5);
        let x64 = wide(&x);
        let (vx, vb) = (put(d, &x)?, put(d, &b)?);
        let mut out = Vec::new();

        let w = values(2, self.w, into_y);
        let vw = put(d, &w)?;
        let mut want = (self.want_forward)(s, &x64, &wide(&w), &wide(&b));
        for &activate in self.variants() {
            let y = Output::new(d, self.y)?;
            (self.forward)(d, s, vx, vw, vb, y.view, activate)?;
            if activate {
                relu::forward(&mut want);
            }
            let suffix = if activate { " relu" } else { "" };
            out.push(y.compare(d, &format!("{name}_forward{suffix}"), shape, &want)?);
        }

        let w = values(2, self.w, into_dx);
        let vw = put(d, &w)?;
        let dy = values(4, self.y, 1.0);
        let vdy = put(d, &dy)?;
        let mut want = (self.want_backward_data)(s, &wide(&dy), &wide(&w));
        for &masked in self.variants() {
            let dx = Output::new(d, self.x)?;
            (self.backward_data)(d, s, vdy, vw, dx.view, masked.then_some(vx))?;
            if masked {
                relu::backward(&x64, &mut want);
            }
            let suffix = if masked { " masked" } else { "" };
            out.push(dx.compare(d, &format!("{name}_backward_data{suffix}"), shape, &want)?);
        }

        let dy = values(4, self.y, into_dw);
        let vdy = put(d, &dy)?;
        let (dw, db) = (Output::new(d, self.w)?, Output::new(d, self.b)?);
        (self.backward_weight)(d, s, vx, vdy, dw.view, db.view)?;
        let (want_w, want_b) = (self.want_backward_weight)(s, &x64, &wide(&dy));
        out.push(dw.compare(d, &format!("{name}_backward_weight dw"), shape, &want_w)?);
        out.push(db.compare(d, &format!("{name}_backward_weight db"), shape, &want_b)?);
        Ok(out)
    }
}
