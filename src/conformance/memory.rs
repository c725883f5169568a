//! Numbers on a device: operands between guards, and operands with ordinary numbers to time operations on.

use super::compare::{Bound, Comparison, compare_within};
use crate::device::{DType, Device, Owner, Precision, View};
use crate::error::Result;
use crate::ops::operation::{Kind, Operation};
use crate::ops::scaling::START;
use half::{bf16, f16};

/// Elements of a guard region; a multiple of 16 bytes so that operands stay aligned.
const GUARD: usize = 64;

/// An operand between two guards, whose bytes are all ones: NaN as floats.
pub struct Guarded {
    whole: View,
    pub view: View,
}

impl Guarded {
    /// Holding numbers, in an owner's memory.
    pub fn new(d: &mut dyn Device, owner: &Owner, dtype: DType, values: &[f64]) -> Result<Guarded> {
        let whole = d.alloc_for(owner, dtype, values.len() + 2 * GUARD)?;
        let view = whole.slice(GUARD, values.len());
        let mut bytes = vec![0xff; whole.bytes().len()];
        bytes[view.bytes()].copy_from_slice(&encode(dtype, values));
        d.upload(whole, &bytes)?;
        Ok(Guarded { whole, view })
    }

    /// Compares with the reference.
    pub fn compare(
        &self,
        d: &mut dyn Device,
        title: &str,
        shape: &str,
        expected: &[f64],
        bound: &Bound,
    ) -> Result<Comparison> {
        let mut bytes = vec![0; self.whole.bytes().len()];
        d.download(self.whole, &mut bytes)?;
        let inside = self.view.bytes();
        let mut result =
            compare_within(bound, title, shape, &decode(self.view.dtype, &bytes[inside.clone()]), expected);
        for (side, guard) in [("before", &bytes[..inside.start]), ("behind", &bytes[inside.end..])] {
            if guard.iter().any(|&byte| byte != 0xff) {
                result.failure = Some(format!("wrote {side} its output"));
            }
        }
        Ok(result)
    }
}

/// Numbers to a device, each as its type holds it.
pub fn upload(d: &mut dyn Device, view: View, values: &[f64]) -> Result<()> {
    d.upload(view, &encode(view.dtype, values))
}

/// The numbers that a device holds.
pub(super) fn download(d: &mut dyn Device, view: View) -> Result<Vec<f32>> {
    let mut bytes = vec![0; view.bytes().len()];
    d.download(view, &mut bytes)?;
    Ok(decode(view.dtype, &bytes))
}

/// Numbers as a device holds them.
fn encode(dtype: DType, values: &[f64]) -> Vec<u8> {
    match dtype {
        DType::F64 => values.iter().flat_map(|v| v.to_ne_bytes()).collect(),
        DType::F32 => values.iter().flat_map(|&v| (v as f32).to_ne_bytes()).collect(),
        DType::Bf16 => values.iter().flat_map(|&v| bf16::from_f64(v).to_ne_bytes()).collect(),
        DType::F16 => values.iter().flat_map(|&v| f16::from_f64(v).to_ne_bytes()).collect(),
        DType::U32 => values.iter().flat_map(|&v| (v as u32).to_ne_bytes()).collect(),
        DType::U8 => values.iter().map(|&v| v as u8).collect(),
    }
}

/// What a device holds as numbers.
fn decode(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let of = |b: &[u8]| match dtype {
        DType::F64 => bytemuck::pod_read_unaligned::<f64>(b) as f32,
        DType::F32 => bytemuck::pod_read_unaligned::<f32>(b),
        DType::Bf16 => bytemuck::pod_read_unaligned::<bf16>(b).to_f32(),
        DType::F16 => bytemuck::pod_read_unaligned::<f16>(b).to_f32(),
        DType::U32 => bytemuck::pod_read_unaligned::<u32>(b) as f32,
        DType::U8 => f32::from(b[0]),
    };
    bytes.chunks_exact(dtype.size()).map(of).collect()
}

/// An operation on an owner's memory, to be timed: ordinary numbers, because denormals or zeros could change the speed;
/// zeros where labels, positions, sums and second moments must be valid ones.
///
/// # Errors
/// Those of the device.
pub fn example(d: &mut dyn Device, owner: &Owner, kind: Kind, precision: Precision) -> Result<Operation> {
    let mut views = Vec::new();
    for operand in kind.describe(precision).operands {
        let view = d.alloc_for(owner, operand.dtype, operand.len)?;
        let number = !matches!(operand.dtype, DType::F64 | DType::U32 | DType::U8);
        if operand.name == "scaling" {
            upload(d, view, &START.map(f64::from))?;
        } else if number && operand.name != "second moment" {
            let values: Vec<f64> = (0..view.len).map(|i| (i % 251) as f64 / 251.0 - 0.4).collect();
            upload(d, view, &values)?;
        } else {
            d.zero(view)?;
        }
        views.push(view);
    }
    Operation::new(kind, precision, &views)
}
