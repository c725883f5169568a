//! Names of device memory, and the types of what lies there.

use crate::error::{Error, Result};
use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// The element type of a piece of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    F32,
    /// The upper half of a float32: 8 bits of exponent, 8 of significand.
    Bf16,
    /// IEEE half precision: 5 bits of exponent, 11 of significand.
    F16,
    F64,
    U32,
    U8,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F64 => 8,
            DType::F32 | DType::U32 => 4,
            DType::Bf16 | DType::F16 => 2,
            DType::U8 => 1,
        }
    }

    /// Largest relative error of rounding a number of ordinary size to this type; 0 for types that no result is rounded
    /// to.
    pub fn unit(self) -> f64 {
        match self {
            DType::F32 => f64::from(f32::EPSILON) / 2.0,
            DType::Bf16 => f64::from(bf16::EPSILON) / 2.0,
            DType::F16 => f64::from(f16::EPSILON) / 2.0,
            DType::F64 | DType::U32 | DType::U8 => 0.0,
        }
    }

    /// A number as it is after it was stored: rounded to the nearest, ties to even.
    pub fn round(self, v: f64) -> f64 {
        match self {
            DType::F32 => f64::from(v as f32),
            DType::Bf16 => f64::from(bf16::from_f64(v)),
            DType::F16 => f64::from(f16::from_f64(v)),
            DType::F64 | DType::U32 | DType::U8 => v,
        }
    }
}

/// How a network computes.
///
/// | precision | activations, their gradients, weights as products read them | products |
/// |---|---|---|
/// | `f32` | float32 | float32 |
/// | `tf32` | float32 | factors rounded to 11 bits of significand |
/// | `tf32x3` | float32 | factors as the sum of two such numbers, three products of four: float32's bound |
/// | `bf16` | bfloat16 | exact products of bfloat16 |
/// | `f16` | IEEE half, the gradients scaled ([`crate::ops::scaling`]) | exact products of halves |
///
/// In every precision sums are float32 at least, and so are weights (the masters), moments, averages, weight gradients,
/// biases, logits and losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    F32,
    Tf32,
    Tf32x3,
    Bf16,
    F16,
}

impl Precision {
    /// All there are.
    pub const ALL: [Precision; 5] =
        [Precision::F32, Precision::Tf32, Precision::Tf32x3, Precision::Bf16, Precision::F16];

    /// As `--precision` names it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Tf32x3 => "tf32x3",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        }
    }

    /// The type of activations, of their gradients, and of the weights that products read.
    pub const fn storage(self) -> DType {
        match self {
            Precision::F32 | Precision::Tf32 | Precision::Tf32x3 => DType::F32,
            Precision::Bf16 => DType::Bf16,
            Precision::F16 => DType::F16,
        }
    }

    /// A factor as products take it.
    pub fn factor(self, v: f64) -> f64 {
        match self {
            // Rounded to 11 bits of significand, ties away from zero, as `cvt.rna.tf32.f32` does.
            Precision::Tf32 if v.is_finite() => f64::from(f32::from_bits(((v as f32).to_bits() + 0x1000) & !0x1fff)),
            _ => self.storage().round(v),
        }
    }

    /// Whether products read a copy of the weights, because they are stored in 16 bits.
    pub const fn is_half(self) -> bool {
        !matches!(self.storage(), DType::F32)
    }

    /// Whether gradients are scaled, because the format's smallest numbers are too large for them.
    pub fn scales_gradients(self) -> bool {
        self == Precision::F16
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;
    /// Reads what [`Precision::name`] gives.
    fn from_str(s: &str) -> Result<Precision> {
        let found = Precision::ALL.into_iter().find(|p| p.name() == s);
        let names = Precision::ALL.map(Precision::name).join(", ");
        found.ok_or_else(|| Error::Invalid(format!("unknown precision '{s}'; known are {names}")))
    }
}

/// A range of elements inside one device buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Number of the buffer on its device.
    pub buffer: usize,
    pub dtype: DType,
    /// First element.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
}

impl View {
    /// The `len` elements from `offset` on, counted from this view's start.
    ///
    /// # Panics
    /// If the range does not lie inside this view: a mistake of the memory plan, never of the user.
    pub fn slice(self, offset: usize, len: usize) -> View {
        assert!(offset + len <= self.len, "view of {} elements cut at {offset}..{}", self.len, offset + len);
        View { offset: self.offset + offset, len, ..self }
    }

    /// The bytes of the buffer that it covers; none can lie beyond the largest number, where no memory is.
    pub fn bytes(self) -> Range<usize> {
        let end = self.offset.saturating_add(self.len);
        self.offset.saturating_mul(self.dtype.size())..end.saturating_mul(self.dtype.size())
    }
}
