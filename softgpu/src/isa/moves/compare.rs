//! Comparisons (`setp`, `set`) and tests of floats (`testp`).

use crate::isa::arithmetic::alu::{Choice, Combine, Comparison, Outcome, Select, Third, pred2};
use crate::isa::arithmetic::halves::half_comparison;
use crate::isa::arithmetic::integers::integers;
use crate::isa::arithmetic::real::{f, flush};
use crate::isa::arithmetic::scalar;
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::operand::PredDst;
use crate::machine::program::Class;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// `setp`: a comparison whose result is a predicate, or two of opposite values.
    pub fn setp(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let how = How::take(m)?;
        let ty = m.ty()?;
        how.count_operands(i)?;
        let (p, q) = match &i.operands[0] {
            Operand::Pair(p, q) => (self.pred_dst(p)?, Some(self.pred_dst(q)?)),
            o => (self.pred_dst(o)?, None),
        };
        self.compare(i, how, ty, (p, q))
    }

    /// `set`: a comparison whose result is a number: all ones, or 1.0 for float destinations.
    pub fn set(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let how = How::take(m)?;
        let (to, from) = (m.ty()?, m.ty()?);
        if matches!(from, Type::F16x2 | Type::Bf16x2) {
            return Err(Refusal::new("comparisons of pairs are not supported"));
        }
        how.count_operands(i)?;
        let d = self.dst(&i.operands[0], to)?.write()?;
        self.compare(i, how, from, (PredDst::JUNK, None))?;
        let yes = match to {
            Type::F32 => 0x3f80_0000,
            Type::U32 | Type::S32 => !0,
            Type::F16 => 0x3c00,
            Type::Bf16 => 0x3f80,
            Type::U16 | Type::S16 => 0xffff,
            _ => return Err(Refusal::wrong_type()),
        };
        let (a, b) = (self.word(yes).read()?, self.word(0).read()?);
        self.straight::<Select<u32>>(Class::Compare, Choice { d, a, b, p: PredDst::JUNK.read() });
        Ok(())
    }

    /// Emits a comparison of operands 1 and 2, combined with the predicate of operand 3.
    fn compare(&mut self, i: &Instr<'a>, how: How, ty: Type, (yes, no): (PredDst, Option<PredDst>)) -> Decoded<()> {
        let sources = [self.src(&i.operands[1], ty)?, self.src(&i.operands[2], ty)?];
        let with = match how.combine {
            Some(how) => Some(Third { how, pred: self.pred_src(&i.operands[3])? }),
            None => None,
        };
        let (name, to) = (how.name, Outcome { yes, no, with });
        let wrong = || Refusal::new("this comparison is not possible with this type");
        if matches!(ty, Type::F16 | Type::Bf16) {
            let settings = scalar::Settings { ftz: how.ftz, ..scalar::Settings::new(ty, ty) };
            let function = half_comparison(name).ok_or_else(wrong)?;
            let sources = sources.map(|r| Some(r.read_any()));
            self.straight::<scalar::Test>(Class::Compare, scalar::Tested { function, settings, to, sources });
        } else {
            let make = comparison(name, ty, how.ftz).ok_or_else(wrong)?;
            self.append(Class::Compare, make(to, sources)?);
        }
        Ok(())
    }

    pub fn testp(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let property = m
            .one_of(&["finite", "infinite", "number", "notanumber", "normal", "subnormal"])
            .ok_or_else(|| Refusal::new("the property is missing"))?;
        let ty = m.ty()?;
        let function = scalar::test_function(property, ty).ok_or_else(Refusal::wrong_type)?;
        let [p, a] = self.operands::<2>(i)?;
        let (to, a) = (Outcome::only(self.pred_dst(&p)?), self.src(&a, ty)?);
        let (settings, sources) = (scalar::Settings::new(ty, ty), [Some(a.read_any()), None]);
        self.straight::<scalar::Test>(Class::Compare, scalar::Tested { function, settings, to, sources });
        Ok(())
    }
}

/// The modifiers that `setp` and `set` share.
struct How {
    name: &'static str,
    combine: Option<Combine>,
    ftz: bool,
}

