//! The conformance suite: every operation of a device against the f64 references of [`crate::ops`].
//!
//! One list of cases ([`cases::all`]) for every backend, used by the tests and by `verify`. An output lies between two
//! guard regions and is filled with NaN before; every input is drawn from a fixed stream and scaled so that results are
//! about as large as 1. A result passes when every element has `|a - b| <= max(1e-5, 1e-4 max(|a|, |b|))` and the whole
//! has `sum (a - b)^2 <= 1e-7 sum b^2`.

pub mod cases;
mod layers;
mod run;

use crate::device::{DType, Device, View, download_f32, upload_f32};
use crate::error::Result;
use crate::ops::philox::{Purpose, Stream, uniform};

pub use cases::Case;
pub use run::run;

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

const ABSOLUTE: f64 = 1e-5;
const RELATIVE: f64 = 1e-4;
const NMSE: f64 = 1e-7;
/// Elements of a guard region; a multiple of 16 bytes so that outputs stay aligned.
const GUARD: usize = 64;

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

/// The scale of uniform numbers of which `terms` times another uniform number in [-1, 1] add up to variance 1/3.
fn scale(terms: usize) -> f32 {
    (3.0 / terms.max(1) as f32).sqrt()
}

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&v| f64::from(v)).collect()
}

fn put(d: &mut dyn Device, v: &[f32]) -> Result<View> {
    let view = d.alloc(DType::F32, v.len())?;
    upload_f32(d, view, v)?;
    Ok(view)
}

fn put_bytes(d: &mut dyn Device, v: &[u8]) -> Result<View> {
    let view = d.alloc(DType::U8, v.len())?;
    d.upload(view, v)?;
    Ok(view)
}

/// Where an operation writes, between two guards.
struct Output {
    whole: View,
    view: View,
}

impl Output {
    /// Filled with NaN.
    fn new(d: &mut dyn Device, len: usize) -> Result<Output> {
        Output::holding(d, &vec![f32::NAN; len])
    }

    /// Holding numbers, for operations that change their operand.
    fn holding(d: &mut dyn Device, v: &[f32]) -> Result<Output> {
        let mut all = vec![f32::NAN; v.len() + 2 * GUARD];
        all[GUARD..GUARD + v.len()].copy_from_slice(v);
        let whole = put(d, &all)?;
        Ok(Output { whole, view: whole.slice(GUARD, v.len()) })
    }

    /// Compares with the reference.
    fn compare(&self, d: &mut dyn Device, operation: &str, shape: &str, expected: &[f64]) -> Result<Comparison> {
        let all = download_f32(d, self.whole)?;
        let (before, rest) = all.split_at(GUARD);
        let (got, after) = rest.split_at(self.view.len);
        let mut result = compare(operation, shape, got, expected);
        if let Some(at) = before.iter().chain(after).position(|v| !v.is_nan()) {
            let side = if at < GUARD { "before" } else { "behind" };
            result.failure = Some(format!("wrote {side} its output"));
        }
        Ok(result)
    }
}

/// Compares numbers with their reference.
pub fn compare(operation: &str, shape: &str, got: &[f32], expected: &[f64]) -> Comparison {
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
        let bound = f64::max(ABSOLUTE, RELATIVE * a.abs().max(b.abs()));
        error += difference * difference;
        power += b * b;
        result.max_error = result.max_error.max(difference);
        result.share_of_bound = result.share_of_bound.max(difference / bound);
        if (difference > bound || difference.is_nan()) && result.failure.is_none() {
            result.failure = Some(format!("element {i} is {a}, not {b}"));
        }
    }
    result.nmse = if error == 0.0 { 0.0 } else { error / power };
    if (result.nmse > NMSE || result.nmse.is_nan()) && result.failure.is_none() {
        result.failure = Some(format!("NMSE {:.1e}", result.nmse));
    }
    result
}

/// Equality of bytes, as a comparison.
fn compare_bytes(operation: &str, shape: &str, got: &[u8], expected: &[u8]) -> Comparison {
    let mut result = compare(operation, shape, &[], &[]);
    if let Some(i) = (0..got.len().max(expected.len())).find(|&i| got.get(i) != expected.get(i)) {
        result.failure = Some(format!("byte {i} is {:?}, not {:?}", got.get(i), expected.get(i)));
        result.max_error = f64::INFINITY;
    }
    result
}
