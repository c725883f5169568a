//! Logic of bits and of predicates, and shifts.

use crate::isa::arithmetic::alu::alu2;
use crate::isa::arithmetic::carry;
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::inst::Handler;
use crate::machine::program::Class;
use crate::machine::row::NONE;
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    /// `and`, `or`, `xor`.
    pub fn logic(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        use Type::*;
        if ty == Pred {
            let [d, a, b] = self.operands::<3>(i)?;
            let d = self.pred_dst(&d)?;
            let (a, b) = (self.pred_src(&a)?, self.pred_src(&b)?);
            let what = match i.op {
                "and" => carry::AND,
                "or" => carry::OR,
                _ => carry::XOR,
            };
            return self.pred_logic(d, a, b, what);
        }
        let run: Handler = match (i.op, ty) {
            ("and", B16 | B32) => alu2(|a: u32, b: u32| a & b),
            ("or", B16 | B32) => alu2(|a: u32, b: u32| a | b),
            ("xor", B16 | B32) => alu2(|a: u32, b: u32| a ^ b),
            ("and", B64) => alu2(|a: u64, b: u64| a & b),
            ("or", B64) => alu2(|a: u64, b: u64| a | b),
            ("xor", B64) => alu2(|a: u64, b: u64| a ^ b),
            _ => return Err(Refusal::wrong_type()),
        };
        self.operation(i, run, [ty; 3])?;
        Ok(())
    }

    /// Emits an operation on predicates.
    pub fn pred_logic(&mut self, d: u16, a: (u16, bool), b: (u16, bool), what: u8) -> Decoded<()> {
        let p = self.emit(Class::Integer, carry::pred_logic(), NONE, &[]);
        p.inst.p = d;
        p.inst.q = a.0;
        p.inst.aux = u32::from(b.0);
        p.inst.flags = what | u8::from(a.1) << 4 | u8::from(b.1) << 5;
        Ok(())
    }

    /// `shl` and `shr`.
    pub fn shift(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        use Type::*;
        let run: Handler = match (i.op, ty) {
            ("shl", B32) => alu2(|a: u32, n: u32| if n > 31 { 0 } else { a << (n & 31) }),
            ("shl", B64) => alu2(|a: u64, n: u32| if n > 63 { 0 } else { a << (n & 63) }),
            ("shl", B16) => alu2(|a: u32, n: u32| if n > 15 { 0 } else { (a << (n & 15)) & 0xffff }),
            ("shr", B32 | U32) => alu2(|a: u32, n: u32| if n > 31 { 0 } else { a >> (n & 31) }),
            ("shr", B64 | U64) => alu2(|a: u64, n: u32| if n > 63 { 0 } else { a >> (n & 63) }),
            ("shr", B16 | U16) => alu2(|a: u32, n: u32| if n > 15 { 0 } else { a >> (n & 15) }),
            ("shr", S32) => alu2(|a: u32, n: u32| ((a as i32) >> n.min(31)) as u32),
            ("shr", S64) => alu2(|a: u64, n: u32| ((a as i64) >> n.min(63)) as u64),
            ("shr", S16) => alu2(|a: u32, n: u32| ((a as i16) >> n.min(15)) as u16 as u32),
            _ => return Err(Refusal::wrong_type()),
        };
        self.operation(i, run, [ty, ty, U32])?;
        Ok(())
    }
}
