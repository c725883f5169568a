//! The arithmetic of one element of D.
//!
//! Truncated fused dot product (MMA-Sim's T-FDPA): the products of up to L elements and the
//! accumulator are added in one step. Each term keeps its own exponent (a product's is the
//! sum of its factors', not normalised); the largest, e_max, is found, zeros counting with a
//! fixed low exponent; every term is cut towards zero to F fraction bits below 2^e_max; the
//! cut terms are added exactly; the sum is rounded once, to f32 towards zero or to f16 to
//! nearest even. A longer K is a chain of such steps. NaN is canonical and zero is plus zero.
//!
//! F, L and the exponent of zero: 24, 16 bytes, -132 (f32) or -20 (f16) on Turing, Ampere
//! and Ada; 25, 32 bytes, -133 or -21 on Hopper. f64 is a chain of fused multiply-adds in
//! ascending k. Integers are exact; the wrap or clamp happens once, at the end.
//!
//! Source: P. Xie et al., MMA-Sim (Microsoft, PyPI `mmasim` 2.1), which was made by probing
//! the hardware.

use super::super::Rounding;
use super::super::soft::{self, BF16, Exact, F16, F32, F64, Format, Value};
use super::operation::{Accumulator, Architecture, Element, Operation};

/// Parameters of the truncated fused dot product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Fraction bits kept below the largest exponent.
    pub fraction: i32,
    /// Products added in one step.
    pub length: usize,
    /// Exponent a zero term counts with.
    pub zero: i32,
}

/// The parameters of an operation on f16, bf16 or tf32.
pub fn parameters(op: &Operation) -> Parameters {
    let bytes = op.a.bits() / 8;
    let (more, terms) = match op.architecture {
        Architecture::Volta => (0, 8),
        Architecture::Hopper => (2, 32),
        _ => (1, 16),
    };
    Parameters {
        fraction: 23 + more,
        length: (terms / bytes).min(op.k),
        zero: if op.c == Accumulator::F16 { -19 } else { -131 } - more,
    }
}

/// Row-major tiles of patterns: `a` m x k, `b` k x n, `c` m x n; returns m x n.
pub fn multiply(op: &Operation, a: &[u64], b: &[u64], c: &[u64]) -> Vec<u64> {
    let mut d = Vec::with_capacity(op.m * op.n);
    for row in 0..op.m {
        for column in 0..op.n {
            let left = |k: usize| a[row * op.k + k];
            let right = |k: usize| b[k * op.n + column];
            d.push(element(op, left, right, c[row * op.n + column]));
        }
    }
    d
}

/// One element: `c + sum over k of left(k) * right(k)`.
pub fn element(op: &Operation, left: impl Fn(usize) -> u64, right: impl Fn(usize) -> u64, c: u64) -> u64 {
    match op.c {
        Accumulator::S32 => integer(op, left, right, c),
        Accumulator::F64 => (0..op.k).fold(c, |sum, k| {
            let (x, y) = (left(k), right(k));
            let fused = f64::from_bits(x).mul_add(f64::from_bits(y), f64::from_bits(sum));
            if fused.is_nan() { soft::propagate(&[x, y, sum], F64) } else { fused.to_bits() }
        }),
        Accumulator::F16 | Accumulator::F32 => {
            let parameters = parameters(op);
            let mut sum = c;
            for start in (0..op.k).step_by(parameters.length) {
                let range = start..start + parameters.length;
                let pairs = range.map(|k| (left(k), right(k)));
                sum = step(op, &parameters, pairs, sum);
            }
            sum
        }
    }
}

fn integer(op: &Operation, left: impl Fn(usize) -> u64, right: impl Fn(usize) -> u64, c: u64) -> u64 {
    let value = |bits: u64, element| match element {
        Element::S8 => bits as u8 as i8 as i64,
        _ => bits as u8 as i64,
    };
    let sum = (0..op.k).fold(c as u32 as i32 as i64, |sum, k| sum + value(left(k), op.a) * value(right(k), op.b));
    let sum = if op.saturate { sum.clamp(i32::MIN as i64, i32::MAX as i64) } else { sum };
    sum as u32 as u64
}

