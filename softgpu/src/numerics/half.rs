//! Quick conversions between f32 and the 16-bit formats; [`soft`](super::soft) has those of every kind.

use super::float::{NAN, f, tidy};

/// f16 to f32, exact; a NaN becomes the canonical f32 NaN.
#[inline]
pub fn f16_to_f32(bits: u16) -> f32 {
    let sign = (bits as u32 & 0x8000) << 16;
    let magnitude = bits as u32 & 0x7fff;
    let value = if magnitude >= 0x7c00 {
        if magnitude > 0x7c00 {
            return f(NAN);
        }
        0x7f80_0000
    } else if magnitude >= 0x0400 {
        (magnitude << 13) + (112 << 23)
    } else {
        // A subnormal is magnitude * 2^-24, exact in f32.
        (magnitude as f32 * f(0x3380_0000)).to_bits()
    };
    f(sign | value)
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
        let shifted = f(magnitude) + 0.5;
        return sign | (shifted.to_bits() - 0x3f00_0000) as u16;
    }
    let odd = (magnitude >> 13) & 1;
    sign | ((magnitude - (112 << 23) + 0xfff + odd) >> 13) as u16
}

/// bf16 to f32, exact; a NaN becomes the canonical f32 NaN.
#[inline(always)]
pub fn bf16_to_f32(bits: u16) -> f32 {
    f(tidy(f((bits as u32) << 16)))
}

/// f32 to bf16, to nearest even; NaN becomes `0x7fff`.
#[inline(always)]
pub fn f32_to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    if bits & 0x7fff_ffff > 0x7f80_0000 { 0x7fff } else { rounded as u16 }
}
