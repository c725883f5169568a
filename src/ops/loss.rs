//! Softmax cross-entropy, forward and backward in one.
//!
//! `p = exp(z - max z) / sum exp(z - max z)`, `L = -log p[label]`, `dL/dz = p - onehot(label)`:
//! with `L = log(sum exp z) - z[label]`, the derivative of the first term is the softmax itself.

use super::description::{Description, Operand};
use super::scaling::{SCALE, state};
use super::view::{DType, Precision};

/// How the losses of a batch are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Mean over the batch: `dz = (p - onehot) / n`.
    Mean,
    /// The article's sum over the batch of `-log(clip(p[label], 1e-20, 1))`: where the clip holds, the gradient of
    /// that example is zero, as TensorFlow's `clip_by_value` gives it.
    SummedClipped,
}

/// The lower clip of [`LossKind::SummedClipped`].
pub const CLIP: f64 = 1e-20;

/// Softmax cross-entropy, forward and backward. Views: `logits, labels, stats`, with a gradient `dlogits`, and the
/// gradients' scale that it is multiplied by (see [`super::scaling`]) in the precision that has one.
///
/// To `stats` is added: `[sum of losses, number correct, number of examples, number of non-finite losses]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    pub kind: LossKind,
    /// Examples.
    pub rows: usize,
    pub classes: usize,
    /// Whether the gradient of the logits is written.
    pub gradient: bool,
}

impl Loss {
    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let len = self.rows * self.classes;
        let mut operands = vec![
            Operand::read("logits", DType::F32, len),
            Operand::read("labels", DType::U32, self.rows),
            Operand::update("stats", DType::F64, 4),
        ];
        if self.gradient {
            operands.push(Operand::write("dlogits", precision.storage(), len));
            operands.extend(precision.scales_gradients().then(|| state(false)));
        }
        Description::new("loss", format!("{}x{}", self.rows, self.classes), operands)
    }

    /// The reference in f64.
    pub fn reference(&self, values: &mut [Vec<f64>]) {
        let [logits, labels, stats, more @ ..] = values else { panic!("{} values", values.len()) };
        let labels: Vec<u32> = labels.iter().map(|&l| l as u32).collect();
        let (sum, correct, gradient) = forward_backward(self.kind, self.classes, logits, &labels);
        for (stat, more) in stats.iter_mut().zip([sum, correct as f64, self.rows as f64, 0.0]) {
            *stat += more;
        }
        if let [dlogits, scaling @ ..] = more {
            let scale = scaling.first().map_or(1.0, |state| state[SCALE]);
            *dlogits = gradient.iter().map(|g| g * scale).collect();
        }
    }
}

/// Softmax row by row. Views: `logits, probabilities`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    pub rows: usize,
    pub classes: usize,
}

impl Softmax {
    /// Its name, operands and work.
    pub fn describe(&self) -> Description {
        let len = self.rows * self.classes;
        let (logits, p) = (Operand::read("logits", DType::F32, len), Operand::write("probabilities", DType::F32, len));
        Description::new("softmax", len.to_string(), vec![logits, p])
    }
}

/// Reference softmax of one row.
pub fn softmax(z: &[f64]) -> Vec<f64> {
    let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = z.iter().map(|v| (v - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|v| v / sum).collect()
}

/// Reference: sum of the losses, number of correct rows (first maximum wins), and the gradient of the logits.
pub fn forward_backward(kind: LossKind, classes: usize, logits: &[f64], labels: &[u32]) -> (f64, usize, Vec<f64>) {
    let n = labels.len();
    let (mut sum, mut correct) = (0.0, 0);
    let mut d = Vec::with_capacity(logits.len());
    for (z, &label) in logits.chunks_exact(classes).zip(labels) {
        let label = label as usize;
        let mut p = softmax(z);
        correct += usize::from(argmax(z) == label);
        let clipped = kind == LossKind::SummedClipped && p[label] < CLIP;
        sum -= match kind {
            LossKind::Mean => {
                let max = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                z[label] - max - z.iter().map(|v| (v - max).exp()).sum::<f64>().ln()
            }
            LossKind::SummedClipped => p[label].max(CLIP).ln(),
        };
        p[label] -= 1.0;
        let scale = match kind {
            LossKind::Mean => 1.0 / n as f64,
            LossKind::SummedClipped => f64::from(u8::from(!clipped)),
        };
        d.extend(p.iter().map(|v| v * scale));
    }
    (sum, correct, d)
}

/// Index of the first maximum.
pub fn argmax<T: PartialOrd + Copy>(z: &[T]) -> usize {
    (1..z.len()).fold(0, |best, i| if z[i] > z[best] { i } else { best })
}
