//! Comparisons (`setp`, `set`) and tests of floats (`testp`).

use crate::isa::arithmetic::alu::{Choice, Combine, Comparison, Outcome, Select, Third, pred2};
use crate::isa::arithmetic::integers::integers;
use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, row};
use crate::machine::operand::PredDst;
use crate::machine::program::Class;
use crate::numerics::float::{f, flush};
use crate::numerics::half;
use crate::numerics::soft::{self, BF16, F16, F32};
use crate::ptx::{Operand, Type};

/// A comparison of floats, which `$value` makes of the lanes' bits.
macro_rules! floats {
    ($cmp:expr, $bits:ty, $value:path) => {
        match $cmp {
            "eq" => Some(pred2(|a: $bits, b: $bits| $value(a) == $value(b))),
            "ne" => Some(pred2(|a: $bits, b: $bits| $value(a) < $value(b) || $value(a) > $value(b))),
            "lt" => Some(pred2(|a: $bits, b: $bits| $value(a) < $value(b))),
            "le" => Some(pred2(|a: $bits, b: $bits| $value(a) <= $value(b))),
            "gt" => Some(pred2(|a: $bits, b: $bits| $value(a) > $value(b))),
            "ge" => Some(pred2(|a: $bits, b: $bits| $value(a) >= $value(b))),
            "equ" => Some(pred2(|a: $bits, b: $bits| !($value(a) < $value(b) || $value(a) > $value(b)))),
            "neu" => Some(pred2(|a: $bits, b: $bits| $value(a) != $value(b))),
            "ltu" => Some(pred2(|a: $bits, b: $bits| !($value(a) >= $value(b)))),
            "leu" => Some(pred2(|a: $bits, b: $bits| !($value(a) > $value(b)))),
            "gtu" => Some(pred2(|a: $bits, b: $bits| !($value(a) <= $value(b)))),
            "geu" => Some(pred2(|a: $bits, b: $bits| !($value(a) < $value(b)))),
            "num" => Some(pred2(|a: $bits, b: $bits| !$value(a).is_nan() && !$value(b).is_nan())),
            "nan" => Some(pred2(|a: $bits, b: $bits| $value(a).is_nan() || $value(b).is_nan())),
            _ => None,
        }
    };
}

/// A test of a float, which `$value` makes of the lanes' bits; both zeros are normal.
macro_rules! tests {
    ($property:expr, $bits:ty, $value:path) => {
        match $property {
            "finite" => pred2(|a: $bits, _| $value(a).is_finite()),
            "infinite" => pred2(|a: $bits, _| $value(a).is_infinite()),
            "number" => pred2(|a: $bits, _| !$value(a).is_nan()),
            "notanumber" => pred2(|a: $bits, _| $value(a).is_nan()),
            "normal" => pred2(|a: $bits, _| $value(a).is_normal() || $value(a) == 0.0),
            _ => pred2(|a: $bits, _| $value(a).is_subnormal()),
        }
    };
}

pub const ROWS: &[Row] = &[
    row("setp.(eq|ne).BITS p, a, b", setp),
    row("setp.(eq|ne).(and|or|xor).BITS p, a, b, !%p3", setp),
    row("setp.ORDERED.INT p, a, b", setp),
    row("setp.ORDERED.(and|or|xor).INT p, a, b, !%p3", setp),
    row("setp.(lo|ls|hi|hs).(u16|u32|u64) p, a, b", setp),
    row("setp.(lo|ls|hi|hs).(and|or|xor).(u16|u32|u64) p, a, b, !%p3", setp),
    row("setp.COMPARE(.ftz)?.(f16|f32) p, a, b", setp),
    row("setp.COMPARE.(and|or|xor)(.ftz)?.(f16|f32) p, a, b, !%p3", setp),
    row("setp.COMPARE.(bf16|f64) p, a, b", setp),
    row("setp.COMPARE.(and|or|xor).(bf16|f64) p, a, b, !%p3", setp),
    row("set.(eq|ne).(u16|WORD|HALF|f32).BITS d, x, y", set),
    row("set.(eq|ne).(and|or|xor).(u16|WORD|HALF|f32).BITS d, x, y, !%p3", set),
    row("set.ORDERED.(u16|WORD|HALF|f32).INT d, x, y", set),
    row("set.ORDERED.(and|or|xor).(u16|WORD|HALF|f32).INT d, x, y, !%p3", set),
    row("set.(lo|ls|hi|hs).(u16|WORD|HALF|f32).(u16|u32|u64) d, x, y", set),
    row("set.(lo|ls|hi|hs).(and|or|xor).(u16|WORD|HALF|f32).(u16|u32|u64) d, x, y, !%p3", set),
    row("set.COMPARE(.ftz)?.(u16|s16|WORD|HALF|f32).(f16|f32) d, x, y", set),
    row("set.COMPARE.(and|or|xor)(.ftz)?.(u16|s16|WORD|HALF|f32).(f16|f32) d, x, y, !%p3", set),
    row("set.COMPARE.(u16|s16|WORD|HALF|f32).(bf16|f64) d, x, y", set),
    row("set.COMPARE.(and|or|xor).(u16|s16|WORD|HALF|f32).(bf16|f64) d, x, y, !%p3", set),
    row("testp.(finite|infinite|number|notanumber|normal|subnormal).(f32|f64) %p1, a", testp),
];

