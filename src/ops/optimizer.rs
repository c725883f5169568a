//! Optimiser steps over whole arenas: Adam, momentum SGD with L2, and the moving average of the weights.
//!
//! With g the gradient and t = step + 1:
//! Adam (Kingma and Ba, arXiv 1412.6980): `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
//! - [`Epsilon::Outer`]: `w -= lr m^ / (sqrt(v^) + eps)` with `m^ = m / (1 - b1^t)`, `v^ = v / (1 - b2^t)`;
//! - [`Epsilon::Hat`] (TensorFlow 1): `w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)`.
//!
//! Momentum SGD: `u = mu u + (g + l2 w)`, `w -= lr u`.
//! Moving average: `ema = d ema + (1 - d) w`, after the step.
//!
//! In a precision of 16 bits the step writes the weights a second time as products read them, and where gradients are
//! scaled ([`super::scaling`]) g is the scaled gradient times the inverse of the scale; an inverse of 0 leaves the step
//! out, all arenas as they are.

use super::description::{Description, Operand, StepState};
use super::scaling::{INVERSE, state};
use super::view::{DType, Precision, View};
use serde::{Deserialize, Serialize};

/// Where Adam's epsilon stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Epsilon {
    /// Beside the bias-corrected root, as in the paper and PyTorch.
    Outer,
    /// Beside the uncorrected root: the paper's "epsilon hat", TensorFlow 1's rule.
    Hat,
}

/// Adam's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamParams {
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub epsilon_kind: Epsilon,
}

/// Momentum SGD's constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdParams {
    pub momentum: f32,
    /// Factor of the L2 penalty `l2 / 2 |w|^2`.
    pub l2: f32,
}

/// The parameter, gradient and moment arenas one optimiser step works on; all of one layout and length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arenas {
    pub weights: View,
    pub gradients: View,
    /// Adam's first moment, or momentum SGD's velocity.
    pub moment1: View,
    /// Adam's second moment; not there with SGD.
    pub moment2: Option<View>,
    /// Moving average of the weights, updated in the same pass.
    pub ema: Option<View>,
    /// The weights as products read them, in a precision of 16 bits.
    pub copy: Option<View>,
    /// The state of the gradients' scale, where there is one.
    pub scaling: Option<View>,
}

impl Arenas {
    /// The views of an optimiser's step, [`Adam`] where there is a second moment, else [`Sgd`].
    pub fn views(&self) -> Vec<View> {
        let [gradients, weights, moment1] = [self.gradients, self.weights, self.moment1].map(Some);
        let there = [gradients, weights, moment1, self.moment2, self.ema, self.copy, self.scaling];
        there.into_iter().flatten().collect()
    }
}

/// One Adam step over whole arenas. Views: `gradients, weights, first moment, second moment`, then, as far as there are
/// any, the average, the copy of the weights and the state of the scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    pub params: AdamParams,
    /// Elements of an arena.
    pub len: usize,
    /// Whether there is a moving average.
    pub average: bool,
}

impl Adam {
    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let operands = arenas(&["weights", "first moment", "second moment"], self.len, self.average, precision);
        Description::new("adam", self.len.to_string(), operands)
    }

    /// The reference in f64.
    pub fn reference(&self, precision: Precision, state: &StepState, values: &mut [Vec<f64>]) {
        let [g, w, m, v, more @ ..] = values else { panic!("{} values", values.len()) };
        let Some(g) = unscaled(g, more, precision) else { return };
        adam(&self.params, state.step, f64::from(state.lr), w, &g, m, v);
        follow(w, more, self.average, precision, state);
    }
}

/// One momentum SGD step over whole arenas. Views: `gradients, weights, velocity`, then as for [`Adam`].
#[derive(Clone, Debug, PartialEq)]
pub struct Sgd {
    pub params: SgdParams,
    /// Ranges (offset, length) that L2 applies to.
    pub decayed: Vec<(usize, usize)>,
    /// Elements of an arena.
    pub len: usize,
    /// Whether there is a moving average.
    pub average: bool,
}

