//! The approximate functions that are more than a call of `libm`.
//!
//! The ISA bounds their error; the device's exact bits are not published. Here each is the
//! correctly rounded value or what the `libm` crate gives (portable code, so every host gives
//! the same bits), which the tests hold against those bounds. A program must not depend on
//! more than the bound; `docs/numerics.md` lists both.

/// `rsqrt.approx[.ftz].f32` (bound: relative 2^-22.9).
pub fn rsqrt_f32(x: f32) -> f32 {
    if x == 0.0 { f32::INFINITY.copysign(x) } else { (1.0 / (x as f64).sqrt()) as f32 }
}

/// `rcp.approx.ftz.f64`: reads only the upper 32 bits of its operand, writes only the upper
/// 32 of its result (20 fraction bits); subnormals are zero both ways.
pub fn rcp_f64(x: f64) -> f64 {
    let x = coarse(x);
    if x.is_nan() { COARSE_NAN } else { coarse(1.0 / x) }
}

/// `rsqrt.approx.ftz.f64`: upper halves only, as [`rcp_f64`].
pub fn rsqrt_f64_ftz(x: f64) -> f64 {
    let x = coarse(x);
    match x {
        _ if x.is_nan() || x < 0.0 => COARSE_NAN,
        0.0 => f64::INFINITY.copysign(x),
        _ => coarse(1.0 / x.sqrt()),
    }
}

/// `rsqrt.approx.f64`: full precision, here within one unit in the last place.
pub fn rsqrt_f64(x: f64) -> f64 {
    match x {
        0.0 => f64::INFINITY.copysign(x),
        _ if x < 0.0 => f64::from_bits(0xfff8_0000_0000_0000),
        _ => 1.0 / x.sqrt(),
    }
}

const COARSE_NAN: f64 = f64::from_bits(0x7fff_ffff_0000_0000);

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
