//! Conversions between all types.

use crate::isa::arithmetic::scalar::{Settings, format};
use crate::numerics::soft::{self, F32, F64, TF32};
use crate::numerics::{Rounding, soft::is_nan};
use crate::ptx::Type;

/// `cvt` between any two types with any modifiers.
pub fn convert(a: u64, _: u64, _: u64, s: Settings) -> u64 {
    match (s.from.float(), s.to.float()) {
        (true, true) => float_to_float(a, s),
        (true, false) => float_to_integer(a, s),
        (false, float) => {
            let v = integer_value(a, s.from);
            if float {
                let exact = soft::Exact { negative: v < 0, magnitude: v.unsigned_abs(), exponent: 0, sticky: false };
                return saturated(soft::round(exact, format(s.to), s.mode), s);
            }
            let v = if s.sat { clamp(v, s.to) } else { v };
            v as u64 & integer_mask(s.to)
        }
    }
}

/// `cvt.x2`: `a` to the upper half, `b` to the lower.
pub fn convert_pair(a: u64, b: u64, _: u64, s: Settings) -> u64 {
    let s = Settings { to: if s.to == Type::F16x2 { Type::F16 } else { Type::Bf16 }, ..s };
    convert(a, 0, 0, s) << 16 | convert(b, 0, 0, s)
}

/// `cvt.rn.tf32.f32` and `.rna`, `.rz`: 10 fraction bits, the other 13 zero.
pub fn convert_tf32(a: u64, _: u64, _: u64, s: Settings) -> u64 {
    let r = if is_nan(a, F32) { F32.default_nan() } else { soft::convert(a, F32, TF32, s.mode) << 13 };
    if s.relu { soft::relu(r, F32) } else { r }
}

fn integer_value(a: u64, ty: Type) -> i128 {
    match ty {
        Type::S8 => i128::from(a as i8),
        Type::S16 => i128::from(a as i16),
        Type::S32 => i128::from(a as i32),
        Type::S64 => i128::from(a as i64),
        _ => i128::from(a & integer_mask(ty)),
    }
}

fn integer_mask(ty: Type) -> u64 {
    !0 >> (64 - 8 * ty.bytes())
}

fn clamp(v: i128, ty: Type) -> i128 {
    let bits = 8 * ty.bytes();
    if ty.signed() { v.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { v.clamp(0, (1 << bits) - 1) }
}

fn to_integral(x: f64, mode: Rounding) -> f64 {
    match mode {
        Rounding::NearestEven => x.round_ties_even(),
        Rounding::NearestAway => x.round(),
        Rounding::Zero => x.trunc(),
        Rounding::Down => x.floor(),
        Rounding::Up => x.ceil(),
    }
}

/// The value of a source, exact.
fn source(a: u64, s: Settings) -> u64 {
    match s.from {
        Type::F64 => a,
        Type::F32 if s.ftz => soft::convert(soft::flush(a, F32), F32, F64, s.mode),
        Type::F32 => soft::convert(a, F32, F64, s.mode),
        // by way of f32, where a NaN becomes the canonical one
        from => soft::convert(soft::convert(a, format(from), F32, s.mode), F32, F64, s.mode),
    }
}

fn float_to_integer(a: u64, s: Settings) -> u64 {
    let x = f64::from_bits(source(a, s));
    if x.is_nan() {
        let bits = 8 * s.to.bytes();
        return if s.from == Type::F64 || bits == 64 { 1 << (bits - 1) } else { 0 };
    }
    // the cast saturates far beyond every integer type
    clamp(to_integral(x, s.mode) as i128, s.to) as u64 & integer_mask(s.to)
}

fn float_to_float(a: u64, s: Settings) -> u64 {
    let (x, to) = (source(a, s), format(s.to));
    let whole = s.integral && !is_nan(x, F64);
    let x = if whole { to_integral(f64::from_bits(x), s.mode).to_bits() } else { x };
    let r = soft::convert(x, F64, to, s.mode);
    let finite = s.satfinite && !is_nan(r, to) && r & !to.sign() == to.infinity();
    let r = if finite { r & to.sign() | to.max_finite() } else { r };
    saturated(if s.ftz && to == F32 { soft::flush(r, to) } else { r }, s)
}

/// A result with `.sat` and `.relu`.
fn saturated(r: u64, s: Settings) -> u64 {
    let to = format(s.to);
    let r = if s.sat { soft::saturate(r, to) } else { r };
    if s.relu { soft::relu(r, to) } else { r }
}
