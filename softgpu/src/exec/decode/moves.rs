//! Moves, selections, comparisons, conversions between integers and floats, addresses.

use super::super::alu::*;
use super::super::inst::{Handler, NONE, handler};
use super::super::moves as ops;
use super::super::program::Class;
use super::super::scalar;
use super::operands::SymbolValue;
use super::{Decoded, Decoder, Mods, Refusal};
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn moves(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        match i.op {
            "mov" => self.mov(i, m)?,
            "selp" => self.selp(i, m)?,
            "setp" => self.setp(i, m)?,
            "set" => self.set(i, m)?,
            "slct" => self.slct(i, m)?,
            "testp" => self.testp(i, m)?,
            "cvt" => self.cvt(i, m)?,
            "cvta" => self.cvta(i, m)?,
            "isspacep" => self.isspacep(i, m)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn mov(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        let [d, a] = self.operands::<2>(i)?;
        if ty == Type::Pred {
            let d = self.pred_dst(&d)?;
            let a = self.pred_src(&a)?;
            return self.pred_logic(d, a, (0, false), super::super::carry::AND);
        }
        match (&d, &a) {
            (Operand::Vector(parts), _) => return self.unpack(ty, parts, &a),
            (_, Operand::Vector(parts)) => return self.pack(ty, &d, parts),
            (
                _,
                Operand::Special(
                    name @ ("clock" | "clock64" | "clock_hi" | "globaltimer" | "globaltimer_lo"
                    | "globaltimer_hi"),
                ),
            ) => {
                let d = self.dst(&d, ty)?;
                let high = name.ends_with("_hi");
                let run = match (ty.bytes(), name.starts_with("clock")) {
                    (8, true) => handler::<ops::Clock<u64>>(),
                    (4, true) => handler::<ops::Clock<u32>>(),
                    (8, false) => handler::<ops::Timer<u64>>(),
                    (4, false) => handler::<ops::Timer<u32>>(),
                    _ => return Err(Refusal::wrong_type()),
                };
                self.emit(Class::Move, run, d, &[]).inst.aux = u32::from(high);
                return Ok(());
            }
            (_, Operand::Var(..) | Operand::Symbol(..)) => {
                if let SymbolValue::Frame(offset) = self.symbol_value(&a)? {
                    let d = self.dst(&d, ty)?;
                    let base = self.frame_row();
                    let run: Handler = match ty.bytes() {
                        8 => handler::<ops::FrameAddress<u64>>(),
                        4 => handler::<ops::FrameAddress<u32>>(),
                        _ => return Err(Refusal::new("an address doesn't fit this type")),
                    };
                    self.emit(Class::Move, run, d, &[base]).inst.imm = offset as i64;
                    return Ok(());
                }
            }
            _ => {}
        }
        // %gridid is 64 bits wide
        if let (Operand::Special("gridid"), 8) = (&a, ty.bytes()) {
            let a = self.src(&a, Type::U32)?;
            let d = self.dst(&d, ty)?;
            self.emit(Class::Move, alu1(|a: u32| u64::from(a)), d, &[a]);
            return Ok(());
        }
        // 16-bit reads of special registers keep the lower half
        let narrow = matches!((&a, ty.bytes()), (Operand::Special(_), 2));
        let a = self.src(&a, if narrow { Type::U32 } else { ty })?;
        let d = self.dst(&d, ty)?;
        let run: Handler = match ty.bytes() {
            8 => alu1(|a: u64| a),
            2 => alu1(|a: u32| a & 0xffff),
            4 | 1 => alu1(|a: u32| a),
            _ => return Err(Refusal::wrong_type()),
        };
        self.emit(Class::Move, run, d, &[a]);
        Ok(())
    }

    fn pack(&mut self, ty: Type, d: &Operand<'a>, parts: &[Operand<'a>]) -> Decoded<()> {
        let bytes = ty.bytes() / parts.len() as u32;
        let d = self.dst(d, ty)?;
        let part = match bytes {
            4 => Type::B32,
            2 => Type::B16,
            1 => Type::B8,
            _ => return Err(Refusal::wrong_type()),
        };
        let mut rows = Vec::new();
        for p in parts {
            // 8-bit parts lie in 16-bit registers
            let ty = match (p, bytes) {
                (Operand::Reg(r), 1) => self.reg_type(*r),
                _ => part,
            };
            rows.push(self.src(p, ty)?);
        }
        let run = match (ty.bytes(), rows.len()) {
            (8, 2) => handler::<ops::Pack<u64, 2>>(),
            (8, 4) => handler::<ops::Pack<u64, 4>>(),
            (4, 2) => handler::<ops::Pack<u32, 2>>(),
            (4, 4) => handler::<ops::Pack<u32, 4>>(),
            (2, 2) => handler::<ops::Pack16>(),
            _ => return Err(Refusal::wrong_type()),
        };
        self.emit(Class::Move, run, d, &rows);
        Ok(())
    }

    fn unpack(&mut self, ty: Type, parts: &[Operand<'a>], a: &Operand<'a>) -> Decoded<()> {
        let bytes = ty.bytes() / parts.len() as u32;
        let source = self.src(a, ty)?;
        let part = match bytes {
            4 => Type::B32,
            2 => Type::B16,
            1 => Type::B8,
            _ => return Err(Refusal::wrong_type()),
        };
        let run = match (ty.bytes(), parts.len()) {
            (8, 2) => handler::<ops::Unpack<u64, 2>>(),
            (8, 4) => handler::<ops::Unpack<u64, 4>>(),
            (4, 2) => handler::<ops::Unpack<u32, 2>>(),
            (4, 4) => handler::<ops::Unpack<u32, 4>>(),
            (2, 2) => handler::<ops::Unpack16>(),
            _ => return Err(Refusal::wrong_type()),
        };
        let mut rows = Vec::new();
        for p in parts {
            rows.push(match p {
                Operand::Sink => NONE,
                Operand::Reg(r) if bytes == 1 && self.reg_type(*r).bytes() == 2 => *r,
                _ => self.dst(p, part)?,
            });
        }
        let p = self.emit(Class::Move, run, NONE, &[source]);
        p.apart = true;
        for (n, &row) in rows.iter().enumerate() {
            // d, b, c, e: field 1 is the source
            p.set_write_field(if n == 0 { 0 } else { n + 1 }, row);
        }
        Ok(())
    }

    fn selp(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        let [d, a, b, p] = self.operands::<4>(i)?;
        let (d, a, b) = (self.dst(&d, ty)?, self.src(&a, ty)?, self.src(&b, ty)?);
        let (p, negated) = self.pred_src(&p)?;
        let run: Handler = match ty.bytes() {
            8 => with_pred(|a: u64, b: u64, p| if p { a } else { b }),
            _ => with_pred(|a: u32, b: u32, p| if p { a } else { b }),
        };
        let proto = self.emit(Class::Move, run, d, &[a, b]);
        proto.inst.p = p;
        proto.inst.flags = if negated { COMBINE_NOT } else { 0 };
        Ok(())
    }

    fn setp(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let cmp = m
            .one_of(&[
                "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu",
                "leu", "gtu", "geu", "num", "nan",
            ])
            .ok_or_else(|| Refusal::new("the comparison is missing"))?;
        let combine = m.one_of(&["and", "or", "xor"]);
        let ftz = m.take("ftz");
        let ty = m.ty()?;
        let want = if combine.is_some() { 4 } else { 3 };
        if i.operands.len() != want {
            return Err(Refusal::new(format!(
                "{} operands where {want} belong",
                i.operands.len()
            )));
        }
        let (p, q) = match &i.operands[0] {
            Operand::Pair(p, q) => (self.pred_dst(p)?, self.pred_dst(q)?),
            o => (self.pred_dst(o)?, 0),
        };
        let (a, b) = (self.src(&i.operands[1], ty)?, self.src(&i.operands[2], ty)?);
        let third = match combine {
            Some(how) => Some((how, self.pred_src(&i.operands[3])?)),
            None => None,
        };
        self.compare(cmp, ty, ftz, (p, q), (a, b), third)
    }

    fn compare(
        &mut self,
        cmp: &str,
        ty: Type,
        ftz: bool,
        (p, q): (u16, u16),
        (a, b): (u32, u32),
        third: Option<(&str, (u16, bool))>,
    ) -> Decoded<()> {
        let wrong = || Refusal::new("this comparison is not possible with this type");
        let halves = matches!(ty, Type::F16 | Type::Bf16);
        let run = if halves {
            scalar::handler()
        } else {
            ops::comparison(cmp, ty, ftz).ok_or_else(wrong)?
        };
        let proto = self.emit(Class::Compare, run, NONE, &[a, b]);
        (proto.inst.p, proto.inst.q) = (p, q);
        if halves {
            let mut settings = scalar::Settings::new(ty, ty);
            settings.ftz = ftz;
            let function = scalar::half_comparison(cmp).ok_or_else(wrong)?;
            scalar::setup(&mut proto.inst, function, settings, [false; 4]);
            proto.inst.flags |= scalar::TO_PRED;
            if let Some((how, (c, negated))) = third {
                proto.inst.flags |= scalar::COMBINED;
                proto.inst.e =
                    u32::from(c) | u32::from(combination(how)) << 16 | u32::from(negated) << 18;
            }
        } else if let Some((how, (c, negated))) = third {
            proto.inst.aux = u32::from(c);
            proto.inst.flags = combination(how) | if negated { COMBINE_NOT } else { 0 };
        }
        Ok(())
    }

    /// `set`: a comparison whose result is a number: all ones, or 1.0 for float destinations.
    fn set(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let cmp = m
            .one_of(&[
                "eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs", "equ", "neu", "ltu",
                "leu", "gtu", "geu", "num", "nan",
            ])
            .ok_or_else(|| Refusal::new("the comparison is missing"))?;
        let combine = m.one_of(&["and", "or", "xor"]);
        let ftz = m.take("ftz");
        let (to, from) = (m.ty()?, m.ty()?);
        if matches!(from, Type::F16x2 | Type::Bf16x2) {
            return Err(Refusal::new("comparisons of pairs are not supported"));
        }
        let want = if combine.is_some() { 4 } else { 3 };
        if i.operands.len() != want {
            return Err(Refusal::new(format!(
                "{} operands where {want} belong",
                i.operands.len()
            )));
        }
        let d = self.dst(&i.operands[0], to)?;
        let (a, b) = (
            self.src(&i.operands[1], from)?,
            self.src(&i.operands[2], from)?,
        );
        let third = match combine {
            Some(how) => Some((how, self.pred_src(&i.operands[3])?)),
            None => None,
        };
        self.compare(cmp, from, ftz, (super::JUNK, 0), (a, b), third)?;
        let (yes, no) = match to {
            Type::F32 => (self.word(0x3f80_0000), self.word(0)),
            Type::U32 | Type::S32 => (self.word(!0), self.word(0)),
            Type::F16 => (self.word(0x3c00), self.word(0)),
            Type::Bf16 => (self.word(0x3f80), self.word(0)),
            Type::U16 | Type::S16 => (self.word(0xffff), self.word(0)),
            _ => return Err(Refusal::wrong_type()),
        };
        let run = with_pred(|a: u32, b: u32, p| if p { a } else { b });
        self.emit(Class::Compare, run, d, &[yes, no]).inst.p = super::JUNK;
        Ok(())
    }

    fn slct(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ftz = m.take("ftz");
        let (ty, by) = (m.ty()?, m.ty()?);
        if !matches!(by, Type::S32 | Type::F32) {
            return Err(Refusal::new("the third operand must be .s32 or .f32"));
        }
        let [d, a, b, c] = self.operands::<4>(i)?;
        let d = self.dst(&d, ty)?;
        let (a, b, c) = (self.src(&a, ty)?, self.src(&b, ty)?, self.src(&c, by)?);
        let wide = ty.bytes() == 8;
        let proto = self.emit(Class::Move, scalar::handler(), d, &[a, b, c]);
        let mut settings = scalar::Settings::new(by, ty);
        settings.ftz = ftz;
        scalar::setup(
            &mut proto.inst,
            scalar::select,
            settings,
            [wide, wide, wide, false],
        );
        Ok(())
    }

    fn testp(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let property = m
            .one_of(&[
                "finite",
                "infinite",
                "number",
                "notanumber",
                "normal",
                "subnormal",
            ])
            .ok_or_else(|| Refusal::new("the property is missing"))?;
        let ty = m.ty()?;
        let function = scalar::test_function(property, ty).ok_or_else(Refusal::wrong_type)?;
        let [p, a] = self.operands::<2>(i)?;
        let p = self.pred_dst(&p)?;
        let a = self.src(&a, ty)?;
        let wide = ty.bytes() == 8;
        let proto = self.emit(Class::Compare, scalar::handler(), NONE, &[a]);
        proto.inst.p = p;
        scalar::setup(
            &mut proto.inst,
            function,
            scalar::Settings::new(ty, ty),
            [wide; 4],
        );
        proto.inst.flags |= scalar::TO_PRED;
        Ok(())
    }

    fn cvt(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let round = m.one_of(&["rni", "rzi", "rmi", "rpi", "rna", "rn", "rz", "rm", "rp"]);
        let ftz = m.take("ftz");
        let sat = m.take("sat");
        let relu = m.take("relu");
        let satfinite = m.take("satfinite");
        let tf32 = m.take("tf32");
        let to = if tf32 { Type::B32 } else { m.ty()? };
        let from = m.ty()?;
        let mut settings = scalar::Settings::new(from, to);
        settings.mode = super::float::rounding(round.unwrap_or("rn"));
        settings.integral = round.is_some_and(|r| r.ends_with('i'));
        (
            settings.ftz,
            settings.sat,
            settings.relu,
            settings.satfinite,
        ) = (ftz, sat, relu, satfinite);
        if matches!(to, Type::F16x2 | Type::Bf16x2) {
            if from != Type::F32 {
                return Err(Refusal::new("this conversion is not supported"));
            }
            let [d, a, b] = self.operands::<3>(i)?;
            let d = self.dst(&d, to)?;
            let (a, b) = (self.src(&a, from)?, self.src(&b, from)?);
            let usual = round == Some("rn") && !(ftz || sat || relu || satfinite);
            if usual {
                let run = if to == Type::F16x2 {
                    ops::pack_f16()
                } else {
                    ops::pack_bf16()
                };
                self.emit(Class::Convert, run, d, &[a, b]);
                return Ok(());
            }
            let proto = self.emit(Class::Convert, scalar::handler(), d, &[a, b]);
            scalar::setup(&mut proto.inst, scalar::convert_pair, settings, [false; 4]);
            return Ok(());
        }
        let [d, a] = self.operands::<2>(i)?;
        let (d, have) = self.dst_wide(&d, to)?;
        let (a, wide) = self.src_wide(&a, from)?;
        let run = if relu || satfinite || tf32 {
            None
        } else {
            ops::conversion(to, have.bytes() == 8, from, wide, round, ftz, sat)
        };
        if let Some(run) = run {
            self.emit(Class::Convert, run, d, &[a]);
            if have.bytes() == 2 && to.signed() {
                self.cut_to_16(d)?;
            }
            return Ok(());
        }
        if tf32 && from != Type::F32
            || from.bytes() == 16
            || matches!(from, Type::F16x2 | Type::Bf16x2)
        {
            return Err(Refusal::new("this conversion is not supported"));
        }
        let function = if tf32 {
            scalar::convert_tf32
        } else {
            scalar::convert
        };
        // results of signed types fill wider registers with their sign: done by a second conversion
        let extend = have.bytes() > to.bytes() && to.signed();
        let proto = self.emit(Class::Convert, scalar::handler(), d, &[a]);
        scalar::setup(
            &mut proto.inst,
            function,
            settings,
            [have.bytes() == 8, wide, false, false],
        );
        if extend {
            let wide = have.bytes() == 8;
            let run = ops::conversion(have, wide, to, wide, None, false, false)
                .ok_or_else(|| Refusal::new("this conversion is not supported"))?;
            self.emit(Class::Convert, run, d, &[d]);
            if have.bytes() == 2 {
                self.cut_to_16(d)?;
            }
        }
        Ok(())
    }

    /// Clears what lies above a 16-bit register: rows of 32 bits hold those with zeros on top.
    fn cut_to_16(&mut self, d: u32) -> Decoded<()> {
        let run = ops::conversion(Type::U16, false, Type::U16, false, None, false, false)
            .ok_or_else(|| Refusal::new("this conversion is not supported"))?;
        self.emit(Class::Convert, run, d, &[d]);
        Ok(())
    }

    fn cvta(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let to = m.take("to");
        let space = m
            .one_of(&[
                "global",
                "shared",
                "shared::cta",
                "local",
                "const",
                "param",
                "param::entry",
            ])
            .ok_or_else(|| Refusal::new("the space is missing"))?;
        let ty = m.ty()?;
        if ty.bytes() != 8 {
            return Err(Refusal::new("only 64-bit addresses are supported"));
        }
        let [d, a] = self.operands::<2>(i)?;
        let d = self.dst(&d, ty)?;
        let window = ops::window(space);
        let value = match &a {
            Operand::Var(..) | Operand::Symbol(..) => Some(self.symbol_value(&a)?),
            _ => None,
        };
        match value {
            Some(SymbolValue::Frame(offset)) => {
                let base = self.frame_row();
                let run = handler::<ops::FrameAddress<u64>>();
                self.emit(Class::Move, run, d, &[base]).inst.imm = (offset + window) as i64;
            }
            _ => {
                let a = self.src(&a, ty)?;
                let p = self.emit(Class::Move, handler::<ops::AddConstant>(), d, &[a]);
                p.inst.imm = if to { -(window as i64) } else { window as i64 };
            }
        }
        Ok(())
    }

    fn isspacep(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let space = m
            .one_of(&["global", "shared", "shared::cta", "local", "const", "param"])
            .ok_or_else(|| Refusal::new("the space is missing"))?;
        let [p, a] = self.operands::<2>(i)?;
        let p = self.pred_dst(&p)?;
        let a = self.src(&a, Type::U64)?;
        let proto = self.emit(Class::Compare, handler::<ops::IsSpace>(), NONE, &[a]);
        proto.inst.p = p;
        // constants live in global memory here, so nothing lies in a constant window
        proto.inst.imm = if space == "const" {
            -1
        } else {
            ops::window(space) as i64
        };
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
