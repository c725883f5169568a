//! Arithmetic on f32 and f64 in every rounding mode, with `.ftz` and `.sat`.
//!
//! f32 in a directed mode goes through f64: products are exact there; sums, quotients and
//! roots are kept in round-to-odd form (the last bit says "inexact"), and one rounding
//! from that gives the correct f32, because f64 has more than two bits to spare. f64 in a
//! directed mode goes through the integers of [`soft`].

use super::Rounding;
use super::soft::{self, F32, F64};

/// The NaN every f32 operation gives.
pub const NAN_F32: u32 = 0x7fff_ffff;

/// Subnormals to zero of the same sign (`.ftz`).
#[inline]
pub fn flush_f32(x: f32) -> f32 {
    if x.to_bits() & 0x7f80_0000 == 0 { f32::from_bits(x.to_bits() & 0x8000_0000) } else { x }
}

/// `.sat`: clamps to [0, 1]; NaN and everything below zero become +0.
#[inline]
pub fn saturate_f32(x: f32) -> f32 {
    if x > 0.0 { x.min(1.0) } else { 0.0 }
}

/// Replaces any NaN by the canonical one.
#[inline]
pub fn canonical_f32(x: f32) -> f32 {
    // On bits: a choice between two NaN values is one the compiler may drop.
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7fff_ffff > 0x7f80_0000 { NAN_F32 } else { bits })
}

/// Makes an inexact nearest result odd: `result` is the nearest f64 and `error` the exact
/// value minus it.
#[inline]
fn to_odd(result: f64, error: f64) -> f64 {
    let bits = result.to_bits();
    // An infinite or NaN result has no meaningful error; an exact one needs nothing.
    if error == 0.0 || !error.is_finite() || !result.is_finite() || bits & 1 != 0 {
        return result;
    }
    // Step towards the exact value: to a larger magnitude if the signs agree.
    if (error > 0.0) == (result > 0.0) { f64::from_bits(bits + 1) } else { f64::from_bits(bits - 1) }
}

/// `a + b` rounded to odd in f64; the sign of an exact zero follows `mode`.
#[inline]
pub fn odd_add(a: f64, b: f64, mode: Rounding) -> f64 {
    let sum = a + b;
    if sum == 0.0 {
        return zero_sum(a, b, mode);
    }
    let b_part = sum - a;
    let a_part = sum - b_part;
    to_odd(sum, (a - a_part) + (b - b_part))
}

/// Zero from an exact cancellation: minus only when rounding down.
#[inline]
fn zero_sum(a: f64, b: f64, mode: Rounding) -> f64 {
    if a == 0.0 && a.to_bits() == b.to_bits() {
        a
    } else if mode == Rounding::Down {
        -0.0
    } else {
        0.0
    }
}

/// `a * b + c` rounded to odd in f64, for f32-sized factors (their product is exact).
#[inline]
pub fn odd_fma(a: f32, b: f32, c: f64, mode: Rounding) -> f64 {
    odd_add(a as f64 * b as f64, c, mode)
}

/// Rounds an f64 that carries an exact or odd-rounded value to f32.
#[inline]
fn narrow(x: f64, mode: Rounding) -> f32 {
    if mode == Rounding::NearestEven {
        return canonical_f32(x as f32);
    }
    f32::from_bits(soft::convert(x.to_bits(), F64, F32, mode) as u32)
}

fn finish(x: f32, ftz: bool, sat: bool) -> f32 {
    let x = if ftz { flush_f32(x) } else { x };
    if sat { saturate_f32(x) } else { x }
}

fn input(x: f32, ftz: bool) -> f32 {
    if ftz { flush_f32(x) } else { x }
}

/// `add.{rn,rz,rm,rp}[.ftz][.sat].f32`.
pub fn add_f32(a: f32, b: f32, mode: Rounding, ftz: bool, sat: bool) -> f32 {
    let (a, b) = (input(a, ftz), input(b, ftz));
    let sum = if mode == Rounding::NearestEven {
        canonical_f32(a + b)
    } else {
        narrow(odd_add(a as f64, b as f64, mode), mode)
    };
    finish(sum, ftz, sat)
}

/// `sub.{rn,rz,rm,rp}[.ftz][.sat].f32`.
pub fn sub_f32(a: f32, b: f32, mode: Rounding, ftz: bool, sat: bool) -> f32 {
    add_f32(a, -b, mode, ftz, sat)
}

