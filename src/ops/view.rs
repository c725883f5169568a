//! Names of device memory, and the types of what lies there.

use crate::error::{Error, Result};
use std::ops::Range;
use std::str::FromStr;

/// The element type of a piece of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    F32,
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
            DType::U8 => 1,
        }
    }
}

/// How a network computes: the type of its activations and of their gradients, and of its products. Weights, moments,
/// averages, weight gradients, logits and losses are float32 in every precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    #[default]
    F32,
}

impl Precision {
    /// The type of activations and their gradients.
    pub fn activations(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
        }
    }
}

impl FromStr for Precision {
    type Err = Error;
    /// Reads `f32`.
    fn from_str(s: &str) -> Result<Precision> {
        match s {
            "f32" => Ok(Precision::F32),
            _ => Err(Error::Invalid(format!("--precision {s}: the CPU computes in f32; leave the flag away"))),
        }
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
