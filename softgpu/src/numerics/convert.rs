//! `cvt`: conversion between every pair of types.
//!
//! Values are `u64` holding the low bits of the source type; results hold the low bits of
//! the destination type. Widening the result to a larger register is [`extend`].

use super::Rounding;
use super::float;
use super::half::{self, Half};
use super::integer::{mask, signed};
use super::soft::{self, BF16, Exact, F16, F32, F64, Format};

/// A type `cvt` reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// Unsigned integer of 8, 16, 32 or 64 bits.
    Unsigned(u32),
    /// Signed integer of 8, 16, 32 or 64 bits.
    Signed(u32),
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

impl Type {
    /// Width in bits.
    pub const fn bits(self) -> u32 {
        match self {
            Type::Unsigned(bits) | Type::Signed(bits) => bits,
            Type::F16 | Type::Bf16 => 16,
            Type::F32 => 32,
            Type::F64 => 64,
        }
    }
    /// The floating-point format, if it is one.
    pub const fn format(self) -> Option<Format> {
        match self {
            Type::F16 => Some(F16),
            Type::Bf16 => Some(BF16),
            Type::F32 => Some(F32),
            Type::F64 => Some(F64),
            _ => None,
        }
    }
}

/// Modifiers of a `cvt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modifiers {
    /// `.rn .rz .rm .rp` or, with `integer`, `.rni .rzi .rmi .rpi`.
    pub rounding: Option<Rounding>,
    /// The rounding is to an integer value (`.rni` ...).
    pub integer: bool,
    /// `.ftz`: f32 subnormals, read or written, become zero.
    pub ftz: bool,
    /// `.sat`: integers clamp to the destination's range, floats to [0, 1].
    pub sat: bool,
}

/// Converts one value. Float to integer always clamps to the destination's range; NaN gives
/// 0, or only the top bit set when the source is f64 or the destination has 64 bits.
pub fn cvt(value: u64, from: Type, to: Type, modifiers: Modifiers) -> u64 {
    let mode = modifiers.rounding.unwrap_or(Rounding::NearestEven);
    match (from.format(), to.format()) {
        (None, None) => integer_to_integer(value, from, to, modifiers.sat),
        (None, Some(format)) => {
            let bits = integer_to_float(value, from, format, mode);
            finish(bits, to, modifiers)
        }
        (Some(_), None) => {
            let x = to_f64(flush_input(value, from, modifiers.ftz), from);
            // Without a modifier the ISA has no default: the parser demands one.
            let mode = modifiers.rounding.unwrap_or(Rounding::Zero);
            float_to_integer(x, from, to, mode)
        }
        (Some(source), Some(target)) => {
            let value = flush_input(value, from, modifiers.ftz);
            let value = if modifiers.integer { round_to_integral(value, from, mode) } else { value };
            let bits = if from == to {
                if soft_is_nan(value, source) && to != Type::F64 {
                    target.default_nan()
                } else {
                    value & mask(from.bits())
                }
            } else {
                float_to_float(value, from, to, mode)
            };
            finish(bits, to, modifiers)
        }
    }
}

/// Extends a result to a register of more bits: by sign for signed types, else by zeros.
pub fn extend(value: u64, of: Type) -> u64 {
    match of {
        Type::Signed(bits) => signed(value, bits) as u64,
        _ => value & mask(of.bits()),
    }
}

fn soft_is_nan(value: u64, format: Format) -> bool {
    value & (format.sign() - 1) > format.infinity()
}

fn flush_input(value: u64, from: Type, ftz: bool) -> u64 {
    if from == Type::F32 { float::input(f32::from_bits(value as u32), ftz).to_bits() as u64 } else { value }
}

fn finish(bits: u64, to: Type, modifiers: Modifiers) -> u64 {
    match to {
        Type::F32 => float::finish(f32::from_bits(bits as u32), modifiers.ftz, modifiers.sat).to_bits() as u64,
        Type::F64 if modifiers.sat => float::saturate_f64(f64::from_bits(bits)).to_bits(),
        Type::F16 if modifiers.sat => half::saturate(bits as u16, Half::F16) as u64,
        Type::Bf16 if modifiers.sat => half::saturate(bits as u16, Half::Bf16) as u64,
        _ => bits,
    }
}

/// Integer value of the low bits of a pattern.
fn integer_value(value: u64, from: Type) -> i128 {
    match from {
        Type::Signed(bits) => signed(value, bits) as i128,
        _ => (value & mask(from.bits())) as i128,
    }
}

fn integer_to_integer(value: u64, from: Type, to: Type, sat: bool) -> u64 {
    let value = integer_value(value, from);
    let value = if sat {
        let (low, high) = integer_range(to);
        value.clamp(low, high)
    } else {
        value
    };
    value as u64 & mask(to.bits())
}

