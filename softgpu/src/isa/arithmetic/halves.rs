//! Arithmetic and comparison of f16, bf16 and their pairs.

use crate::isa::arithmetic::scalar::{Function, Settings};
use crate::numerics::Rounding;
use crate::numerics::half::{self, Half};
use crate::ptx::Type;

pub fn half_of(ty: Type) -> Half {
    if matches!(ty, Type::F16 | Type::F16x2) { Half::F16 } else { Half::Bf16 }
}

pub fn pair(a: u64, b: u64, c: u64, s: Settings, f: impl Fn(u16, u16, u16) -> u16) -> u64 {
    let one = |shift: u32| u64::from(f((a >> shift) as u16, (b >> shift) as u16, (c >> shift) as u16)) << shift;
    if s.from.bytes() == 4 { one(0) | one(16) } else { one(0) }
}

pub fn half_done(x: u16, s: Settings) -> u16 {
    let h = half_of(s.from);
    let x = if s.ftz { half::flush(x, h) } else { x };
    let x = if s.sat { half::saturate(x, h) } else { x };
    if s.relu { half::relu(x, h) } else { x }
}

pub fn half_in(x: u16, s: Settings) -> u16 {
    if s.ftz { half::flush(x, half_of(s.from)) } else { x }
}

/// The operation of a name on f16, bf16 and pairs of them (the type is `from`).
pub fn half_function(op: &str) -> Option<Function> {
    const RN: Rounding = Rounding::NearestEven;
    fn via(x: u16, s: Settings, f: fn(f64) -> f64) -> u16 {
        let h = half_of(s.from);
        half_done(h.from_f64(f(f64::from(h.to_f32(half_in(x, s)))), RN), s)
    }
    Some(match op {
        "add" => |a, b, c, s| {
            pair(a, b, c, s, |a, b, _| half_done(half::add(half_in(a, s), half_in(b, s), half_of(s.from), RN), s))
        },
        "sub" => |a, b, c, s| {
            pair(a, b, c, s, |a, b, _| half_done(half::sub(half_in(a, s), half_in(b, s), half_of(s.from), RN), s))
        },
        "mul" => |a, b, c, s| {
            pair(a, b, c, s, |a, b, _| half_done(half::mul(half_in(a, s), half_in(b, s), half_of(s.from), RN), s))
        },
        "fma" => |a, b, c, s| pair(a, b, c, s, |a, b, c| half::fma_rn(a, b, c, half_of(s.from), s.ftz, s.sat, s.relu)),
        "min" => |a, b, c, s| {
            pair(a, b, c, s, |a, b, _| half::min(half_in(a, s), half_in(b, s), half_of(s.from), s.nan, s.xorsign))
        },
        "max" => |a, b, c, s| {
            pair(a, b, c, s, |a, b, _| half::max(half_in(a, s), half_in(b, s), half_of(s.from), s.nan, s.xorsign))
        },
        "abs" => |a, b, c, s| pair(a, b, c, s, |a, _, _| half::abs(half_in(a, s), half_of(s.from))),
        "neg" => |a, b, c, s| pair(a, b, c, s, |a, _, _| half::neg(half_in(a, s), half_of(s.from))),
        "ex2" => |a, b, c, s| pair(a, b, c, s, |a, _, _| via(a, s, libm::exp2)),
        "tanh" => |a, b, c, s| pair(a, b, c, s, |a, _, _| via(a, s, libm::tanh)),
        _ => return None,
    })
}

/// A comparison of f16 or bf16 values (the type is `from`): 1 when it holds.
pub fn half_comparison(cmp: &str) -> Option<Function> {
    use std::cmp::Ordering::*;
    fn order(a: u64, b: u64, s: Settings) -> Option<std::cmp::Ordering> {
        half::compare(half_in(a as u16, s), half_in(b as u16, s), half_of(s.from))
    }
    Some(match cmp {
        "eq" => |a, b, _, s| u64::from(order(a, b, s) == Some(Equal)),
        "ne" => |a, b, _, s| u64::from(matches!(order(a, b, s), Some(Less | Greater))),
        "lt" => |a, b, _, s| u64::from(order(a, b, s) == Some(Less)),
        "le" => |a, b, _, s| u64::from(matches!(order(a, b, s), Some(Less | Equal))),
        "gt" => |a, b, _, s| u64::from(order(a, b, s) == Some(Greater)),
        "ge" => |a, b, _, s| u64::from(matches!(order(a, b, s), Some(Greater | Equal))),
        "equ" => |a, b, _, s| u64::from(matches!(order(a, b, s), None | Some(Equal))),
        "neu" => |a, b, _, s| u64::from(order(a, b, s) != Some(Equal)),
        "ltu" => |a, b, _, s| u64::from(matches!(order(a, b, s), None | Some(Less))),
        "leu" => |a, b, _, s| u64::from(order(a, b, s) != Some(Greater)),
        "gtu" => |a, b, _, s| u64::from(matches!(order(a, b, s), None | Some(Greater))),
        "geu" => |a, b, _, s| u64::from(order(a, b, s) != Some(Less)),
        "num" => |a, b, _, s| u64::from(order(a, b, s).is_some()),
        "nan" => |a, b, _, s| u64::from(order(a, b, s).is_none()),
        _ => return None,
    })
}
