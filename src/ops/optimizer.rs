//! Optimiser steps over whole arenas: Adam, momentum SGD with L2, and the moving average of the weights.
//!
//! With g the gradient and t = step + 1:
//! Adam (Kingma and Ba, arXiv 1412.6980): `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
//! - [`Epsilon::Outer`]: `w -= lr m^ / (sqrt(v^) + eps)` with `m^ = m / (1 - b1^t)`, `v^ = v / (1 - b2^t)`;
//! - [`Epsilon::Hat`] (TensorFlow 1): `w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps)`.
//!
//! Momentum SGD: `u = mu u + (g + l2 w)`, `w -= lr u`.
//! Moving average: `ema = d ema + (1 - d) w`, after the step.

use super::description::{Description, Operand, StepState};
use super::view::{DType, View};
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
}

impl Arenas {
    /// The views of an optimiser's step, [`Adam`] where there is a second moment, else [`Sgd`].
    pub fn views(&self) -> Vec<View> {
        let there = [Some(self.gradients), Some(self.weights), Some(self.moment1), self.moment2, self.ema];
        there.into_iter().flatten().collect()
    }
}

/// One Adam step over whole arenas. Views: `gradients, weights, first moment, second moment`, and the average.
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
    pub fn describe(&self) -> Description {
        let operands = arenas(&["weights", "first moment", "second moment"], self.len, self.average);
        Description::new("adam", self.len.to_string(), operands)
    }

    /// The reference in f64.
    pub fn reference(&self, state: &StepState, values: &mut [Vec<f64>]) {
        let [g, w, m, v, average @ ..] = values else { panic!("{} values", values.len()) };
        adam(&self.params, state.step, f64::from(state.lr), w, g, m, v);
        for average in average {
            ema(f64::from(state.ema_decay), average, w);
        }
    }
}

/// One momentum SGD step over whole arenas. Views: `gradients, weights, velocity`, and the average.
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
    pub fn describe(&self) -> Description {
        let operands = arenas(&["weights", "velocity"], self.len, self.average);
        Description::new("sgd", self.len.to_string(), operands)
    }

    /// The reference in f64.
    pub fn reference(&self, state: &StepState, values: &mut [Vec<f64>]) {
        let [g, w, u, average @ ..] = values else { panic!("{} values", values.len()) };
        sgd(&self.params, &self.decayed, f64::from(state.lr), w, g, u);
        for average in average {
            ema(f64::from(state.ema_decay), average, w);
        }
    }
}

/// The operands of an optimiser's step: the gradients, what it updates, and the average.
fn arenas(updated: &[&'static str], len: usize, average: bool) -> Vec<Operand> {
    let mut operands = vec![Operand::read("gradients", DType::F32, len)];
    operands.extend(updated.iter().map(|name| Operand::update(name, DType::F32, len)));
    operands.extend(average.then_some(Operand::update("average", DType::F32, len)));
    operands
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
