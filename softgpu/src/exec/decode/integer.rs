//! Integer arithmetic, logic, shifts and bit fields.

use super::super::alu::{alu1, alu2, alu3};
use super::super::bits;
use super::super::carry;
use super::super::inst::{Handler, NONE};
use super::super::program::Class;
use super::{Decoded, Decoder, Mods, Refusal};
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn integer(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        if m.words
            .iter()
            .filter_map(|w| Type::named(w))
            .any(Type::float)
        {
            return Ok(false);
        }
        match i.op {
            "add" | "sub" if m.words.contains(&"cc") => self.carrying(i, m)?,
            "addc" | "subc" => self.carrying(i, m)?,
            "mad" if m.words.contains(&"cc") => self.carrying_mad(i, m)?,
            "madc" => self.carrying_mad(i, m)?,
            "add" | "sub" | "div" | "rem" | "min" | "max" => self.binary(i, m)?,
            "mul" | "mad" => self.multiply(i, m)?,
            "mul24" | "mad24" => self.multiply24(i, m)?,
            "abs" | "neg" | "not" | "cnot" | "popc" | "clz" | "brev" | "bfind" => {
                self.unary(i, m)?
            }
            "and" | "or" | "xor" => self.logic(i, m)?,
            "shl" | "shr" => self.shift(i, m)?,
            "sad" | "shf" | "bfe" | "bfi" | "fns" | "prmt" | "lop3" | "dp4a" | "dp2a" | "bmsk"
            | "szext" => self.fields(i, m)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub fn operands<const N: usize>(&self, i: &Instr<'a>) -> Decoded<[Operand<'a>; N]> {
        i.operands
            .clone()
            .try_into()
            .map_err(|_| Refusal::new(format!("{} operands where {N} belong", i.operands.len())))
    }

    fn binary(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let sat = m.take("sat");
        let relu = m.take("relu");
        let ty = m.ty()?;
        if relu && self.sm < 90 {
            return Err(Refusal::new("'.relu' of integers needs sm_90"));
        }
        use Type::*;
        let run: Handler = match (i.op, ty, sat) {
            ("min", S32, false) if relu => {
                alu2(|a: u32, b: u32| (a as i32).min(b as i32).max(0) as u32)
            }
            ("max", S32, false) if relu => {
                alu2(|a: u32, b: u32| (a as i32).max(b as i32).max(0) as u32)
            }
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
            ("div", S16, _) => {
                alu2(|a: u32, b: u32| bits::div_s32(bits::sext16(a), bits::sext16(b)) & 0xffff)
            }
            ("rem", U32, _) => alu2(|a: u32, b: u32| a.checked_rem(b).unwrap_or(!0)),
            ("rem", S32, _) => alu2(bits::rem_s32),
            ("rem", U64, _) => alu2(|a: u64, b: u64| a.checked_rem(b).unwrap_or(!0)),
            ("rem", S64, _) => alu2(bits::rem_s64),
            ("rem", U16, _) => alu2(|a: u32, b: u32| a.checked_rem(b).unwrap_or(0xffff)),
            ("rem", S16, _) => {
                alu2(|a: u32, b: u32| bits::rem_s32(bits::sext16(a), bits::sext16(b)) & 0xffff)
            }
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
            _ => return Err(Refusal::new("not possible with this type")),
        };
        self.three(i, ty, run)
    }

    /// Emits `d, a, b` of one type.
    fn three(&mut self, i: &Instr<'a>, ty: Type, run: Handler) -> Decoded<()> {
        let [d, a, b] = self.operands::<3>(i)?;
        let (d, a, b) = (self.dst(&d, ty)?, self.src(&a, ty)?, self.src(&b, ty)?);
        self.emit(Class::Integer, run, d, &[a, b]);
        Ok(())
    }

    fn multiply(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let part = m.one_of(&["lo", "hi", "wide"]).unwrap_or("lo");
        let sat = m.take("sat");
        let ty = m.ty()?;
        use Type::*;
        let add = i.op == "mad";
        let run: Handler = match (part, ty, add) {
            ("hi", S32, true) if sat => alu3(|a: u32, b: u32, c: u32| {
                (bits::hi_s32(a, b) as i32).saturating_add(c as i32) as u32
            }),
            _ if sat => return Err(Refusal::new("'.sat' needs mad.hi.s32")),
            ("lo", U32 | S32, false) => alu2(|a: u32, b: u32| a.wrapping_mul(b)),
            ("lo", U64 | S64, false) => alu2(|a: u64, b: u64| a.wrapping_mul(b)),
            ("lo", U16 | S16, false) => alu2(|a: u32, b: u32| a.wrapping_mul(b) & 0xffff),
            ("hi", U32, false) => alu2(bits::hi_u32),
            ("hi", S32, false) => alu2(bits::hi_s32),
            ("hi", U64, false) => alu2(bits::hi_u64),
            ("hi", S64, false) => alu2(bits::hi_s64),
            ("hi", U16, false) => alu2(|a: u32, b: u32| a.wrapping_mul(b) >> 16),
            ("hi", S16, false) => alu2(|a: u32, b: u32| bits::wide_s16(a, b) >> 16),
            ("wide", U32, false) => alu2(|a: u32, b: u32| u64::from(a) * u64::from(b)),
            ("wide", S32, false) => alu2(bits::wide_s32),
            ("wide", U16, false) => alu2(|a: u32, b: u32| a.wrapping_mul(b)),
            ("wide", S16, false) => alu2(bits::wide_s16),
            ("lo", U32 | S32, true) => {
                alu3(|a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c))
            }
            ("lo", U64 | S64, true) => {
                alu3(|a: u64, b: u64, c: u64| a.wrapping_mul(b).wrapping_add(c))
            }
            ("lo", U16 | S16, true) => {
                alu3(|a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c) & 0xffff)
            }
            ("hi", U32, true) => alu3(|a: u32, b: u32, c: u32| bits::hi_u32(a, b).wrapping_add(c)),
            ("hi", S32, true) => alu3(|a: u32, b: u32, c: u32| bits::hi_s32(a, b).wrapping_add(c)),
            ("hi", U64, true) => alu3(|a: u64, b: u64, c: u64| bits::hi_u64(a, b).wrapping_add(c)),
            ("hi", S64, true) => alu3(|a: u64, b: u64, c: u64| bits::hi_s64(a, b).wrapping_add(c)),
            ("hi", U16, true) => {
                alu3(|a: u32, b: u32, c: u32| (a.wrapping_mul(b) >> 16).wrapping_add(c) & 0xffff)
            }
            ("hi", S16, true) => {
                alu3(|a: u32, b: u32, c: u32| (bits::wide_s16(a, b) >> 16).wrapping_add(c) & 0xffff)
            }
            ("wide", U32, true) => {
                alu3(|a: u32, b: u32, c: u64| (u64::from(a) * u64::from(b)).wrapping_add(c))
            }
            ("wide", S32, true) => {
                alu3(|a: u32, b: u32, c: u64| bits::wide_s32(a, b).wrapping_add(c))
            }
            ("wide", U16, true) => alu3(|a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c)),
            ("wide", S16, true) => {
                alu3(|a: u32, b: u32, c: u32| bits::wide_s16(a, b).wrapping_add(c))
            }
            _ => return Err(Refusal::new("not possible with this type")),
        };
        let result = match (part, ty) {
            ("wide", U16 | S16) => U32,
            ("wide", U32 | S32) => U64,
            _ => ty,
        };
        if add {
            let [d, a, b, c] = self.operands::<4>(i)?;
            let d = self.dst(&d, result)?;
            let (a, b, c) = (self.src(&a, ty)?, self.src(&b, ty)?, self.src(&c, result)?);
            self.emit(Class::Integer, run, d, &[a, b, c]);
        } else {
            let [d, a, b] = self.operands::<3>(i)?;
            let d = self.dst(&d, result)?;
            let (a, b) = (self.src(&a, ty)?, self.src(&b, ty)?);
            self.emit(Class::Integer, run, d, &[a, b]);
        }
        Ok(())
    }

    fn multiply24(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let part = m
            .one_of(&["lo", "hi"])
            .ok_or_else(|| Refusal::new("'.lo' or '.hi' is missing"))?;
        let sat = m.take("sat");
        let ty = m.ty()?;
        use Type::*;
        if sat {
            return Err(Refusal::new("'.sat' of mad24 is not supported"));
        }
        let run: Handler = match (i.op, part, ty) {
            ("mul24", "lo", U32) => alu2(bits::lo24_u),
            ("mul24", "lo", S32) => alu2(bits::lo24_s),
            ("mul24", "hi", U32) => alu2(bits::hi24_u),
            ("mul24", "hi", S32) => alu2(bits::hi24_s),
            ("mad24", "lo", U32) => {
                alu3(|a: u32, b: u32, c: u32| bits::lo24_u(a, b).wrapping_add(c))
            }
            ("mad24", "lo", S32) => {
                alu3(|a: u32, b: u32, c: u32| bits::lo24_s(a, b).wrapping_add(c))
            }
            ("mad24", "hi", U32) => {
                alu3(|a: u32, b: u32, c: u32| bits::hi24_u(a, b).wrapping_add(c))
            }
            ("mad24", "hi", S32) => {
                alu3(|a: u32, b: u32, c: u32| bits::hi24_s(a, b).wrapping_add(c))
            }
            _ => return Err(Refusal::new("not possible with this type")),
        };
        if i.op == "mad24" {
            self.four(i, ty, run)
        } else {
            self.three(i, ty, run)
        }
    }

    fn four(&mut self, i: &Instr<'a>, ty: Type, run: Handler) -> Decoded<()> {
        let [d, a, b, c] = self.operands::<4>(i)?;
        let d = self.dst(&d, ty)?;
        let (a, b, c) = (self.src(&a, ty)?, self.src(&b, ty)?, self.src(&c, ty)?);
        self.emit(Class::Integer, run, d, &[a, b, c]);
        Ok(())
    }

    fn unary(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let shift_amount = m.take("shiftamt");
        let ty = m.ty()?;
        use Type::*;
        let mut result = ty;
        if ty == Pred {
            if i.op != "not" {
                return Err(Refusal::new("not possible with predicates"));
            }
            let [d, a] = self.operands::<2>(i)?;
            let d = self.pred_dst(&d)?;
            let (a, negated) = self.pred_src(&a)?;
            return self.pred_logic(d, (a, !negated), (0, false), carry::AND);
        }
        let run: Handler = match (i.op, ty) {
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
            ("bfind", U32) if shift_amount => {
                alu1(|a: u32| if a == 0 { !0 } else { a.leading_zeros() })
            }
            ("bfind", U32) => alu1(|a: u32| 31u32.wrapping_sub(a.leading_zeros())),
            ("bfind", S32) if shift_amount => alu1(|a: u32| bits::find_s32(a, true)),
            ("bfind", S32) => alu1(|a: u32| bits::find_s32(a, false)),
            ("bfind", U64) if shift_amount => {
                alu1(|a: u64| if a == 0 { !0 } else { a.leading_zeros() })
            }
            ("bfind", U64) => alu1(|a: u64| 63u32.wrapping_sub(a.leading_zeros())),
            ("bfind", S64) if shift_amount => alu1(|a: u64| bits::find_s64(a, true)),
            ("bfind", S64) => alu1(|a: u64| bits::find_s64(a, false)),
            _ => return Err(Refusal::new("not possible with this type")),
        };
        if shift_amount && i.op != "bfind" {
            return Err(Refusal::new("'.shiftamt' belongs to bfind"));
        }
        if matches!(i.op, "popc" | "clz" | "bfind") {
            result = U32;
        }
        let [d, a] = self.operands::<2>(i)?;
        let (d, a) = (self.dst(&d, result)?, self.src(&a, ty)?);
        self.emit(Class::Integer, run, d, &[a]);
        Ok(())
    }

    fn logic(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
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
            _ => return Err(Refusal::new("not possible with this type")),
        };
        self.three(i, ty, run)
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

    fn shift(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let ty = m.ty()?;
        use Type::*;
        let run: Handler = match (i.op, ty) {
            ("shl", B32) => alu2(|a: u32, n: u32| if n > 31 { 0 } else { a << (n & 31) }),
            ("shl", B64) => alu2(|a: u64, n: u32| if n > 63 { 0 } else { a << (n & 63) }),
            ("shl", B16) => {
                alu2(|a: u32, n: u32| if n > 15 { 0 } else { (a << (n & 15)) & 0xffff })
            }
            ("shr", B32 | U32) => alu2(|a: u32, n: u32| if n > 31 { 0 } else { a >> (n & 31) }),
            ("shr", B64 | U64) => alu2(|a: u64, n: u32| if n > 63 { 0 } else { a >> (n & 63) }),
            ("shr", B16 | U16) => alu2(|a: u32, n: u32| if n > 15 { 0 } else { a >> (n & 15) }),
            ("shr", S32) => alu2(|a: u32, n: u32| ((a as i32) >> n.min(31)) as u32),
            ("shr", S64) => alu2(|a: u64, n: u32| ((a as i64) >> n.min(63)) as u64),
            ("shr", S16) => alu2(|a: u32, n: u32| ((a as i16) >> n.min(15)) as u16 as u32),
            _ => return Err(Refusal::new("not possible with this type")),
        };
        let [d, a, n] = self.operands::<3>(i)?;
        let (d, a, n) = (self.dst(&d, ty)?, self.src(&a, ty)?, self.src(&n, U32)?);
        self.emit(Class::Integer, run, d, &[a, n]);
        Ok(())
    }

    fn fields(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        use Type::*;
        match i.op {
            "sad" => {
                let ty = m.ty()?;
                let run: Handler = match ty {
                    U32 => alu3(|a: u32, b: u32, c: u32| c.wrapping_add(a.abs_diff(b))),
                    S32 => {
                        alu3(|a: u32, b: u32, c: u32| c.wrapping_add((a as i32).abs_diff(b as i32)))
                    }
                    U16 => alu3(|a: u32, b: u32, c: u32| c.wrapping_add(a.abs_diff(b)) & 0xffff),
                    S16 => alu3(|a: u32, b: u32, c: u32| {
                        c.wrapping_add(u32::from((a as i16).abs_diff(b as i16))) & 0xffff
                    }),
                    U64 => alu3(|a: u64, b: u64, c: u64| c.wrapping_add(a.abs_diff(b))),
                    S64 => {
                        alu3(|a: u64, b: u64, c: u64| c.wrapping_add((a as i64).abs_diff(b as i64)))
                    }
                    _ => return Err(Refusal::new("not possible with this type")),
                };
                self.four(i, ty, run)
            }
            "shf" => {
                let side = m
                    .one_of(&["l", "r"])
                    .ok_or_else(|| Refusal::new("'.l' or '.r' is missing"))?;
                let wrap = m.take("wrap");
                let clamp = m.take("clamp");
                if wrap == clamp {
                    return Err(Refusal::new("'.wrap' or '.clamp' is missing"));
                }
                let ty = m.ty()?;
                if ty != B32 {
                    return Err(Refusal::new("only .b32 exists"));
                }
                let run: Handler = match (side, wrap) {
                    ("l", true) => alu3(|a: u32, b: u32, n: u32| bits::funnel_left(a, b, n & 31)),
                    ("l", false) => {
                        alu3(|a: u32, b: u32, n: u32| bits::funnel_left(a, b, n.min(32)))
                    }
                    (_, true) => alu3(|a: u32, b: u32, n: u32| bits::funnel_right(a, b, n & 31)),
                    (_, false) => {
                        alu3(|a: u32, b: u32, n: u32| bits::funnel_right(a, b, n.min(32)))
                    }
                };
                self.four(i, ty, run)
            }
            "bfe" => {
                let ty = m.ty()?;
                let run: Handler = match ty {
                    U32 => alu3(bits::bfe_u32),
                    S32 => alu3(bits::bfe_s32),
                    U64 => alu3(bits::bfe_u64),
                    S64 => alu3(bits::bfe_s64),
                    _ => return Err(Refusal::new("not possible with this type")),
                };
                let [d, a, b, c] = self.operands::<4>(i)?;
                let d = self.dst(&d, ty)?;
                let (a, b, c) = (self.src(&a, ty)?, self.src(&b, U32)?, self.src(&c, U32)?);
                self.emit(Class::Integer, run, d, &[a, b, c]);
                Ok(())
            }
            "bfi" => {
                let ty = m.ty()?;
                let run = match ty {
                    B32 => bits::bfi::<u32>(),
                    B64 => bits::bfi::<u64>(),
                    _ => return Err(Refusal::new("not possible with this type")),
                };
                let [d, a, b, c, e] = self.operands::<5>(i)?;
                let d = self.dst(&d, ty)?;
                let (a, b) = (self.src(&a, ty)?, self.src(&b, ty)?);
                let (c, e) = (self.src(&c, U32)?, self.src(&e, U32)?);
                self.emit(Class::Integer, run, d, &[a, b, c, e]);
                Ok(())
            }
            "fns" => {
                let ty = m.ty()?;
                if ty != B32 {
                    return Err(Refusal::new("only .b32 exists"));
                }
                self.four(i, ty, alu3(bits::fns))
            }
            "bmsk" => {
                let wrap = m.take("wrap");
                m.take("clamp");
                let ty = m.ty()?;
                let run = if wrap {
                    alu2(|a: u32, b: u32| bits::bmsk(a & 31, b & 31))
                } else {
                    alu2(bits::bmsk)
                };
                self.three(i, ty, run)
            }
            "szext" => {
                let wrap = m.take("wrap");
                m.take("clamp");
                let ty = m.ty()?;
                let run: Handler = match (ty, wrap) {
                    (U32, true) => alu2(|a: u32, n: u32| bits::bfe_u32(a, 0, n & 31)),
                    (U32, false) => alu2(|a: u32, n: u32| bits::bfe_u32(a, 0, n.min(32))),
                    (S32, true) => alu2(|a: u32, n: u32| bits::bfe_s32(a, 0, n & 31)),
                    (S32, false) => alu2(|a: u32, n: u32| bits::bfe_s32(a, 0, n.min(32))),
                    _ => return Err(Refusal::new("not possible with this type")),
                };
                self.three(i, ty, run)
            }
            "prmt" => {
                let mode = m.one_of(&["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"]);
                let ty = m.ty()?;
                let run: Handler = match mode {
                    None => alu3(bits::prmt),
                    Some("f4e") => {
                        alu3(|a: u32, b: u32, s: u32| bits::prmt_mode(a, b, s, 0x3210, 0x1111))
                    }
                    Some("b4e") => alu3(bits::prmt_b4e),
                    Some("rc8") => {
                        alu3(|a: u32, b: u32, s: u32| bits::prmt_mode(a, b, s, 0, 0x1111))
                    }
                    Some("ecl") => alu3(bits::prmt_ecl),
                    Some("ecr") => alu3(bits::prmt_ecr),
                    _ => alu3(|a: u32, b: u32, s: u32| bits::prmt(a, b, 0x1010 + (s & 1) * 0x2222)),
                };
                self.four(i, ty, run)
            }
            "lop3" => {
                if m.take("and") || m.take("or") {
                    return Err(Refusal::new(
                        "lop3 with a predicate result is not supported",
                    ));
                }
                let ty = m.ty()?;
                let [d, a, b, c, table] = self.operands::<5>(i)?;
                let Operand::Integer(table) = table else {
                    return Err(Refusal::new("the table must be a constant"));
                };
                let d = self.dst(&d, ty)?;
                let (a, b, c) = (self.src(&a, ty)?, self.src(&b, ty)?, self.src(&c, ty)?);
                let p = self.emit(Class::Integer, bits::lop3(), d, &[a, b, c]);
                p.inst.aux = table as u32 & 0xff;
                Ok(())
            }
            _ => self.dots(i, m),
        }
    }

    fn dots(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        use Type::*;
        let half = if i.op == "dp2a" {
            m.one_of(&["lo", "hi"])
        } else {
            Some("")
        };
        let half = half.ok_or_else(|| Refusal::new("'.lo' or '.hi' is missing"))?;
        let (ta, tb) = (m.ty()?, m.ty()?);
        if !matches!((ta, tb), (U32 | S32, U32 | S32)) {
            return Err(Refusal::new("not possible with this type"));
        }
        let run: Handler = match (half, ta.signed(), tb.signed()) {
            ("", false, false) => alu3(|a, b, c| bits::dp4a(a, b, c, false, false)),
            ("", false, true) => alu3(|a, b, c| bits::dp4a(a, b, c, false, true)),
            ("", true, false) => alu3(|a, b, c| bits::dp4a(a, b, c, true, false)),
            ("", true, true) => alu3(|a, b, c| bits::dp4a(a, b, c, true, true)),
            ("lo", false, false) => alu3(|a, b, c| bits::dp2a(a, b, c, false, false, 0)),
            ("lo", false, true) => alu3(|a, b, c| bits::dp2a(a, b, c, false, true, 0)),
            ("lo", true, false) => alu3(|a, b, c| bits::dp2a(a, b, c, true, false, 0)),
            ("lo", true, true) => alu3(|a, b, c| bits::dp2a(a, b, c, true, true, 0)),
            (_, false, false) => alu3(|a, b, c| bits::dp2a(a, b, c, false, false, 16)),
            (_, false, true) => alu3(|a, b, c| bits::dp2a(a, b, c, false, true, 16)),
            (_, true, false) => alu3(|a, b, c| bits::dp2a(a, b, c, true, false, 16)),
            (_, true, true) => alu3(|a, b, c| bits::dp2a(a, b, c, true, true, 16)),
        };
        self.four(i, U32, run)
    }

    fn carrying(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let sets = m.take("cc");
        let ty = m.ty()?;
        let uses = i.op.ends_with('c');
        let subtract = i.op.starts_with("sub");
        let run = match ty {
            Type::U32 | Type::S32 => carry::add::<u32>(),
            Type::U64 | Type::S64 => carry::add::<u64>(),
            _ => return Err(Refusal::new("not possible with this type")),
        };
        self.three(i, ty, run)?;
        let last = self.protos.len() - 1;
        self.protos[last].inst.flags = carry::flags(sets, uses, subtract);
        Ok(())
    }

    fn carrying_mad(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let part = m
            .one_of(&["lo", "hi"])
            .ok_or_else(|| Refusal::new("'.lo' or '.hi' is missing"))?;
        let sets = m.take("cc");
        let ty = m.ty()?;
        let run = match (part, ty) {
            ("lo", Type::U32 | Type::S32) => carry::mad(|a: u32, b: u32| a.wrapping_mul(b)),
            ("hi", Type::U32) => carry::mad(bits::hi_u32),
            ("hi", Type::S32) => carry::mad(bits::hi_s32),
            ("lo", Type::U64 | Type::S64) => carry::mad(|a: u64, b: u64| a.wrapping_mul(b)),
            ("hi", Type::U64) => carry::mad(bits::hi_u64),
            ("hi", Type::S64) => carry::mad(bits::hi_s64),
            _ => return Err(Refusal::new("not possible with this type")),
        };
        self.four(i, ty, run)?;
        let last = self.protos.len() - 1;
        self.protos[last].inst.flags = carry::flags(sets, i.op == "madc", false);
        Ok(())
    }
}
