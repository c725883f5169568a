//! 16-bit and narrower floating point: conversions, and arithmetic on f16 and bf16.
//!
//! Values travel as bit patterns (`u16`, or the low bits of a `u32`). Both formats are
//! carried through f64: a product of two is exact there, and a sum whose f64 is inexact is
//! kept in *round-to-odd* form, which a second rounding to the narrow format cannot tell
//! from the exact value (53 >= 2 * 11 + 2 bits).

use super::Rounding;
use super::float::{self, odd_add, odd_fma};
use super::soft::{self, BF16, F16, F32, F64, Format, TF32};

/// Which of the two 16-bit formats an operation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Half {
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
}

impl Half {
    /// Description of the format.
    pub const fn format(self) -> Format {
        match self {
            Half::F16 => F16,
            Half::Bf16 => BF16,
        }
    }
    /// Value of a pattern (exact).
    #[inline]
    pub fn to_f32(self, bits: u16) -> f32 {
        match self {
            Half::F16 => f16_to_f32(bits),
            Half::Bf16 => bf16_to_f32(bits),
        }
    }
    /// Pattern nearest to `x` in the given mode.
    #[inline]
    pub fn from_f32(self, x: f32, mode: Rounding) -> u16 {
        match (self, mode) {
            (Half::F16, Rounding::NearestEven) => f32_to_f16(x),
            (Half::Bf16, Rounding::NearestEven) => f32_to_bf16(x),
            _ => soft::convert(x.to_bits() as u64, F32, self.format(), mode) as u16,
        }
    }
    /// Pattern nearest to `x` in the given mode.
    pub fn from_f64(self, x: f64, mode: Rounding) -> u16 {
        soft::convert(x.to_bits(), F64, self.format(), mode) as u16
    }
}

/// f16 to f32, exact; a NaN becomes the canonical f32 NaN.
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = (bits as u32 & 0x8000) << 16;
    let magnitude = bits as u32 & 0x7fff;
    let value = if magnitude >= 0x7c00 {
        if magnitude > 0x7c00 {
            return f32::from_bits(float::NAN_F32);
        }
        0x7f80_0000
    } else if magnitude >= 0x0400 {
        (magnitude << 13) + (112 << 23)
    } else {
        // A subnormal is magnitude * 2^-24, exact in f32.
        (magnitude as f32 * f32::from_bits(0x3380_0000)).to_bits()
    };
    f32::from_bits(sign | value)
}

/// f32 to f16, to nearest even; NaN becomes `0x7fff`.
#[inline]
pub fn f32_to_f16(x: f32) -> u16 {
    let bits = x.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return 0x7fff;
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Subnormal result: adding 0.5 puts the last f16 bit at the last f32 bit.
        let shifted = f32::from_bits(magnitude) + 0.5;
        return sign | (shifted.to_bits() - 0x3f00_0000) as u16;
    }
    let odd = (magnitude >> 13) & 1;
    sign | ((magnitude - (112 << 23) + 0xfff + odd) >> 13) as u16
}

/// bf16 to f32, exact; a NaN becomes the canonical f32 NaN.
#[inline]
pub fn bf16_to_f32(bits: u16) -> f32 {
    let value = f32::from_bits((bits as u32) << 16);
    if value.is_nan() { f32::from_bits(float::NAN_F32) } else { value }
}

/// f32 to bf16, to nearest even; NaN becomes `0x7fff`.
#[inline]
pub fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return 0x7fff;
    }
    ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// `cvt.{rn,rna,rz}[.relu].tf32.f32`: f32 rounded to 10 fraction bits, the other 13 zero.
/// NaN becomes `0x7fffffff`.
pub fn f32_to_tf32(x: f32, mode: Rounding) -> u32 {
    if x.is_nan() {
        return float::NAN_F32;
    }
    (soft::convert(x.to_bits() as u64, F32, TF32, mode) as u32) << 13
}

/// `a + b` in the given format and mode.
pub fn add(a: u16, b: u16, half: Half, mode: Rounding) -> u16 {
    let sum = odd_add(half.to_f32(a) as f64, half.to_f32(b) as f64, mode);
    half.from_f64(sum, mode)
}

/// `a - b` in the given format and mode.
pub fn sub(a: u16, b: u16, half: Half, mode: Rounding) -> u16 {
    add(a, b ^ 0x8000, half, mode)
}

/// `a * b` in the given format and mode.
pub fn mul(a: u16, b: u16, half: Half, mode: Rounding) -> u16 {
    half.from_f64(half.to_f32(a) as f64 * half.to_f32(b) as f64, mode)
}

/// `a * b + c` in the given format and mode, rounded once.
pub fn fma(a: u16, b: u16, c: u16, half: Half, mode: Rounding) -> u16 {
    let (a, b, c) = (half.to_f32(a), half.to_f32(b), half.to_f32(c));
    half.from_f64(odd_fma(a, b, c as f64, mode), mode)
}

/// Subnormals to zero of the same sign (`.ftz`).
#[inline]
pub fn flush(bits: u16, half: Half) -> u16 {
    let exponent = match half {
        Half::F16 => 0x7c00,
        Half::Bf16 => 0x7f80,
    };
    if bits & exponent == 0 { bits & 0x8000 } else { bits }
}

