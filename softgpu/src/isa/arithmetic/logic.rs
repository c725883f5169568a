//! Logic of bits and of predicates, and shifts.

use crate::isa::arithmetic::alu::{Combine, Form};
use crate::isa::arithmetic::integers::integers;
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
        if ty == Type::Pred {
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
        let form: Form = match i.op {
            "and" => integers!(ty, [B16, B32, B64], |a, b| a & b),
            "or" => integers!(ty, [B16, B32, B64], |a, b| a | b),
            _ => integers!(ty, [B16, B32, B64], |a, b| a ^ b),
        };
        self.operation(i, form, [ty; 3])
    }

    /// `shl` and `shr`.
    pub fn shift(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        let form: Form = match i.op {
            "shl" => integers!(ty, [B16, B32, B64], |a; n| a.checked_shl(n).unwrap_or(0)),
            _ if ty.signed() => integers!(ty, [S16, S32, S64], |a; n| a >> n.min(8 * size_of_val(&a) as u32 - 1)),
            _ => integers!(ty, [B16, U16, B32, U32, B64, U64], |a; n| a.checked_shr(n).unwrap_or(0)),
        };
        self.operation(i, form, [ty, ty, Type::U32])
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
