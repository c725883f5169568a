//! Addresses and their spaces: `cvta`, `isspacep`.

use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::isa::moves::address::{self, AddConstant, FrameAddress, IsSpace};
use crate::isa::operands::SymbolValue;
use crate::machine::op::handler;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    pub fn cvta(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let to = m.take("to");
        let space = m
            .one_of(&["global", "shared", "shared::cta", "local", "const", "param", "param::entry"])
            .ok_or_else(|| Refusal::new("the space is missing"))?;
        let ty = m.ty()?;
        if ty.bytes() != 8 {
            return Err(Refusal::new("only 64-bit addresses are supported"));
        }
        let [d, a] = self.operands::<2>(i)?;
        let d = self.dst(&d, ty)?;
        let window = address::window(space);
        let value = match &a {
            Operand::Var(..) | Operand::Symbol(..) => Some(self.symbol_value(&a)?),
            _ => None,
        };
        match value {
            Some(SymbolValue::Frame(offset)) => {
                let base = self.frame_row();
                let run = handler::<FrameAddress<u64>>();
                self.emit(Class::Move, run, d, &[base]).inst.imm = (offset + window) as i64;
            }
            _ => {
                let a = self.src(&a, ty)?;
                let p = self.emit(Class::Move, handler::<AddConstant>(), d, &[a]);
                p.inst.imm = if to { -(window as i64) } else { window as i64 };
            }
        }
        Ok(())
    }

    pub fn isspacep(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let space = m
            .one_of(&["global", "shared", "shared::cta", "local", "const", "param"])
            .ok_or_else(|| Refusal::new("the space is missing"))?;
        let [p, a] = self.operands::<2>(i)?;
        let p = self.pred_dst(&p)?;
        let a = self.src(&a, Type::U64)?;
        let proto = self.emit(Class::Compare, handler::<IsSpace>(), NONE, &[a]);
        proto.inst.p = p;
        // constants live in global memory here, so nothing lies in a constant window
        proto.inst.imm = if space == "const" { -1 } else { address::window(space) as i64 };
        Ok(())
    }
}
