//! Numbers to compute with, and how results compare with their reference.

use crate::ops::philox::{Purpose, Stream, uniform};
use crate::ops::view::DType;
use half::{bf16, f16};

/// How one result of a case compares with its reference.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Comparison {
    /// The operation and which of its results, such as `conv_backward_weight dw`.
    pub operation: String,
    /// Sizes.
    pub shape: String,
    /// Largest `|a - b|`.
    pub max_error: f64,
    /// Largest `|a - b|` as a share of what is allowed for that element.
    pub share_of_bound: f64,
    /// `sum (a - b)^2 / sum b^2`.
    pub nmse: f64,
    /// Why it fails, if it does.
    pub failure: Option<String>,
}

/// The contract's bounds: `|a - b| <= max(ABSOLUTE, RELATIVE max(|a|, |b|))`, and the largest NMSE.
pub(super) const ABSOLUTE: f64 = 1e-5;
pub(super) const RELATIVE: f64 = 1e-4;
pub(super) const NMSE: f64 = 1e-7;

/// How far a result may be from its reference.
#[derive(Clone, Debug)]
pub enum Bound {
    /// Results of float32: `max(1e-5, 1e-4 max(|a|, |b|))`.
    Contract,
    /// The same, and what storing in a type adds.
    Stored(DType),
    /// A sum of products whose factors are as the reference has them, added in float32 and then stored:
    /// `additions 2^-23 S + u |b|`, S being the sum of the magnitudes, which are given element by element.
    Sum { additions: f64, magnitudes: Vec<f64>, stored: DType },
}

impl Bound {
    /// For an element, from its place, what was found, and the reference.
    fn of(&self, i: usize, a: f64, b: f64) -> f64 {
        let contract = f64::max(ABSOLUTE, RELATIVE * a.abs().max(b.abs()));
        match self {
            Bound::Contract => contract,
            Bound::Stored(dtype) => contract + storing(*dtype, b),
            Bound::Sum { additions, magnitudes, stored } => {
                additions * f64::from(f32::EPSILON) * magnitudes[i] + storing(*stored, b)
            }
        }
    }

    /// The largest NMSE.
    fn nmse(&self) -> f64 {
        match self {
            Bound::Contract => NMSE,
            Bound::Stored(stored) | Bound::Sum { stored, .. } => NMSE.max(stored.unit().powi(2)),
        }
    }
}

/// The error of storing a number: half a unit in its last place, or half the smallest number of the type.
fn storing(dtype: DType, v: f64) -> f64 {
    f64::max(dtype.unit() * v.abs(), smallest(dtype) / 2.0)
}

/// The smallest number above 0 of a type of 16 bits; that of float32 is too small to matter.
pub(super) fn smallest(dtype: DType) -> f64 {
    match dtype {
        DType::Bf16 => f64::from(bf16::from_bits(1)),
        DType::F16 => f64::from(f16::from_bits(1)),
        _ => 0.0,
    }
}

/// `len` numbers, uniform in `[-scale, scale]`, from a fixed stream.
pub fn values(seed: u64, len: usize, scale: f32) -> Vec<f32> {
    let stream = Stream { seed, purpose: Purpose::Init, step: 0 };
    let mut out = Vec::with_capacity(len + 3);
    for i in 0..len.div_ceil(4) {
        out.extend(stream.block(i as u32, 0).map(|w| (2.0 * uniform(w) - 1.0) * scale));
    }
    out.truncate(len);
    out
}

/// Compares numbers of float32 with their reference by the contract's bound.
pub fn compare(operation: &str, shape: &str, got: &[f32], expected: &[f64]) -> Comparison {
    compare_within(&Bound::Contract, operation, shape, got, expected)
}

/// Compares numbers with their reference by a bound.
pub fn compare_within(bound: &Bound, operation: &str, shape: &str, got: &[f32], expected: &[f64]) -> Comparison {
    let mut result = Comparison {
        operation: operation.into(),
        shape: shape.into(),
        max_error: 0.0,
        share_of_bound: 0.0,
        nmse: 0.0,
        failure: None,
    };
    if got.len() != expected.len() {
        result.failure = Some(format!("{} elements, not {}", got.len(), expected.len()));
        return result;
    }
    let (mut error, mut power) = (0.0, 0.0);
    for (i, (&a, &b)) in got.iter().zip(expected).enumerate() {
        let a = f64::from(a);
        let difference = if a == b { 0.0 } else { (a - b).abs() };
        let bound = bound.of(i, a, b);
        error += difference * difference;
        power += b * b;
        result.max_error = result.max_error.max(difference);
        result.share_of_bound = result.share_of_bound.max(difference / bound);
        if (difference > bound || difference.is_nan()) && result.failure.is_none() {
            result.failure = Some(format!("element {i} is {a}, not {b}"));
        }
    }
    result.nmse = if error == 0.0 { 0.0 } else { error / power };
    if (result.nmse > bound.nmse() || result.nmse.is_nan()) && result.failure.is_none() {
        result.failure = Some(format!("NMSE {:.1e}", result.nmse));
    }
    result
}