/// A factor or the accumulator: `significand * 2^(exponent - fraction_bits)`.
enum Term {
    Nan,
    Infinity(bool),
    Finite { significand: i64, exponent: i32, fraction_bits: i32 },
}

fn term(bits: u64, format: Format) -> Term {
    match soft::unpack(bits, format) {
        Value::Nan(_) => Term::Nan,
        Value::Infinity { negative } => Term::Infinity(negative),
        Value::Finite(Exact { negative, magnitude, exponent, .. }) => {
            let magnitude = magnitude as i64;
            Term::Finite {
                significand: if negative { -magnitude } else { magnitude },
                exponent: exponent + format.fraction_bits as i32,
                fraction_bits: format.fraction_bits as i32,
            }
        }
    }
}

fn factor(bits: u64, element: Element) -> Term {
    match element {
        Element::F16 => term(bits, F16),
        Element::Bf16 => term(bits, BF16),
        // The low 13 bits are not read: an f32 NaN whose payload lies there is infinity.
        _ => term(bits & 0xffff_e000, F32),
    }
}

fn product(a: Term, b: Term) -> Term {
    match (a, b) {
        (Term::Nan, _) | (_, Term::Nan) => Term::Nan,
        (Term::Infinity(x), Term::Infinity(y)) => Term::Infinity(x != y),
        (Term::Infinity(x), Term::Finite { significand, .. })
        | (Term::Finite { significand, .. }, Term::Infinity(x)) => match significand {
            0 => Term::Nan,
            s => Term::Infinity(x != (s < 0)),
        },
        (
            Term::Finite { significand: x, exponent: e, fraction_bits: f },
            Term::Finite { significand: y, exponent: g, fraction_bits: h },
        ) => Term::Finite { significand: x * y, exponent: e + g, fraction_bits: f + h },
    }
}

fn step(op: &Operation, parameters: &Parameters, pairs: impl Iterator<Item = (u64, u64)>, c: u64) -> u64 {
    let format = if op.c == Accumulator::F16 { F16 } else { F32 };
    let accumulator = term(c, format);
    let terms: Vec<Term> = pairs.map(|(x, y)| product(factor(x, op.a), factor(y, op.b))).chain([accumulator]).collect();

    let (mut nan, mut plus, mut minus) = (false, false, false);
    let mut largest = i32::MIN;
    for t in &terms {
        match *t {
            Term::Nan => nan = true,
            Term::Infinity(negative) => {
                minus |= negative;
                plus |= !negative;
            }
            Term::Finite { significand: 0, .. } => largest = largest.max(parameters.zero),
            Term::Finite { exponent, .. } => largest = largest.max(exponent),
        }
    }
    if nan || plus && minus {
        return format.default_nan();
    }
    if plus || minus {
        return format.infinity() | if minus { format.sign() } else { 0 };
    }

    let mut sum = 0i128;
    for t in &terms {
        if let Term::Finite { significand, exponent, fraction_bits } = *t {
            let shift = exponent - largest + parameters.fraction - fraction_bits;
            let magnitude = (significand.unsigned_abs() as i128) << 32;
            let cut = if shift < -90 {
                0
            } else if shift >= 0 {
                (magnitude << shift) >> 32
            } else {
                (magnitude >> -shift) >> 32
            };
            sum += if significand < 0 { -cut } else { cut };
        }
    }
    let exact = Exact {
        negative: sum < 0,
        magnitude: sum.unsigned_abs(),
        exponent: largest - parameters.fraction,
        sticky: false,
    };
    let bits = if format == F16 {
        soft::round(exact, F16, Rounding::NearestEven)
    } else {
        let bits = soft::round(exact, F32, Rounding::Zero);
        let top = 127 - exact.magnitude.leading_zeros() as i32 + exact.exponent;
        if sum != 0 && top > 127 {
            // Truncation, but what is too large becomes infinity.
            bits & F32.sign() | F32.infinity()
        } else {
            bits
        }
    };
    if bits == format.sign() { 0 } else { bits }
}