/// `setp`: a comparison whose result is a predicate, or two of opposite values.
fn setp<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (yes, no) = match x.operand(0)? {
        Operand::Pair(p, q) => (c.pred_dst(p)?, Some(c.pred_dst(q)?)),
        o => (c.pred_dst(o)?, None),
    };
    compare(c, x, x.ty(), (yes, no))
}

/// `set`: a comparison whose result is a number: all ones, or 1.0 for float destinations.
fn set<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let d = c.dst(x.operand(0)?, x.ty())?.write()?;
    compare(c, x, x.type_at(1), (PredDst::JUNK, None))?;
    let yes = match x.ty() {
        Type::F32 => F32.one() as u32,
        Type::F16 => F16.one() as u32,
        Type::Bf16 => BF16.one() as u32,
        Type::U32 | Type::S32 => !0,
        _ => 0xffff,
    };
    let (a, b) = (c.word(yes).read()?, c.word(0).read()?);
    c.straight::<Select<u32>>(Class::Compare, Choice { d, a, b, p: PredDst::JUNK.read() });
    Ok(())
}

/// Emits a comparison of operands 1 and 2, combined with the predicate of operand 3.
fn compare<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>, ty: Type, (yes, no): (PredDst, Option<PredDst>)) -> Decoded<()> {
    let sources = [c.src(x.operand(1)?, ty)?, c.src(x.operand(2)?, ty)?];
    let with = match x.one_of(&["and", "or", "xor"]) {
        Some(how) => Some(Third { how: Combine::named(how), pred: c.pred_src(x.operand(3)?)? }),
        None => None,
    };
    let name = x.one_of(&COMPARISONS).unwrap_or_default();
    let make = comparison(name, ty, x.has("ftz"));
    let make = make.ok_or_else(|| Refusal::new("this comparison is not possible with this type"))?;
    c.append(Class::Compare, make(Outcome { yes, no, with }, sources)?);
    Ok(())
}

fn testp<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (ty, to) = (x.ty(), Outcome { yes: c.pred_dst(x.operand(0)?)?, no: None, with: None });
    let property = x.one_of(&["finite", "infinite", "number", "notanumber", "normal"]).unwrap_or("subnormal");
    let make = if ty == Type::F32 { tests!(property, u32, f) } else { tests!(property, u64, f64::from_bits) };
    let a = c.src(x.operand(1)?, ty)?;
    c.append(Class::Compare, make(to, [a, a])?);
    Ok(())
}

const COMPARISONS: [&str; 18] = [
    "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan",
];

/// A comparison; `None` when there is no such one.
fn comparison(cmp: &str, ty: Type, ftz: bool) -> Option<Comparison> {
    use Type::*;
    // "unordered or less" is "not greater or equal": the negation is meant
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    match (cmp, ty) {
        (cmp, F32) if ftz => floats!(cmp, u32, flushed),
        (cmp, F32) => floats!(cmp, u32, f),
        (cmp, F64) => floats!(cmp, u64, f64::from_bits),
        (cmp, F16) if ftz => floats!(cmp, u32, flushed_f16),
        (cmp, F16) => floats!(cmp, u32, f16),
        (cmp, Bf16) => floats!(cmp, u32, bf16),
        ("eq", _) => integers!(ty, ALL as bool, |a, b| a == b),
        ("ne", _) => integers!(ty, ALL as bool, |a, b| a != b),
        ("lt" | "lo", _) => integers!(ty, INT as bool, |a, b| a < b),
        ("le" | "ls", _) => integers!(ty, INT as bool, |a, b| a <= b),
        ("gt" | "hi", _) => integers!(ty, INT as bool, |a, b| a > b),
        ("ge" | "hs", _) => integers!(ty, INT as bool, |a, b| a >= b),
        _ => None,
    }
}

#[inline(always)]
fn flushed(a: u32) -> f32 {
    f(flush(a))
}

#[inline(always)]
fn f16(a: u32) -> f32 {
    half::f16_to_f32(a as u16)
}

#[inline(always)]
fn bf16(a: u32) -> f32 {
    half::bf16_to_f32(a as u16)
}

#[inline(always)]
fn flushed_f16(a: u32) -> f32 {
    f16(soft::flush(a.into(), F16) as u32)
}
