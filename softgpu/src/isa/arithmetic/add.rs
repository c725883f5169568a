//! Sums, quotients, extremes, absolute differences, and operations on one value.

use crate::isa::arithmetic::alu::{Combine, Form, alu1, alu2, alu3};
use crate::isa::arithmetic::bits;
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
            ("add", U32 | S32, _) => alu2(|a: u32, b: u32| a.wrapping_add(b)),
            ("add", U64 | S64, _) => alu2(|a: u64, b: u64| a.wrapping_add(b)),
            ("add", U16 | S16, _) => alu2(|a: u32, b: u32| a.wrapping_add(b) & 0xffff),
            ("sub", U32 | S32, _) => alu2(|a: u32, b: u32| a.wrapping_sub(b)),
            ("sub", U64 | S64, _) => alu2(|a: u64, b: u64| a.wrapping_sub(b)),
            ("sub", U16 | S16, _) => alu2(|a: u32, b: u32| a.wrapping_sub(b) & 0xffff),
            ("div", U32, _) => alu2(|a: u32, b: u32| a.checked_div(b).unwrap_or(!0)),
            ("div", S32, _) => alu2(bits::div_s32),
            ("div", U64, _) => alu2(|a: u64, b: u64| a.checked_div(b).unwrap_or(!0)),
            ("div", S64, _) => alu2(bits::div_s64),
            ("div", U16, _) => alu2(|a: u32, b: u32| a.checked_div(b).unwrap_or(0xffff)),
            ("div", S16, _) => alu2(|a: u32, b: u32| bits::div_s32(bits::sext16(a), bits::sext16(b)) & 0xffff),
            ("rem", U32, _) => alu2(|a: u32, b: u32| a.checked_rem(b).unwrap_or(!0)),
            ("rem", S32, _) => alu2(bits::rem_s32),
            ("rem", U64, _) => alu2(|a: u64, b: u64| a.checked_rem(b).unwrap_or(!0)),
            ("rem", S64, _) => alu2(bits::rem_s64),
            ("rem", U16, _) => alu2(|a: u32, b: u32| a.checked_rem(b).unwrap_or(0xffff)),
            ("rem", S16, _) => alu2(|a: u32, b: u32| bits::rem_s32(bits::sext16(a), bits::sext16(b)) & 0xffff),
            ("min", U32 | U16, _) => alu2(|a: u32, b: u32| a.min(b)),
            ("min", S32, _) => alu2(|a: u32, b: u32| (a as i32).min(b as i32) as u32),
            ("min", S16, _) => alu2(|a: u32, b: u32| (a as i16).min(b as i16) as u16 as u32),
            ("min", U64, _) => alu2(|a: u64, b: u64| a.min(b)),
            ("min", S64, _) => alu2(|a: u64, b: u64| (a as i64).min(b as i64) as u64),
            ("max", U32 | U16, _) => alu2(|a: u32, b: u32| a.max(b)),
            ("max", S32, _) => alu2(|a: u32, b: u32| (a as i32).max(b as i32) as u32),
            ("max", S16, _) => alu2(|a: u32, b: u32| (a as i16).max(b as i16) as u16 as u32),
            ("max", U64, _) => alu2(|a: u64, b: u64| a.max(b)),
            ("max", S64, _) => alu2(|a: u64, b: u64| (a as i64).max(b as i64) as u64),
            _ => return Err(Refusal::wrong_type()),
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
        let form: Form = match (i.op, ty) {
            ("abs", S32) => alu1(|a: u32| (a as i32).wrapping_abs() as u32),
            ("abs", S64) => alu1(|a: u64| (a as i64).wrapping_abs() as u64),
            ("abs", S16) => alu1(|a: u32| (a as i16).wrapping_abs() as u16 as u32),
            ("neg", S32) => alu1(|a: u32| a.wrapping_neg()),
            ("neg", S64) => alu1(|a: u64| a.wrapping_neg()),
            ("neg", S16) => alu1(|a: u32| a.wrapping_neg() & 0xffff),
            ("not", B32) => alu1(|a: u32| !a),
            ("not", B64) => alu1(|a: u64| !a),
            ("not", B16) => alu1(|a: u32| !a & 0xffff),
            ("cnot", B32 | B16) => alu1(|a: u32| u32::from(a == 0)),
            ("cnot", B64) => alu1(|a: u64| u64::from(a == 0)),
            ("popc", B32) => alu1(|a: u32| a.count_ones()),
            ("popc", B64) => alu1(|a: u64| a.count_ones()),
            ("clz", B32) => alu1(|a: u32| a.leading_zeros()),
            ("clz", B64) => alu1(|a: u64| a.leading_zeros()),
            ("brev", B32) => alu1(|a: u32| a.reverse_bits()),
            ("brev", B64) => alu1(|a: u64| a.reverse_bits()),
            ("bfind", U32) if shift_amount => alu1(|a: u32| if a == 0 { !0 } else { a.leading_zeros() }),
            ("bfind", U32) => alu1(|a: u32| 31u32.wrapping_sub(a.leading_zeros())),
            ("bfind", S32) if shift_amount => alu1(|a: u32| bits::find_s32(a, true)),
            ("bfind", S32) => alu1(|a: u32| bits::find_s32(a, false)),
            ("bfind", U64) if shift_amount => alu1(|a: u64| if a == 0 { !0 } else { a.leading_zeros() }),
            ("bfind", U64) => alu1(|a: u64| 63u32.wrapping_sub(a.leading_zeros())),
            ("bfind", S64) if shift_amount => alu1(|a: u64| bits::find_s64(a, true)),
            ("bfind", S64) => alu1(|a: u64| bits::find_s64(a, false)),
            _ => return Err(Refusal::wrong_type()),
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
        use Type::*;
        let ty = m.ty()?;
        let form: Form = match ty {
            U32 => alu3(|a: u32, b: u32, c: u32| c.wrapping_add(a.abs_diff(b))),
            S32 => alu3(|a: u32, b: u32, c: u32| c.wrapping_add((a as i32).abs_diff(b as i32))),
            U16 => alu3(|a: u32, b: u32, c: u32| c.wrapping_add(a.abs_diff(b)) & 0xffff),
            S16 => alu3(|a: u32, b: u32, c: u32| c.wrapping_add(u32::from((a as i16).abs_diff(b as i16))) & 0xffff),
            U64 => alu3(|a: u64, b: u64, c: u64| c.wrapping_add(a.abs_diff(b))),
            S64 => alu3(|a: u64, b: u64, c: u64| c.wrapping_add((a as i64).abs_diff(b as i64))),
            _ => return Err(Refusal::wrong_type()),
        };
        self.operation(i, form, [ty; 4])
    }
}
