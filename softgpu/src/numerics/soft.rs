//! Floating point in integers: exact values of any format, rounded once.
//!
//! A finite value is `(-1)^negative * magnitude * 2^exponent` with a 128-bit magnitude
//! and a sticky bit for what lies below it. The arithmetic keeps enough bits that a
//! single rounding at the end is right in every mode. This is the slow and certain path:
//! directed rounding of f64, and the yardstick the fast paths are tested against.

use super::Rounding;

/// A binary interchange format: sign, `exponent_bits`, `fraction_bits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Width of the exponent field.
    pub exponent_bits: u32,
    /// Width of the fraction field (without the hidden bit).
    pub fraction_bits: u32,
}

/// IEEE binary16.
pub const F16: Format = Format { exponent_bits: 5, fraction_bits: 10 };
/// bfloat16.
pub const BF16: Format = Format { exponent_bits: 8, fraction_bits: 7 };
/// TensorFloat-32 without its 13 padding bits: a 19-bit pattern.
pub const TF32: Format = Format { exponent_bits: 8, fraction_bits: 10 };
/// IEEE binary32.
pub const F32: Format = Format { exponent_bits: 8, fraction_bits: 23 };
/// IEEE binary64.
pub const F64: Format = Format { exponent_bits: 11, fraction_bits: 52 };

impl Format {
    /// Exponent bias, `2^(exponent_bits-1) - 1`.
    pub const fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }
    /// Pattern of 1.
    pub const fn one(self) -> u64 {
        (self.bias() as u64) << self.fraction_bits
    }
    /// Pattern of plus infinity.
    pub const fn infinity(self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }
    /// Pattern of the largest finite value.
    pub const fn max_finite(self) -> u64 {
        self.infinity() - 1
    }
    /// Pattern of the sign bit.
    pub const fn sign(self) -> u64 {
        1 << (self.exponent_bits + self.fraction_bits)
    }
    /// The NaN an operation without NaN operands produces: `0x7fffffff` for f32 and
    /// `0x7fff` for the 16-bit formats (PTX ISA), `0xfff8000000000000` for f64.
    pub const fn default_nan(self) -> u64 {
        if self.fraction_bits == 52 { 0xfff8_0000_0000_0000 } else { self.sign() - 1 }
    }
}

/// A number taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// Not a number; the bits it came from are kept for its payload.
    Nan(u64),
    /// Infinity with its sign.
    Infinity {
        /// Sign.
        negative: bool,
    },
    /// A finite number, zero included.
    Finite(Exact),
}

/// `(-1)^negative * magnitude * 2^exponent`, plus something below one unit if `sticky`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact {
    /// Sign, also of zero.
    pub negative: bool,
    /// Integer magnitude.
    pub magnitude: u128,
    /// Power of two the magnitude is multiplied by.
    pub exponent: i32,
    /// True when the true magnitude lies strictly between `magnitude` and `magnitude + 1`.
    pub sticky: bool,
}

impl Exact {
    /// Moves the highest set bit to position 125 (no change of value).
    fn normalised(self) -> Exact {
        if self.magnitude == 0 {
            return self;
        }
        let shift = self.magnitude.leading_zeros() as i32 - 2;
        debug_assert!(shift >= 0);
        Exact { magnitude: self.magnitude << shift, exponent: self.exponent - shift, ..self }
    }
}

/// Takes a pattern apart.
pub fn unpack(bits: u64, format: Format) -> Value {
    let negative = bits & format.sign() != 0;
    let fraction = bits & ((1 << format.fraction_bits) - 1);
    let field = ((bits >> format.fraction_bits) & ((1 << format.exponent_bits) - 1)) as i32;
    if field == (1 << format.exponent_bits) - 1 {
        return if fraction != 0 { Value::Nan(bits) } else { Value::Infinity { negative } };
    }
    let hidden = if field == 0 { 0 } else { 1 << format.fraction_bits };
    Value::Finite(Exact {
        negative,
        magnitude: (fraction | hidden) as u128,
        exponent: field.max(1) - format.bias() - format.fraction_bits as i32,
        sticky: false,
    })
}