/// `.sat`: clamps to [0, 1]; NaN and everything below zero become +0.
pub fn saturate(bits: u16, half: Half) -> u16 {
    let one = match half {
        Half::F16 => 0x3c00,
        Half::Bf16 => 0x3f80,
    };
    if is_nan(bits, half) || bits & 0x8000 != 0 { 0 } else { bits.min(one) }
}

/// `.relu`: everything below zero becomes +0; NaN becomes the canonical NaN.
pub fn relu(bits: u16, half: Half) -> u16 {
    if is_nan(bits, half) {
        0x7fff
    } else if bits & 0x8000 != 0 {
        0
    } else {
        bits
    }
}

/// Whether a pattern is a NaN.
#[inline]
pub fn is_nan(bits: u16, half: Half) -> bool {
    (bits & 0x7fff) as u64 > half.format().infinity()
}

/// `neg`: flips the sign; a NaN becomes the canonical NaN.
pub fn neg(bits: u16, half: Half) -> u16 {
    if is_nan(bits, half) { 0x7fff } else { bits ^ 0x8000 }
}

/// `abs`: clears the sign; a NaN becomes the canonical NaN.
pub fn abs(bits: u16, half: Half) -> u16 {
    if is_nan(bits, half) { 0x7fff } else { bits & 0x7fff }
}

/// `min[.NaN][.xorsign.abs]`: see [`float::min_f32`].
pub fn min(a: u16, b: u16, half: Half, nan: bool, xorsign: bool) -> u16 {
    select(a, b, half, nan, xorsign, true)
}

/// `max[.NaN][.xorsign.abs]`: see [`float::max_f32`].
pub fn max(a: u16, b: u16, half: Half, nan: bool, xorsign: bool) -> u16 {
    select(a, b, half, nan, xorsign, false)
}

fn select(a: u16, b: u16, half: Half, nan: bool, xorsign: bool, least: bool) -> u16 {
    let pick = if least { float::min_f32 } else { float::max_f32 };
    let chosen = pick(half.to_f32(a), half.to_f32(b), nan, xorsign);
    // One of the operands, so the conversion back is exact.
    half.from_f32(chosen, Rounding::NearestEven)
}

/// Comparison value of a pattern, for `setp` and `set`: exact.
pub fn compare(a: u16, b: u16, half: Half) -> Option<std::cmp::Ordering> {
    half.to_f32(a).partial_cmp(&half.to_f32(b))
}

/// Applies a function to both halves of a packed pair.
#[inline]
pub fn map2(a: u32, b: u32, f: impl Fn(u16, u16) -> u16) -> u32 {
    f(a as u16, b as u16) as u32 | (f((a >> 16) as u16, (b >> 16) as u16) as u32) << 16
}

/// `fma.rn[.ftz][.sat|.relu]` on one f16 or bf16 value.
pub fn fma_rn(a: u16, b: u16, c: u16, half: Half, ftz: bool, sat: bool, to_relu: bool) -> u16 {
    let f = |x| if ftz { flush(x, half) } else { x };
    let mut d = f(fma(f(a), f(b), f(c), half, Rounding::NearestEven));
    if sat {
        d = saturate(d, half);
    }
    if to_relu {
        d = relu(d, half);
    }
    d
}

/// 8-bit formats of the tensor core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Float8 {
    /// 4 exponent and 3 fraction bits, no infinity, NaN `0x7f`.
    E4m3,
    /// 5 exponent and 2 fraction bits, IEEE-like.
    E5m2,
}

/// Value of an 8-bit pattern as f16 (exact); NaN becomes `0x7fff`.
pub fn f8_to_f16(bits: u8, format: Float8) -> u16 {
    let sign = (bits as u16 & 0x80) << 8;
    match format {
        Float8::E5m2 => {
            if bits & 0x7f > 0x7c {
                return 0x7fff;
            }
            (bits as u16) << 8
        }
        Float8::E4m3 => {
            if bits & 0x7f == 0x7f {
                return 0x7fff;
            }
            let magnitude = bits & 0x7f;
            // (magnitude as e4m3) = pattern shifted into f16 place, times 2^(15-7).
            let value = f16_to_f32((magnitude as u16) << 7) * 256.0;
            sign | f32_to_f16(value)
        }
    }
}

/// `cvt.rn.satfinite.{e4m3,e5m2}x2.f32`, one value: to nearest even, anything too large
/// (infinity included) becomes the largest finite value, NaN becomes the format's NaN.
pub fn f32_to_f8_satfinite(x: f32, format: Float8) -> u8 {
    let sign = ((x.to_bits() >> 24) & 0x80) as u8;
    if x.is_nan() {
        return 0x7f;
    }
    match format {
        Float8::E5m2 => {
            let f = Format { exponent_bits: 5, fraction_bits: 2 };
            let bits = soft::convert(x.to_bits() as u64, F32, f, Rounding::NearestEven) as u8;
            sign | (bits & 0x7f).min(0x7b)
        }
        Float8::E4m3 => {
            // The top exponent holds numbers here: round with one more exponent bit
            // (halved bias kept by scaling), then clamp at 448.
            if x.abs() >= 464.0 {
                return sign | 0x7e;
            }
            // Rounded in a format of 5 exponent bits, bias 15, after dividing by 2^8.
            let f = Format { exponent_bits: 5, fraction_bits: 3 };
            let scaled = (x / 256.0) as f64;
            let bits = soft::convert(scaled.to_bits(), F64, f, Rounding::NearestEven) as u8;
            sign | (bits & 0x7f).min(0x7e)
        }
    }
}
