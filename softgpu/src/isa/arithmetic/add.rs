//! Sums, quotients, extremes, absolute differences, and operations on one value.

use crate::isa::arithmetic::alu::{Combine, Form, alu2};
use crate::isa::arithmetic::integers::{Integer, integers};
use crate::isa::arithmetic::logic::{CombinePreds, PredLogic};
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::operand;
use crate::machine::program::Class;
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    /// Sums, quotients and extremes of two values.
    pub fn binary(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let sat = m.take("sat");
        let relu = m.take("relu");
        let ty = m.ty()?;
        if relu && self.sm < 90 {
            return Err(Refusal::new("'.relu' of integers needs sm_90"));
        }
        use Type::*;
        let form: Form = match (i.op, ty, sat) {
            ("min", S32, false) if relu => alu2(|a: u32, b: u32| (a as i32).min(b as i32).max(0) as u32),
            ("max", S32, false) if relu => alu2(|a: u32, b: u32| (a as i32).max(b as i32).max(0) as u32),
            _ if relu => return Err(Refusal::new("'.relu' needs .s32 and min or max")),
            ("add", S32, true) => alu2(|a: u32, b: u32| (a as i32).saturating_add(b as i32) as u32),
            ("sub", S32, true) => alu2(|a: u32, b: u32| (a as i32).saturating_sub(b as i32) as u32),
            (_, _, true) => return Err(Refusal::new("'.sat' needs .s32 and add or sub")),
            ("add", ..) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.wrapping_add(b)),
            ("sub", ..) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.wrapping_sub(b)),
            ("div", ..) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.quotient(b)),
            ("rem", ..) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.remainder(b)),
            ("min", ..) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.min(b)),
            _ => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.max(b)),
        };
        self.operation(i, form, [ty; 3])
    }

    /// Operations on one value.
    pub fn unary(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let shift_amount = m.take("shiftamt");
        let ty = m.ty()?;
        use Type::*;
        let mut result = ty;
        if ty == Pred {
            if i.op != "not" {
                return Err(Refusal::new("not possible with predicates"));
            }
            let [d, a] = self.operands::<2>(i)?;
            let data = PredLogic {
                how: Combine::And,
                d: self.pred_dst(&d)?,
                a: self.pred_src(&a)?.not(),
                b: operand::Pred::TRUE,
            };
            self.straight::<CombinePreds>(Class::Integer, data);
            return Ok(());
        }
        let form: Form = match i.op {
            "abs" => integers!(ty, [S16, S32, S64], |a| a.wrapping_abs()),
            "neg" => integers!(ty, [S16, S32, S64], |a| a.wrapping_neg()),
            "not" => integers!(ty, [B16, B32, B64], |a| !a),
            "cnot" => integers!(ty, [B16, B32, B64], |a| a == 0),
            "popc" => integers!(ty, [B32, B64] as u32, |a| a.count_ones()),
            "clz" => integers!(ty, [B32, B64] as u32, |a| a.leading_zeros()),
            "brev" => integers!(ty, [B32, B64], |a| a.reverse_bits()),
            _ if shift_amount => integers!(ty, [U32, S32, U64, S64] as u32, |a| a.shift_amount()),
            _ => integers!(ty, [U32, S32, U64, S64] as u32, |a| a.highest()),
        };
        if shift_amount && i.op != "bfind" {
            return Err(Refusal::new("'.shiftamt' belongs to bfind"));
        }
        if matches!(i.op, "popc" | "clz" | "bfind") {
            result = U32;
        }
        self.operation(i, form, [result, ty])
    }

    /// `sad`: the absolute difference of two values added to a third.
    pub fn difference(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        let form =
            integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b, c| { (c as u64).wrapping_add(a.abs_diff(b) as _) });
        self.operation(i, form, [ty; 4])
    }
}