/// Rounds an exact value to a format, once. Overflow gives infinity or, where the mode
/// points towards zero, the largest finite value.
pub fn round(value: Exact, format: Format, mode: Rounding) -> u64 {
    let sign = if value.negative { format.sign() } else { 0 };
    if value.magnitude == 0 {
        if !value.sticky {
            return sign;
        }
        // Less than the smallest unit of the magnitude: only a directed mode sees it.
        return sign | mode.away(value.negative, false, false, true) as u64;
    }
    let fraction_bits = format.fraction_bits as i32;
    let top = 127 - value.magnitude.leading_zeros() as i32 + value.exponent;
    let smallest = 1 - format.bias();
    // Exponent of the last kept bit: of a normal number, or of the subnormals.
    let last = top.max(smallest) - fraction_bits;
    let drop = last - value.exponent;
    let (kept, half, rest) = if drop <= 0 {
        // More bits wanted than there are; with a sticky bit the caller must have kept more.
        debug_assert!(!value.sticky || drop == 0);
        ((value.magnitude << -drop) as u64, false, value.sticky)
    } else if drop > 128 {
        (0, false, true)
    } else {
        let kept = if drop == 128 { 0 } else { (value.magnitude >> drop) as u64 };
        let half = (value.magnitude >> (drop - 1)) & 1 != 0;
        let below = value.magnitude & ((1u128 << (drop - 1)) - 1);
        (kept, half, below != 0 || value.sticky)
    };
    let up = mode.away(value.negative, kept & 1 != 0, half, rest) as u64;
    // The exponent field is added rather than or-ed: a carry out of the fraction moves it on.
    let base = ((top.max(smallest) - smallest) as u64) << format.fraction_bits;
    let bits = base + kept + up;
    if bits >= format.infinity() {
        let to_infinity = match mode {
            Rounding::NearestEven | Rounding::NearestAway => true,
            Rounding::Zero => false,
            Rounding::Down => value.negative,
            Rounding::Up => !value.negative,
        };
        return sign | if to_infinity { format.infinity() } else { format.max_finite() };
    }
    sign | bits
}

/// Exact product of two finite values (magnitudes of at most 64 bits each).
pub fn multiply_exact(a: Exact, b: Exact) -> Exact {
    Exact {
        negative: a.negative != b.negative,
        magnitude: a.magnitude * b.magnitude,
        exponent: a.exponent + b.exponent,
        sticky: false,
    }
}

/// Sum of two finite values, exact up to the sticky bit; `mode` decides the sign of an
/// exact zero (minus only when rounding down, or when both terms are minus zero).
pub fn add_exact(a: Exact, b: Exact, mode: Rounding) -> Exact {
    if a.magnitude == 0 && b.magnitude == 0 {
        let negative = if a.negative == b.negative { a.negative } else { mode == Rounding::Down };
        return Exact { negative, ..a };
    }
    if a.magnitude == 0 {
        return b;
    }
    if b.magnitude == 0 {
        return a;
    }
    let (a, b) = (a.normalised(), b.normalised());
    let (big, small) = if (a.exponent, a.magnitude) >= (b.exponent, b.magnitude) { (a, b) } else { (b, a) };
    let shift = (big.exponent - small.exponent) as u32;
    let (aligned, lost) = if shift > 127 {
        (0, true)
    } else {
        let kept = small.magnitude >> shift;
        (kept, kept << shift != small.magnitude)
    };
    if big.negative == small.negative {
        return Exact { magnitude: big.magnitude + aligned, sticky: lost, ..big };
    }
    // Below `big - aligned` by a part of a unit: one unit less and the rest is sticky.
    let magnitude = big.magnitude - aligned - lost as u128;
    if magnitude == 0 && !lost {
        return Exact { negative: mode == Rounding::Down, magnitude: 0, exponent: 0, sticky: false };
    }
    Exact { magnitude, sticky: lost, ..big }
}

