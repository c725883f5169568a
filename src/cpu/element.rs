//! Numbers as memory holds them: float32, or 16 bits.

use bytemuck::Pod;
use half::{bf16, f16};

/// A number in memory.
pub trait Element: Pod + Send + Sync {
    /// The nearest number of this type, ties to even.
    fn narrow(x: f32) -> Self;
}

impl Element for f32 {
    #[inline(always)]
    fn narrow(x: f32) -> f32 {
        x
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn narrow(x: f32) -> bf16 {
        bf16::from_f32(x)
    }
}

impl Element for f16 {
    #[inline(always)]
    fn narrow(x: f32) -> f16 {
        f16::from_f32(x)
    }
}