/// `mul.{rn,rz,rm,rp}[.ftz][.sat].f32`.
pub fn mul_f32(a: f32, b: f32, mode: Rounding, ftz: bool, sat: bool) -> f32 {
    let (a, b) = (input(a, ftz), input(b, ftz));
    finish(narrow(a as f64 * b as f64, mode), ftz, sat)
}

/// `fma.{rn,rz,rm,rp}[.ftz][.sat].f32`: `a * b + c` rounded once.
pub fn fma_f32(a: f32, b: f32, c: f32, mode: Rounding, ftz: bool, sat: bool) -> f32 {
    let (a, b, c) = (input(a, ftz), input(b, ftz), input(c, ftz));
    let sum = if mode == Rounding::NearestEven {
        canonical_f32(a.mul_add(b, c))
    } else {
        narrow(odd_fma(a, b, c as f64, mode), mode)
    };
    finish(sum, ftz, sat)
}

/// `div.{rn,rz,rm,rp}[.ftz].f32`.
pub fn div_f32(a: f32, b: f32, mode: Rounding, ftz: bool) -> f32 {
    let (a, b) = (input(a, ftz), input(b, ftz));
    if mode == Rounding::NearestEven {
        return finish(canonical_f32(a / b), ftz, false);
    }
    let (x, y) = (a as f64, b as f64);
    let quotient = x / y;
    // Exact: the remainder of a division is representable with a fused multiply-add.
    let remainder = (-quotient).mul_add(y, x);
    let error = if remainder == 0.0 { 0.0 } else { remainder / y };
    finish(narrow(to_odd(quotient, error), mode), ftz, false)
}

/// `rcp.{rn,rz,rm,rp}[.ftz].f32`.
pub fn rcp_f32(a: f32, mode: Rounding, ftz: bool) -> f32 {
    div_f32(1.0, a, mode, ftz)
}

/// `sqrt.{rn,rz,rm,rp}[.ftz].f32`.
pub fn sqrt_f32(a: f32, mode: Rounding, ftz: bool) -> f32 {
    let a = input(a, ftz);
    if mode == Rounding::NearestEven {
        return finish(canonical_f32(a.sqrt()), ftz, false);
    }
    let x = a as f64;
    let root = x.sqrt();
    let remainder = (-root).mul_add(root, x);
    finish(narrow(to_odd(root, remainder), mode), ftz, false)
}

/// `min[.ftz][.NaN][.xorsign.abs].f32`: -0 is less than +0; one NaN operand gives the
/// other operand unless `.NaN` is asked for; with `.xorsign.abs` the smaller magnitude
/// with the product's sign.
#[inline]
pub fn min_f32(a: f32, b: f32, nan: bool, xorsign: bool) -> f32 {
    extremum_f32(a, b, nan, xorsign, true)
}

/// `max[.ftz][.NaN][.xorsign.abs].f32`: as [`min_f32`], the larger.
#[inline]
pub fn max_f32(a: f32, b: f32, nan: bool, xorsign: bool) -> f32 {
    extremum_f32(a, b, nan, xorsign, false)
}

#[inline]
fn extremum_f32(a: f32, b: f32, nan: bool, xorsign: bool, least: bool) -> f32 {
    if nan && (a.is_nan() || b.is_nan()) {
        return f32::from_bits(NAN_F32);
    }
    let sign = (a.to_bits() ^ b.to_bits()) & 0x8000_0000;
    let (x, y) = if xorsign { (a.abs(), b.abs()) } else { (a, b) };
    let chosen = if x.is_nan() {
        canonical_f32(y)
    } else if y.is_nan() || least == (total_order_f32(x) <= total_order_f32(y)) {
        x
    } else {
        y
    };
    if xorsign && !chosen.is_nan() { f32::from_bits(chosen.to_bits() | sign) } else { chosen }
}

/// Integer that orders as the floats do, with -0 below +0.
#[inline]
fn total_order_f32(x: f32) -> i32 {
    let bits = x.to_bits() as i32;
    bits ^ (((bits >> 31) as u32) >> 1) as i32
}

/// NaN rule of f64: the first NaN operand, quiet, or the default NaN.
fn nan_f64(operands: &[f64]) -> f64 {
    for x in operands {
        if x.is_nan() {
            return f64::from_bits(x.to_bits() | 1 << 51);
        }
    }
    f64::from_bits(F64.default_nan())
}

