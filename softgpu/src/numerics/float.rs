//! Single precision on the bits of lanes, written so that loops over them become vectors.

/// The NaN every operation on f32 gives.
pub const NAN: u32 = 0x7fff_ffff;

/// The value of a pattern.
#[inline(always)]
pub fn f(a: u32) -> f32 {
    f32::from_bits(a)
}

/// The pattern of a result; any NaN is the canonical one.
#[inline(always)]
pub fn tidy(x: f32) -> u32 {
    if x.is_nan() { NAN } else { x.to_bits() }
}

/// Subnormal operands become zeros of their sign.
#[inline(always)]
pub fn flush(a: u32) -> u32 {
    if a & 0x7f80_0000 == 0 { a & 0x8000_0000 } else { a }
}

/// Subnormal results become zeros of their sign.
#[inline(always)]
pub fn flush_out(x: f32) -> u32 {
    flush(tidy(x))
}

/// Clamped to 0 and 1; NaN becomes 0.
#[inline(always)]
pub fn saturate(x: f32) -> u32 {
    if x > 0.0 { x.min(1.0).to_bits() } else { 0 }
}

/// `div.approx`: for a divisor between 2^126 and infinity the result is a zero, or NaN when the dividend
/// is infinite (PTX ISA: the device multiplies by a reciprocal that has been flushed).
#[inline(always)]
pub fn approximate_quotient(a: u32, b: u32, quotient: f32) -> u32 {
    let size = b & 0x7fff_ffff;
    let (huge, dividend) = (size > 0x7e80_0000 && size < 0x7f80_0000, a & 0x7fff_ffff);
    let flushed = if dividend >= 0x7f80_0000 { NAN } else { (a ^ b) & 0x8000_0000 };
    if huge { flushed } else { tidy(quotient) }
}

#[inline(always)]
fn order(a: u32) -> i32 {
    let a = a as i32;
    a ^ ((a >> 31) as u32 >> 1) as i32
}

#[inline(always)]
fn extremum(a: u32, b: u32, first: bool, nan: bool) -> u32 {
    let (a_nan, b_nan) = (f(a).is_nan(), f(b).is_nan());
    let pick = if first { a } else { b };
    let one = if a_nan { b } else { pick };
    let one = if b_nan { a } else { one };
    let none = if nan { a_nan | b_nan } else { a_nan & b_nan };
    if none { NAN } else { one }
}

/// `min`: a NaN operand counts for nothing, or decides (`.NaN`); -0 is less than +0.
#[inline(always)]
pub fn least(a: u32, b: u32, nan: bool) -> u32 {
    extremum(a, b, order(a) <= order(b), nan)
}

/// `max`, likewise.
#[inline(always)]
pub fn most(a: u32, b: u32, nan: bool) -> u32 {
    extremum(a, b, order(a) >= order(b), nan)
}
