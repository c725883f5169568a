//! Logic of bits and of predicates, and shifts.

use crate::isa::arithmetic::alu::{Combine, Form, alu2};
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Pred, PredDst, operands};
use crate::machine::program::Class;
use crate::machine::row::Isa;
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    /// `and`, `or`, `xor`.
    pub fn logic(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        use Type::*;
        if ty == Pred {
            let [d, a, b] = self.operands::<3>(i)?;
            let how = match i.op {
                "and" => Combine::And,
                "or" => Combine::Or,
                _ => Combine::Xor,
            };
            let data = PredLogic { how, d: self.pred_dst(&d)?, a: self.pred_src(&a)?, b: self.pred_src(&b)? };
            self.straight::<CombinePreds>(Class::Integer, data);
            return Ok(());
        }
        let form: Form = match (i.op, ty) {
            ("and", B16 | B32) => alu2(|a: u32, b: u32| a & b),
            ("or", B16 | B32) => alu2(|a: u32, b: u32| a | b),
            ("xor", B16 | B32) => alu2(|a: u32, b: u32| a ^ b),
            ("and", B64) => alu2(|a: u64, b: u64| a & b),
            ("or", B64) => alu2(|a: u64, b: u64| a | b),
            ("xor", B64) => alu2(|a: u64, b: u64| a ^ b),
            _ => return Err(Refusal::wrong_type()),
        };
        self.operation(i, form, [ty; 3])
    }

    /// `shl` and `shr`.
    pub fn shift(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        use Type::*;
        let form: Form = match (i.op, ty) {
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
        self.operation(i, form, [ty, ty, U32])
    }
}

/// `and`, `or`, `xor` of predicates.
pub struct CombinePreds;

/// The operands of [`CombinePreds`].
#[derive(Clone, Copy)]
pub struct PredLogic {
    pub how: Combine,
    pub d: PredDst,
    pub a: Pred,
    pub b: Pred,
}
operands!(PredLogic);

impl Op for CombinePreds {
    type Data = PredLogic;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame, i: &PredLogic, mask: u32) {
        let (a, b) = (cx.predicate(i.a), cx.predicate(i.b));
        cx.set_predicate(i.d, i.how.of(a, b), mask);
    }
}