/// The host's result to nearest with the device's NaN, or in other modes what integers give.
fn rounded_f64(nearest: f64, operands: &[f64], mode: Rounding, directed: impl Fn() -> u64) -> f64 {
    if mode != Rounding::NearestEven {
        f64::from_bits(directed())
    } else if nearest.is_nan() {
        nan_f64(operands)
    } else {
        nearest
    }
}

/// `add.{rn,rz,rm,rp}.f64`.
pub fn add_f64(a: f64, b: f64, mode: Rounding) -> f64 {
    rounded_f64(a + b, &[a, b], mode, || soft::add(a.to_bits(), b.to_bits(), F64, mode))
}

/// `sub.{rn,rz,rm,rp}.f64`. A NaN operand keeps its sign.
pub fn sub_f64(a: f64, b: f64, mode: Rounding) -> f64 {
    add_f64(a, if b.is_nan() { b } else { -b }, mode)
}

/// `mul.{rn,rz,rm,rp}.f64`.
pub fn mul_f64(a: f64, b: f64, mode: Rounding) -> f64 {
    rounded_f64(a * b, &[a, b], mode, || soft::mul(a.to_bits(), b.to_bits(), F64, mode))
}

/// `fma.{rn,rz,rm,rp}.f64`: `a * b + c` rounded once.
pub fn fma_f64(a: f64, b: f64, c: f64, mode: Rounding) -> f64 {
    rounded_f64(a.mul_add(b, c), &[a, b, c], mode, || soft::fma(a.to_bits(), b.to_bits(), c.to_bits(), F64, mode))
}

/// `div.{rn,rz,rm,rp}.f64`.
pub fn div_f64(a: f64, b: f64, mode: Rounding) -> f64 {
    rounded_f64(a / b, &[a, b], mode, || soft::div(a.to_bits(), b.to_bits(), F64, mode))
}

/// `rcp.{rn,rz,rm,rp}.f64`.
pub fn rcp_f64(a: f64, mode: Rounding) -> f64 {
    div_f64(1.0, a, mode)
}

/// `sqrt.{rn,rz,rm,rp}.f64`.
pub fn sqrt_f64(a: f64, mode: Rounding) -> f64 {
    rounded_f64(a.sqrt(), &[a], mode, || soft::sqrt(a.to_bits(), F64, mode))
}

/// `min.f64`: -0 is less than +0; one NaN operand gives the other; two give a NaN.
pub fn min_f64(a: f64, b: f64) -> f64 {
    extremum_f64(a, b, true)
}

/// `max.f64`: as [`min_f64`], the larger.
pub fn max_f64(a: f64, b: f64) -> f64 {
    extremum_f64(a, b, false)
}

fn extremum_f64(a: f64, b: f64, least: bool) -> f64 {
    let order = |x: f64| {
        let bits = x.to_bits() as i64;
        bits ^ (((bits >> 63) as u64) >> 1) as i64
    };
    match (a.is_nan(), b.is_nan()) {
        (true, true) => nan_f64(&[a]),
        (true, false) => b,
        (false, true) => a,
        _ if least == (order(a) <= order(b)) => a,
        _ => b,
    }
}

/// `testp.finite|infinite|number|notanumber|normal|subnormal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TestProperty {
    /// Not infinite and not NaN.
    Finite,
    /// Plus or minus infinity.
    Infinite,
    /// Not NaN.
    Number,
    /// NaN.
    NotANumber,
    /// Finite and not subnormal; the ISA counts both zeros as normal.
    Normal,
    /// Subnormal; zero is not.
    Subnormal,
}

/// `testp` on an f64; an f32 operand is tested by its own category with [`testp_f32`].
pub fn testp_f64(x: f64, property: TestProperty) -> bool {
    match property {
        TestProperty::Finite => x.is_finite(),
        TestProperty::Infinite => x.is_infinite(),
        TestProperty::Number => !x.is_nan(),
        TestProperty::NotANumber => x.is_nan(),
        TestProperty::Normal => x.is_normal() || x == 0.0,
        TestProperty::Subnormal => x.is_subnormal(),
    }
}

/// `testp` on an f32.
pub fn testp_f32(x: f32, property: TestProperty) -> bool {
    match property {
        TestProperty::Normal => x.is_normal() || x == 0.0,
        TestProperty::Subnormal => x.is_subnormal(),
        _ => testp_f64(x as f64, property),
    }
}
