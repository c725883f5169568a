//! Conversions between all types.

use crate::isa::arithmetic::scalar::{Settings, bits, single};
use crate::numerics::half::{self, Half};
use crate::numerics::{Rounding, float, soft};
use crate::ptx::Type;

/// `cvt` between any two types with any modifiers.
pub fn convert(a: u64, _: u64, _: u64, s: Settings) -> u64 {
    if s.from.float() {
        let (value, nan) = source_value(a, s);
        if s.to.float() { float_to_float(value, nan, s) } else { float_to_integer(value, nan, s) }
    } else {
        let v = integer_value(a, s.from);
        if s.to.float() {
            let exact = soft::Exact { negative: v < 0, magnitude: v.unsigned_abs(), exponent: 0, sticky: false };
            if v == 0 { 0 } else { soft::round(exact, format(s.to), s.mode) }
        } else {
            let v = if s.sat { clamp(v, s.to) } else { v };
            v as u64 & integer_mask(s.to)
        }
    }
}

/// `cvt.x2`: `a` to the upper half, `b` to the lower.
pub fn convert_pair(a: u64, b: u64, _: u64, s: Settings) -> u64 {
    let to = if s.to == Type::F16x2 { Type::F16 } else { Type::Bf16 };
    let s = Settings { to, ..s };
    convert(a, 0, 0, s) << 16 | convert(b, 0, 0, s)
}

/// `cvt.rn.tf32.f32` and `.rna`, `.rz`.
pub fn convert_tf32(a: u64, _: u64, _: u64, s: Settings) -> u64 {
    let r = u64::from(half::f32_to_tf32(single(a), s.mode));
    if s.relu && (r >> 31 != 0 || single(r).is_nan()) {
        return if single(r).is_nan() { 0x7fff_ffff } else { 0 };
    }
    r
}

pub fn source_value(a: u64, s: Settings) -> (f64, bool) {
    let x = match s.from {
        Type::F16 => f64::from(Half::F16.to_f32(a as u16)),
        Type::Bf16 => f64::from(Half::Bf16.to_f32(a as u16)),
        Type::F32 => {
            let x = single(a);
            f64::from(if s.ftz { float::flush_f32(x) } else { x })
        }
        _ => f64::from_bits(a),
    };
    (x, x.is_nan())
}

pub fn integer_value(a: u64, ty: Type) -> i128 {
    match ty {
        Type::S8 => i128::from(a as i8),
        Type::S16 => i128::from(a as i16),
        Type::S32 => i128::from(a as i32),
        Type::S64 => i128::from(a as i64),
        _ => i128::from(a & integer_mask(ty)),
    }
}

pub fn integer_mask(ty: Type) -> u64 {
    !0 >> (64 - 8 * ty.bytes())
}

pub fn clamp(v: i128, ty: Type) -> i128 {
    let bits = 8 * ty.bytes();
    if ty.signed() { v.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { v.clamp(0, (1 << bits) - 1) }
}

pub fn to_integral(x: f64, mode: Rounding) -> f64 {
    match mode {
        Rounding::NearestEven => x.round_ties_even(),
        Rounding::NearestAway => x.round(),
        Rounding::Zero => x.trunc(),
        Rounding::Down => x.floor(),
        Rounding::Up => x.ceil(),
    }
}

pub fn float_to_integer(x: f64, nan: bool, s: Settings) -> u64 {
    if nan {
        let bits = 8 * s.to.bytes();
        return if s.from == Type::F64 || bits == 64 { 1 << (bits - 1) } else { 0 };
    }
    let r = to_integral(x, s.mode);
    // the cast saturates far beyond every integer type
    clamp(r as i128, s.to) as u64 & integer_mask(s.to)
}

pub fn format(ty: Type) -> soft::Format {
    match ty {
        Type::F16 => soft::F16,
        Type::Bf16 => soft::BF16,
        Type::F32 => soft::F32,
        _ => soft::F64,
    }
}

pub fn float_to_float(x: f64, nan: bool, s: Settings) -> u64 {
    let x = if s.integral && !nan { to_integral(x, s.mode) } else { x };
    let f = format(s.to);
    if s.sat && (nan || x <= 0.0) {
        return 0;
    }
    let x = if s.sat { x.min(1.0) } else { x };
    if s.relu && !nan && x <= 0.0 {
        return 0;
    }
    if nan && s.to == Type::F64 && s.from == Type::F32 {
        return x.to_bits();
    }
    let mut r = soft::convert(x.to_bits(), soft::F64, f, s.mode);
    if s.satfinite && !nan && r & !f.sign() >= f.infinity() {
        r = r & f.sign() | f.max_finite();
    }
    if s.ftz && s.to == Type::F32 {
        r = bits(float::flush_f32(single(r)));
    }
    r
}
