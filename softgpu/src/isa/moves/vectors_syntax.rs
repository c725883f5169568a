//! `mov` between one value and a vector of its parts.

use crate::isa::decoder::{Decoded, Decoder, Refusal};
use crate::isa::moves::vectors::{Pack, Pack16, Unpack, Unpack16};
use crate::machine::op::handler;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Operand, Type};

impl<'a> Decoder<'a> {
    /// `mov` of a vector of parts to one value.
    pub fn pack(&mut self, ty: Type, d: &Operand<'a>, parts: &[Operand<'a>]) -> Decoded<()> {
        let d = self.dst(d, ty)?;
        let part = part_type(ty, parts)?;
        let mut rows = Vec::new();
        for p in parts {
            // 8-bit parts lie in 16-bit registers
            let ty = match (p, part) {
                (Operand::Reg(r), Type::B8) => self.reg_type(*r),
                _ => part,
            };
            rows.push(self.src(p, ty)?);
        }
        let run = match (ty.bytes(), rows.len()) {
            (8, 2) => handler::<Pack<u64, 2>>(),
            (8, 4) => handler::<Pack<u64, 4>>(),
            (4, 2) => handler::<Pack<u32, 2>>(),
            (4, 4) => handler::<Pack<u32, 4>>(),
            (2, 2) => handler::<Pack16>(),
            _ => return Err(Refusal::wrong_type()),
        };
        self.emit(Class::Move, run, d, &rows);
        Ok(())
    }

    /// `mov` of one value to a vector of parts.
    pub fn unpack(&mut self, ty: Type, parts: &[Operand<'a>], a: &Operand<'a>) -> Decoded<()> {
        let source = self.src(a, ty)?;
        let part = part_type(ty, parts)?;
        let run = match (ty.bytes(), parts.len()) {
            (8, 2) => handler::<Unpack<u64, 2>>(),
            (8, 4) => handler::<Unpack<u64, 4>>(),
            (4, 2) => handler::<Unpack<u32, 2>>(),
            (4, 4) => handler::<Unpack<u32, 4>>(),
            (2, 2) => handler::<Unpack16>(),
            _ => return Err(Refusal::wrong_type()),
        };
        let mut rows = Vec::new();
        for p in parts {
            rows.push(match p {
                Operand::Sink => NONE,
                Operand::Reg(r) if part == Type::B8 && self.reg_type(*r).bytes() == 2 => *r,
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
}

fn part_type(whole: Type, parts: &[Operand<'_>]) -> Decoded<Type> {
    match whole.bytes() / parts.len() as u32 {
        4 => Ok(Type::B32),
        2 => Ok(Type::B16),
        1 => Ok(Type::B8),
        _ => Err(Refusal::wrong_type()),
    }
}