/// Whether a pattern is a NaN.
#[inline]
pub fn is_nan(bits: u64, format: Format) -> bool {
    bits & (format.sign() - 1) > format.infinity()
}

/// Subnormals to zero of the same sign (`.ftz`).
#[inline]
pub fn flush(bits: u64, format: Format) -> u64 {
    if bits & format.infinity() == 0 { bits & format.sign() } else { bits }
}

/// `.sat`: clamps to [0, 1]; NaN and everything below zero become +0.
pub fn saturate(bits: u64, format: Format) -> u64 {
    if is_nan(bits, format) || bits & format.sign() != 0 { 0 } else { bits.min(format.one()) }
}

/// `.relu`: everything below zero becomes +0; NaN becomes the canonical NaN.
pub fn relu(bits: u64, format: Format) -> u64 {
    match bits {
        _ if is_nan(bits, format) => format.default_nan(),
        _ if bits & format.sign() != 0 => 0,
        _ => bits,
    }
}

/// `min` and `max`: -0 is less than +0; one NaN operand gives the other operand unless `.NaN` is asked for; with
/// `.xorsign.abs` the magnitudes are compared, and the result has the product's sign.
pub fn extremum(a: u64, b: u64, format: Format, least: bool, nan: bool, xorsign: bool) -> u64 {
    let (no_a, no_b) = (is_nan(a, format), is_nan(b, format));
    if no_a && no_b || nan && (no_a || no_b) {
        return propagate(&[a, b], format);
    }
    let magnitude = format.sign() - 1;
    let sign = (a ^ b) & format.sign();
    let (x, y) = if xorsign { (a & magnitude, b & magnitude) } else { (a, b) };
    let order = |v: u64| if v & format.sign() != 0 { !((v & magnitude) as i64) } else { v as i64 };
    let chosen = if no_b || !no_a && least == (order(x) <= order(y)) { x } else { y };
    if xorsign { chosen | sign } else { chosen }
}

/// The NaN that comes out when `operands` hold one: f64 keeps the first one's payload,
/// quiet; the narrower formats give the canonical NaN.
pub fn propagate(operands: &[u64], format: Format) -> u64 {
    if format == F64 {
        for &bits in operands {
            if let Value::Nan(bits) = unpack(bits, format) {
                return bits | (1 << 51);
            }
        }
    }
    format.default_nan()
}

/// `a * b + c` rounded once.
pub fn fma(a: u64, b: u64, c: u64, format: Format, mode: Rounding) -> u64 {
    use Value::*;
    let infinity = |negative| format.infinity() | if negative { format.sign() } else { 0 };
    match (unpack(a, format), unpack(b, format), unpack(c, format)) {
        (Nan(_), _, _) | (_, Nan(_), _) | (_, _, Nan(_)) => propagate(&[a, b, c], format),
        (Finite(x), Finite(y), Finite(z)) => round(add_exact(multiply_exact(x, y), z, mode), format, mode),
        (Finite(_), Finite(_), Infinity { .. }) => c,
        (Infinity { .. }, Finite(x), _) | (Finite(x), Infinity { .. }, _) if x.magnitude == 0 => format.default_nan(),
        (_, _, z) => {
            let negative = (a ^ b) & format.sign() != 0;
            match z {
                Infinity { negative: other } if other != negative => format.default_nan(),
                _ => infinity(negative),
            }
        }
    }
}

/// `a - b` rounded once; a NaN operand keeps its sign.
pub fn sub(a: u64, b: u64, format: Format, mode: Rounding) -> u64 {
    add(a, if is_nan(b, format) { b } else { b ^ format.sign() }, format, mode)
}

