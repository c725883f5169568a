//! Comparisons (`setp`, `set`) and tests of floats (`testp`).

use crate::isa::arithmetic::alu::{COMBINE_AND, COMBINE_NOT, COMBINE_OR, COMBINE_XOR, with_pred};
use crate::isa::arithmetic::halves::half_comparison;
use crate::isa::arithmetic::scalar;
use crate::isa::decoder::{Decoded, Decoder, JUNK, Mods, Refusal};
use crate::isa::moves::compare::comparison;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// `setp`: a comparison whose result is a predicate, or two of opposite values.
    pub fn setp(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let how = Comparison::take(m)?;
        let ty = m.ty()?;
        how.count_operands(i)?;
        let (p, q) = match &i.operands[0] {
            Operand::Pair(p, q) => (self.pred_dst(p)?, self.pred_dst(q)?),
            o => (self.pred_dst(o)?, 0),
        };
        self.compare(i, how, ty, (p, q))
    }

    /// `set`: a comparison whose result is a number: all ones, or 1.0 for float destinations.
    pub fn set(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let how = Comparison::take(m)?;
        let (to, from) = (m.ty()?, m.ty()?);
        if matches!(from, Type::F16x2 | Type::Bf16x2) {
            return Err(Refusal::new("comparisons of pairs are not supported"));
        }
        how.count_operands(i)?;
        let d = self.dst(&i.operands[0], to)?;
        self.compare(i, how, from, (JUNK, 0))?;
        let (yes, no) = match to {
            Type::F32 => (self.word(0x3f80_0000), self.word(0)),
            Type::U32 | Type::S32 => (self.word(!0), self.word(0)),
            Type::F16 => (self.word(0x3c00), self.word(0)),
            Type::Bf16 => (self.word(0x3f80), self.word(0)),
            Type::U16 | Type::S16 => (self.word(0xffff), self.word(0)),
            _ => return Err(Refusal::wrong_type()),
        };
        let run = with_pred(|a: u32, b: u32, p| if p { a } else { b });
        self.emit(Class::Compare, run, d, &[yes, no]).inst.p = JUNK;
        Ok(())
    }

    /// Emits a comparison of operands 1 and 2, combined with the predicate of operand 3.
    fn compare(&mut self, i: &Instr<'a>, how: Comparison, ty: Type, (p, q): (u16, u16)) -> Decoded<()> {
        let Comparison { name, combine, ftz } = how;
        let (a, b) = (self.src(&i.operands[1], ty)?, self.src(&i.operands[2], ty)?);
        let third = match combine {
            Some(how) => Some((combination(how), self.pred_src(&i.operands[3])?)),
            None => None,
        };
        let wrong = || Refusal::new("this comparison is not possible with this type");
        let halves = matches!(ty, Type::F16 | Type::Bf16);
        let run = if halves { scalar::handler() } else { comparison(name, ty, ftz).ok_or_else(wrong)? };
        let proto = self.emit(Class::Compare, run, NONE, &[a, b]);
        (proto.inst.p, proto.inst.q) = (p, q);
        if halves {
            let mut settings = scalar::Settings::new(ty, ty);
            settings.ftz = ftz;
            let function = half_comparison(name).ok_or_else(wrong)?;
            scalar::setup(&mut proto.inst, function, settings, [false; 4]);
            proto.inst.flags |= scalar::TO_PRED;
            if let Some((how, (c, negated))) = third {
                proto.inst.flags |= scalar::COMBINED;
                proto.inst.e = u32::from(c) | u32::from(how) << 16 | u32::from(negated) << 18;
            }
        } else if let Some((how, (c, negated))) = third {
            proto.inst.aux = u32::from(c);
            proto.inst.flags = how | if negated { COMBINE_NOT } else { 0 };
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
        let p = self.pred_dst(&p)?;
        let a = self.src(&a, ty)?;
        let wide = ty.bytes() == 8;
        let proto = self.emit(Class::Compare, scalar::handler(), NONE, &[a]);
        proto.inst.p = p;
        scalar::setup(&mut proto.inst, function, scalar::Settings::new(ty, ty), [wide; 4]);
        proto.inst.flags |= scalar::TO_PRED;
        Ok(())
    }
}

/// The modifiers that `setp` and `set` share.
struct Comparison {
    name: &'static str,
    combine: Option<&'static str>,
    ftz: bool,
}

impl Comparison {
    fn take(m: &mut Mods<'_>) -> Decoded<Comparison> {
        let name = m
            .one_of(&[
                "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu", "leu", "gtu", "geu",
                "num", "nan",
            ])
            .ok_or_else(|| Refusal::new("the comparison is missing"))?;
        Ok(Comparison { name, combine: m.one_of(&["and", "or", "xor"]), ftz: m.take("ftz") })
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

fn combination(how: &str) -> u8 {
    match how {
        "and" => COMBINE_AND,
        "or" => COMBINE_OR,
        _ => COMBINE_XOR,
    }
}
