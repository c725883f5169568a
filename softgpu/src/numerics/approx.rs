//! The approximate functions.
//!
//! The ISA bounds their error; the device's exact bits are not published. Here each is the
//! correctly rounded value or what the `libm` crate gives (portable code, so every host gives
//! the same bits), which the tests hold against those bounds. A program must not depend on
//! more than the bound; `softgpu/docs/numerics.md` lists both.

use super::Rounding;
use super::float::{self, canonical_f32, input};
use super::half::{self, Half};

fn output(x: f32, ftz: bool) -> f32 {
    canonical_f32(input(x, ftz))
}

/// `rcp.approx[.ftz].f32` (bound: 1 ulp).
pub fn rcp_f32(x: f32, ftz: bool) -> f32 {
    output(1.0 / input(x, ftz), ftz)
}

/// `sqrt.approx[.ftz].f32` (bound: relative 2^-23).
pub fn sqrt_f32(x: f32, ftz: bool) -> f32 {
    output(input(x, ftz).sqrt(), ftz)
}

/// `rsqrt.approx[.ftz].f32` (bound: relative 2^-22.9).
pub fn rsqrt_f32(x: f32, ftz: bool) -> f32 {
    let x = input(x, ftz);
    if x == 0.0 {
        return f32::INFINITY.copysign(x);
    }
    output((1.0 / (x as f64).sqrt()) as f32, ftz)
}

/// `div.approx[.ftz].f32` (bound: 2 ulp for 2^-126 <= |b| <= 2^126).
///
/// For |b| above 2^126 the ISA fixes the result: zero for a finite dividend, NaN for an
/// infinite one, because the device multiplies by a reciprocal that has been flushed.
pub fn div_f32(a: f32, b: f32, ftz: bool) -> f32 {
    let (a, b) = (input(a, ftz), input(b, ftz));
    let largest = f32::from_bits((126 + 127) << 23);
    if b.abs() > largest && b.is_finite() {
        return if a.is_finite() { 0.0f32.copysign(a) * 1.0f32.copysign(b) } else { f32::from_bits(float::NAN_F32) };
    }
    output(a / b, ftz)
}

/// `div.full[.ftz].f32` (bound: 2 ulp over the full range).
pub fn div_full_f32(a: f32, b: f32, ftz: bool) -> f32 {
    output(input(a, ftz) / input(b, ftz), ftz)
}

/// `sin.approx[.ftz].f32` (bound: absolute 2^-20.5 in [-2 pi, 2 pi]).
pub fn sin_f32(x: f32, ftz: bool) -> f32 {
    output(libm::sinf(input(x, ftz)), ftz)
}

/// `cos.approx[.ftz].f32` (bound: absolute 2^-20.5 in [-2 pi, 2 pi]).
pub fn cos_f32(x: f32, ftz: bool) -> f32 {
    output(libm::cosf(input(x, ftz)), ftz)
}

/// `lg2.approx[.ftz].f32` (bound: relative 2^-22, absolute 2^-22 near 1).
pub fn lg2_f32(x: f32, ftz: bool) -> f32 {
    output(libm::log2f(input(x, ftz)), ftz)
}

/// `ex2.approx[.ftz].f32` (bound: 2 ulp).
pub fn ex2_f32(x: f32, ftz: bool) -> f32 {
    output(libm::exp2f(input(x, ftz)), ftz)
}

/// `tanh.approx.f32` (bound: relative 2^-11). Subnormals are supported.
pub fn tanh_f32(x: f32) -> f32 {
    output(libm::tanhf(x), false)
}

/// `ex2.approx.{f16,ftz.bf16}` (bound: relative 2^-9.9 and 2^-7). The bf16 form flushes
/// subnormals; the f16 form keeps them unless `.ftz` is given.
pub fn ex2_half(x: u16, half: Half, ftz: bool) -> u16 {
    let flush = |x| if ftz { half::flush(x, half) } else { x };
    let y = libm::exp2(half.to_f32(flush(x)) as f64);
    flush(half.from_f64(y, Rounding::NearestEven))
}

/// `tanh.approx.{f16,bf16}` (bound: absolute 2^-10.987 and 2^-8). Subnormals are kept.
pub fn tanh_half(x: u16, half: Half) -> u16 {
    half.from_f64(libm::tanh(half.to_f32(x) as f64), Rounding::NearestEven)
}

/// `rcp.approx.ftz.f64`: reads only the upper 32 bits of its operand, writes only the upper
/// 32 of its result (20 fraction bits); subnormals are zero both ways.
pub fn rcp_f64(x: f64) -> f64 {
    let x = coarse(x);
    if x.is_nan() {
        return f64::from_bits(0x7fff_ffff_0000_0000);
    }
    coarse(1.0 / x)
}

/// `rsqrt.approx.ftz.f64`: upper halves only, as [`rcp_f64`].
pub fn rsqrt_f64_ftz(x: f64) -> f64 {
    let x = coarse(x);
    if x.is_nan() || x < 0.0 {
        return f64::from_bits(0x7fff_ffff_0000_0000);
    }
    if x == 0.0 {
        return f64::INFINITY.copysign(x);
    }
    coarse(1.0 / x.sqrt())
}

/// `rsqrt.approx.f64`: full precision, here within one unit in the last place.
pub fn rsqrt_f64(x: f64) -> f64 {
    if x == 0.0 {
        return f64::INFINITY.copysign(x);
    }
    let y = 1.0 / x.sqrt();
    if y.is_nan() && !x.is_nan() {
        return f64::from_bits(0xfff8_0000_0000_0000);
    }
    y
}

/// The upper 32 bits of an f64, subnormals flushed.
fn coarse(x: f64) -> f64 {
    let bits = x.to_bits() & 0xffff_ffff_0000_0000;
    if bits & 0x7ff0_0000_0000_0000 == 0 {
        return f64::from_bits(bits & 1 << 63);
    }
    if x.is_nan() && bits & 0x000f_ffff_ffff_ffff == 0 {
        return f64::NAN;
    }
    f64::from_bits(bits)
}