/// `a + b` rounded once.
pub fn add(a: u64, b: u64, format: Format, mode: Rounding) -> u64 {
    use Value::*;
    match (unpack(a, format), unpack(b, format)) {
        (Nan(_), _) | (_, Nan(_)) => propagate(&[a, b], format),
        (Infinity { negative: x }, Infinity { negative: y }) if x != y => format.default_nan(),
        (Infinity { .. }, _) => a,
        (_, Infinity { .. }) => b,
        (Finite(x), Finite(y)) => round(add_exact(x, y, mode), format, mode),
    }
}

/// `a * b` rounded once.
pub fn mul(a: u64, b: u64, format: Format, mode: Rounding) -> u64 {
    use Value::*;
    let sign = (a ^ b) & format.sign();
    match (unpack(a, format), unpack(b, format)) {
        (Nan(_), _) | (_, Nan(_)) => propagate(&[a, b], format),
        (Finite(x), Finite(y)) => round(multiply_exact(x, y), format, mode),
        (Infinity { .. }, Finite(x)) | (Finite(x), Infinity { .. }) if x.magnitude == 0 => format.default_nan(),
        _ => format.infinity() | sign,
    }
}

/// `a / b` rounded once.
pub fn div(a: u64, b: u64, format: Format, mode: Rounding) -> u64 {
    use Value::*;
    let sign = (a ^ b) & format.sign();
    match (unpack(a, format), unpack(b, format)) {
        (Nan(_), _) | (_, Nan(_)) => propagate(&[a, b], format),
        (Infinity { .. }, Infinity { .. }) => format.default_nan(),
        (Infinity { .. }, _) => format.infinity() | sign,
        (_, Infinity { .. }) => sign,
        (Finite(x), Finite(y)) => {
            if y.magnitude == 0 {
                return if x.magnitude == 0 { format.default_nan() } else { format.infinity() | sign };
            }
            if x.magnitude == 0 {
                return sign;
            }
            let x = x.normalised();
            // 126 bits over at most 53: a quotient of at least 73 bits.
            let quotient = x.magnitude / y.magnitude;
            let value = Exact {
                negative: sign != 0,
                magnitude: quotient,
                exponent: x.exponent - y.exponent,
                sticky: quotient * y.magnitude != x.magnitude,
            };
            round(value, format, mode)
        }
    }
}

/// Square root rounded once.
pub fn sqrt(a: u64, format: Format, mode: Rounding) -> u64 {
    use Value::*;
    match unpack(a, format) {
        Nan(_) => propagate(&[a], format),
        Finite(x) if x.magnitude == 0 => a,
        Infinity { negative: false } => a,
        Infinity { .. } => format.default_nan(),
        Finite(x) if x.negative => format.default_nan(),
        Finite(x) => {
            let mut x = x.normalised();
            if x.exponent & 1 != 0 {
                x.magnitude >>= 1; // loses nothing: at least 72 low bits are zero
                x.exponent += 1;
            }
            let root = x.magnitude.isqrt();
            let value = Exact {
                negative: false,
                magnitude: root,
                exponent: x.exponent / 2,
                sticky: root * root != x.magnitude,
            };
            round(value, format, mode)
        }
    }
}

/// Converts between formats with one rounding. A NaN becomes the canonical NaN of the
/// target (f64 keeps the payload of an f32 NaN, as widening does on the device).
pub fn convert(a: u64, from: Format, to: Format, mode: Rounding) -> u64 {
    match unpack(a, from) {
        Value::Nan(_) if to == F64 => {
            let sign = if a & from.sign() != 0 { F64.sign() } else { 0 };
            let fraction = a & ((1 << from.fraction_bits) - 1);
            sign | F64.infinity() | (1 << 51) | (fraction << (52 - from.fraction_bits))
        }
        Value::Nan(_) => to.default_nan(),
        Value::Infinity { negative } => to.infinity() | if negative { to.sign() } else { 0 },
        Value::Finite(x) => round(x, to, mode),
    }
}