impl How {
    fn take(m: &mut Mods<'_>) -> Decoded<How> {
        let name = m
            .one_of(&[
                "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu",
                "num", "nan",
            ])
            .ok_or_else(|| Refusal::new("the comparison is missing"))?;
        let combine = m.one_of(&["and", "or", "xor"]).map(|word| match word {
            "and" => Combine::And,
            "or" => Combine::Or,
            _ => Combine::Xor,
        });
        Ok(How { name, combine, ftz: m.take("ftz") })
    }

    /// Refuses more or fewer operands than it has.
    fn count_operands(&self, i: &Instr<'_>) -> Decoded<()> {
        let want = if self.combine.is_some() { 4 } else { 3 };
        if i.operands.len() != want {
            return Err(Refusal::new(format!("{} operands where {want} belong", i.operands.len())));
        }
        Ok(())
    }
}

/// A comparison of floats, which `$value` makes of the lanes' bits.
macro_rules! floats {
    ($cmp:expr, $bits:ty, $value:path) => {
        match $cmp {
            "eq" => pred2(|a: $bits, b: $bits| $value(a) == $value(b)),
            "ne" => pred2(|a: $bits, b: $bits| $value(a) < $value(b) || $value(a) > $value(b)),
            "lt" => pred2(|a: $bits, b: $bits| $value(a) < $value(b)),
            "le" => pred2(|a: $bits, b: $bits| $value(a) <= $value(b)),
            "gt" => pred2(|a: $bits, b: $bits| $value(a) > $value(b)),
            "ge" => pred2(|a: $bits, b: $bits| $value(a) >= $value(b)),
            "equ" => pred2(|a: $bits, b: $bits| !($value(a) < $value(b) || $value(a) > $value(b))),
            "neu" => pred2(|a: $bits, b: $bits| $value(a) != $value(b)),
            "ltu" => pred2(|a: $bits, b: $bits| !($value(a) >= $value(b))),
            "leu" => pred2(|a: $bits, b: $bits| !($value(a) > $value(b))),
            "gtu" => pred2(|a: $bits, b: $bits| !($value(a) <= $value(b))),
            "geu" => pred2(|a: $bits, b: $bits| !($value(a) < $value(b))),
            "num" => pred2(|a: $bits, b: $bits| !$value(a).is_nan() && !$value(b).is_nan()),
            "nan" => pred2(|a: $bits, b: $bits| $value(a).is_nan() || $value(b).is_nan()),
            _ => return None,
        }
    };
}

/// A comparison; `None` when there is no such one.
fn comparison(cmp: &str, ty: Type, ftz: bool) -> Option<Comparison> {
    use Type::*;
    let unsigned = match cmp {
        "lo" => "lt",
        "ls" => "le",
        "hi" => "gt",
        "hs" => "ge",
        other => other,
    };
    if unsigned != cmp && !matches!(ty, U16 | U32 | U64) || ftz && ty != F32 {
        return None;
    }
    // "unordered or less" is "not greater or equal": the negation is meant
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    let comparison = match (unsigned, ty) {
        (cmp, F32) if ftz => floats!(cmp, u32, flushed),
        (cmp, F32) => floats!(cmp, u32, f),
        (cmp, F64) => floats!(cmp, u64, f64::from_bits),
        ("eq", _) => integers!(ty, [B16, U16, S16, B32, U32, S32, B64, U64, S64] as bool, |a, b| a == b),
        ("ne", _) => integers!(ty, [B16, U16, S16, B32, U32, S32, B64, U64, S64] as bool, |a, b| a != b),
        ("lt", _) => integers!(ty, [U16, S16, U32, S32, U64, S64] as bool, |a, b| a < b),
        ("le", _) => integers!(ty, [U16, S16, U32, S32, U64, S64] as bool, |a, b| a <= b),
        ("gt", _) => integers!(ty, [U16, S16, U32, S32, U64, S64] as bool, |a, b| a > b),
        ("ge", _) => integers!(ty, [U16, S16, U32, S32, U64, S64] as bool, |a, b| a >= b),
        _ => return None,
    };
    Some(comparison)
}

#[inline(always)]
fn flushed(a: u32) -> f32 {
    f(flush(a))
}