impl Sgd {
    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let operands = arenas(&["weights", "velocity"], self.len, self.average, precision);
        Description::new("sgd", self.len.to_string(), operands)
    }

    /// The reference in f64.
    pub fn reference(&self, precision: Precision, state: &StepState, values: &mut [Vec<f64>]) {
        let [g, w, u, more @ ..] = values else { panic!("{} values", values.len()) };
        let Some(g) = unscaled(g, more, precision) else { return };
        sgd(&self.params, &self.decayed, f64::from(state.lr), w, &g, u);
        follow(w, more, self.average, precision, state);
    }
}

/// The operands of an optimiser's step: the gradients, what it updates, and what follows the weights.
fn arenas(updated: &[&'static str], len: usize, average: bool, precision: Precision) -> Vec<Operand> {
    let mut operands = vec![Operand::read("gradients", DType::F32, len)];
    operands.extend(updated.iter().map(|name| Operand::update(name, DType::F32, len)));
    operands.extend(average.then(|| Operand::update("average", DType::F32, len)));
    operands.extend(precision.is_half().then(|| Operand::update("copy", precision.storage(), len)));
    operands.extend(precision.scales_gradients().then(|| state(false)));
    operands
}

/// The gradients without their scale; nothing where the step is left out.
fn unscaled(gradients: &[f64], more: &[Vec<f64>], precision: Precision) -> Option<Vec<f64>> {
    let state = more.last().filter(|_| precision.scales_gradients());
    let inverse = state.map_or(1.0, |state| state[INVERSE]);
    (inverse != 0.0).then(|| gradients.iter().map(|g| g * inverse).collect())
}

/// The average and the copy of the weights after a step.
fn follow(w: &[f64], more: &mut [Vec<f64>], average: bool, precision: Precision, state: &StepState) {
    let (averages, rest) = more.split_at_mut(usize::from(average));
    for average in averages {
        ema(f64::from(state.ema_decay), average, w);
    }
    if precision.is_half() {
        rest[0] = w.to_vec();
    }
}

/// The two factors of an Adam step that depend on the step alone: `w -= rate m / (sqrt(v) root_scale + eps)`.
pub fn adam_factors(p: &AdamParams, step: u64, lr: f64) -> (f64, f64) {
    let t = (step + 1) as f64;
    let c1 = 1.0 - f64::from(p.beta1).powf(t);
    let c2 = (1.0 - f64::from(p.beta2).powf(t)).sqrt();
    match p.epsilon_kind {
        Epsilon::Outer => (lr / c1, 1.0 / c2),
        Epsilon::Hat => (lr * c2 / c1, 1.0),
    }
}

/// Reference Adam step in place.
pub fn adam(p: &AdamParams, step: u64, lr: f64, w: &mut [f64], g: &[f64], m: &mut [f64], v: &mut [f64]) {
    let (rate, root_scale) = adam_factors(p, step, lr);
    let (b1, b2) = (f64::from(p.beta1), f64::from(p.beta2));
    for i in 0..w.len() {
        m[i] = b1 * m[i] + (1.0 - b1) * g[i];
        v[i] = b2 * v[i] + (1.0 - b2) * g[i] * g[i];
        w[i] -= rate * m[i] / (v[i].sqrt() * root_scale + f64::from(p.epsilon));
    }
}

/// Reference momentum SGD step in place; L2 applies where `decayed` says.
pub fn sgd(p: &SgdParams, decayed: &[(usize, usize)], lr: f64, w: &mut [f64], g: &[f64], u: &mut [f64]) {
    for i in 0..w.len() {
        let penalised = decayed.iter().any(|&(o, l)| (o..o + l).contains(&i));
        let l2 = if penalised { f64::from(p.l2) } else { 0.0 };
        u[i] = f64::from(p.momentum) * u[i] + g[i] + l2 * w[i];
        w[i] -= lr * u[i];
    }
}

/// Reference moving average in place.
pub fn ema(decay: f64, average: &mut [f64], w: &[f64]) {
    for (a, w) in average.iter_mut().zip(w) {
        *a = decay * *a + (1.0 - decay) * w;
    }
}
