//! Moves, selections, comparisons, conversions between integers and floats, addresses.

use crate::isa::arithmetic::alu::{COMBINE_NOT, alu1, with_pred};
use crate::isa::arithmetic::{carry, scalar};
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::moves::address::FrameAddress;
use crate::isa::moves::registers::{Clock, Timer};
use crate::isa::operands::SymbolValue;
use crate::machine::inst::Handler;
use crate::machine::op::handler;
use crate::machine::program::Class;
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
            return self.pred_logic(d, a, (0, false), carry::AND);
        }
        match (&d, &a) {
            (Operand::Vector(parts), _) => return self.unpack(ty, parts, &a),
            (_, Operand::Vector(parts)) => return self.pack(ty, &d, parts),
            (
                _,
                Operand::Special(
                    name @ ("clock" | "clock64" | "clock_hi" | "globaltimer" | "globaltimer_lo" | "globaltimer_hi"),
                ),
            ) => {
                let d = self.dst(&d, ty)?;
                let high = name.ends_with("_hi");
                let run = match (ty.bytes(), name.starts_with("clock")) {
                    (8, true) => handler::<Clock<u64>>(),
                    (4, true) => handler::<Clock<u32>>(),
                    (8, false) => handler::<Timer<u64>>(),
                    (4, false) => handler::<Timer<u32>>(),
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
                        8 => handler::<FrameAddress<u64>>(),
                        4 => handler::<FrameAddress<u32>>(),
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
        scalar::setup(&mut proto.inst, scalar::select, settings, [wide, wide, wide, false]);
        Ok(())
    }
}