/// Smallest and largest value of an integer type.
fn integer_range(of: Type) -> (i128, i128) {
    match of {
        Type::Signed(bits) => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
        _ => (0, mask(of.bits()) as i128),
    }
}

fn integer_to_float(value: u64, from: Type, format: Format, mode: Rounding) -> u64 {
    let value = integer_value(value, from);
    if mode == Rounding::NearestEven && format == F32 {
        return (value as f32).to_bits() as u64;
    }
    if mode == Rounding::NearestEven && format == F64 {
        return (value as f64).to_bits();
    }
    let exact = Exact { negative: value < 0, magnitude: value.unsigned_abs(), exponent: 0, sticky: false };
    soft::round(exact, format, mode)
}

/// Any of the formats as f64, exact.
fn to_f64(value: u64, from: Type) -> f64 {
    match from {
        Type::F16 => half::f16_to_f32(value as u16) as f64,
        Type::Bf16 => half::bf16_to_f32(value as u16) as f64,
        Type::F32 => f32::from_bits(value as u32) as f64,
        _ => f64::from_bits(value),
    }
}

/// Rounds to an integer value in the given mode; infinities and NaN stay.
fn integral(x: f64, mode: Rounding) -> f64 {
    match mode {
        Rounding::NearestEven => x.round_ties_even(),
        Rounding::NearestAway => x.round(),
        Rounding::Zero => x.trunc(),
        Rounding::Down => x.floor(),
        Rounding::Up => x.ceil(),
    }
}

fn float_to_integer(x: f64, from: Type, to: Type, mode: Rounding) -> u64 {
    let bits = to.bits();
    if x.is_nan() {
        return if from == Type::F64 || bits == 64 { 1 << (bits - 1) } else { 0 };
    }
    let x = integral(x, mode);
    // `as` clamps to the range of i128, which holds every destination.
    let (low, high) = integer_range(to);
    (x as i128).clamp(low, high) as u64 & mask(bits)
}

fn round_to_integral(value: u64, of: Type, mode: Rounding) -> u64 {
    let x = integral(to_f64(value, of), mode);
    match of {
        // The result has at most as many significant bits as the operand: exact.
        Type::F16 => Half::F16.from_f64(x, Rounding::NearestEven) as u64,
        Type::Bf16 => Half::Bf16.from_f64(x, Rounding::NearestEven) as u64,
        Type::F32 => float::canonical_f32(x as f32).to_bits() as u64,
        _ => x.to_bits(),
    }
}

fn float_to_float(value: u64, from: Type, to: Type, mode: Rounding) -> u64 {
    let nearest = mode == Rounding::NearestEven;
    match (from, to) {
        (Type::F16, Type::F32) => half::f16_to_f32(value as u16).to_bits() as u64,
        (Type::Bf16, Type::F32) => half::bf16_to_f32(value as u16).to_bits() as u64,
        (Type::F32, Type::F16) if nearest => half::f32_to_f16(f32::from_bits(value as u32)) as u64,
        (Type::F32, Type::Bf16) if nearest => half::f32_to_bf16(f32::from_bits(value as u32)) as u64,
        _ => match (from.format(), to.format()) {
            (Some(source), Some(target)) => soft::convert(value, source, target, mode),
            _ => value,
        },
    }
}

/// `cvt.{rn,rz}[.relu][.satfinite].{f16,bf16}.f32`, one value.
pub fn f32_to_half(x: f32, to: Half, mode: Rounding, relu: bool, satfinite: bool) -> u16 {
    let mut bits = to.from_f32(x, mode);
    if satfinite && !half::is_nan(bits, to) {
        bits = bits & 0x8000 | (bits & 0x7fff).min(to.format().max_finite() as u16);
    }
    if relu {
        bits = half::relu(bits, to);
    }
    bits
}

/// `cvt.{rn,rz}[.relu][.satfinite].{f16x2,bf16x2}.f32 d, a, b`: `a` in the upper half.
pub fn f32_to_half2(a: f32, b: f32, to: Half, mode: Rounding, relu: bool, satfinite: bool) -> u32 {
    let upper = f32_to_half(a, to, mode, relu, satfinite) as u32;
    upper << 16 | f32_to_half(b, to, mode, relu, satfinite) as u32
}

/// `cvt.{rn,rz,rna}[.relu][.satfinite].tf32.f32`: an f32 pattern whose low 13 bits are zero.
pub fn f32_to_tf32(x: f32, mode: Rounding, relu: bool, satfinite: bool) -> u32 {
    let mut bits = half::f32_to_tf32(x, mode);
    if x.is_nan() {
        return bits;
    }
    if satfinite {
        bits = bits & 0x8000_0000 | (bits & 0x7fff_ffff).min(0x7f7f_e000);
    }
    if relu && bits & 0x8000_0000 != 0 {
        bits = 0;
    }
    bits
}
