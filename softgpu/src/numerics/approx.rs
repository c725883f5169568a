//! The approximate functions.
//!
//! The ISA bounds their error; the device's exact bits are not published. Here each is the
//! correctly rounded value or what the `libm` crate gives (portable code, so every host gives
//! the same bits), which the tests hold against those bounds. A program must not depend on
//! more than the bound; `softgpu/docs/numerics.md` lists both.

use super::float::{canonical_f32, flush_f32};

fn input(x: f32, ftz: bool) -> f32 {
    if ftz { flush_f32(x) } else { x }
}

fn output(x: f32, ftz: bool) -> f32 {
    canonical_f32(if ftz { flush_f32(x) } else { x })
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
