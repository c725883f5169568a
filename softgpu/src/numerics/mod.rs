//! Arithmetic of the device: pure functions, one value at a time.
//!
//! Each function is one PTX instruction (or one part of it) on plain values, with the
//! rules of the PTX ISA for rounding, subnormals, saturation and NaN. Nothing here knows
//! registers, lanes or memory, so each rule can be tested alone.
//!
//! * [`Rounding`] and [`soft`]: rounding of an exact value, for every format and mode.
//! * [`half`]: f16, bf16, tf32 and the 8-bit formats, and arithmetic on f16 and bf16.
//! * [`float`]: arithmetic on f32 and f64.
//! * [`approx`]: the approximate functions (`rcp`, `ex2`, `sin`, ...).
//! * [`mma`]: the tensor core, as published models of the hardware have it.
//!
//! NaN results are the canonical ones the ISA names: `0x7fffffff` for f32, `0x7fff` for
//! f16 and bf16. Operations on f64 keep the payload of a NaN operand, made quiet.

pub mod approx;
pub mod float;
pub mod half;
pub mod mma;
pub mod soft;

/// Direction in which an inexact result is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// `.rn`: to nearest, ties to the even significand.
    NearestEven,
    /// `.rna`: to nearest, ties away from zero.
    NearestAway,
    /// `.rz`: towards zero.
    Zero,
    /// `.rm`: towards minus infinity.
    Down,
    /// `.rp`: towards plus infinity.
    Up,
}

impl Rounding {
    /// Whether a magnitude with the given sign is rounded up to the next larger magnitude.
    ///
    /// `odd` is the last kept bit, `half` the first dropped bit, `rest` whether any bit
    /// after that is set.
    #[inline]
    pub fn away(self, negative: bool, odd: bool, half: bool, rest: bool) -> bool {
        match self {
            Rounding::NearestEven => half && (rest || odd),
            Rounding::NearestAway => half,
            Rounding::Zero => false,
            Rounding::Down => negative && (half || rest),
            Rounding::Up => !negative && (half || rest),
        }
    }
}
