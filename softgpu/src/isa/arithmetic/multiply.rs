//! Products, with and without an addition, and dot products of bytes.

use crate::isa::arithmetic::alu::{Form, alu2, alu3};
use crate::isa::arithmetic::bits;
use crate::isa::arithmetic::integers::{Integer, integers};
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    /// `mul` and `mad`.
    pub fn multiply(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let part = m.one_of(&["lo", "hi", "wide"]).unwrap_or("lo");
        let sat = m.take("sat");
        let ty = m.ty()?;
        use Type::*;
        let add = i.op == "mad";
        let form: Form = match (part, ty, add) {
            ("hi", S32, true) if sat => {
                alu3(|a: u32, b: u32, c: u32| (a as i32).high(b as i32).saturating_add(c as i32) as u32)
            }
            _ if sat => return Err(Refusal::new("'.sat' needs mad.hi.s32")),
            ("lo", _, false) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.wrapping_mul(b)),
            ("hi", _, false) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b| a.high(b)),
            ("lo", _, true) => {
                integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b, c| a.wrapping_mul(b).wrapping_add(c))
            }
            ("hi", _, true) => integers!(ty, [U16, S16, U32, S32, U64, S64], |a, b, c| a.high(b).wrapping_add(c)),
            ("wide", U32, false) => alu2(|a: u32, b: u32| u64::from(a) * u64::from(b)),
            ("wide", S32, false) => alu2(bits::wide_s32),
            ("wide", U16, false) => alu2(|a: u32, b: u32| a.wrapping_mul(b)),
            ("wide", S16, false) => alu2(bits::wide_s16),
            ("wide", U32, true) => alu3(|a: u32, b: u32, c: u64| (u64::from(a) * u64::from(b)).wrapping_add(c)),
            ("wide", S32, true) => alu3(|a: u32, b: u32, c: u64| bits::wide_s32(a, b).wrapping_add(c)),
            ("wide", U16, true) => alu3(|a: u32, b: u32, c: u32| a.wrapping_mul(b).wrapping_add(c)),
            ("wide", S16, true) => alu3(|a: u32, b: u32, c: u32| bits::wide_s16(a, b).wrapping_add(c)),
            _ => return Err(Refusal::wrong_type()),
        };
        let result = match (part, ty) {
            ("wide", U16 | S16) => U32,
            ("wide", U32 | S32) => U64,
            _ => ty,
        };
        if add { self.operation(i, form, [result, ty, ty, result]) } else { self.operation(i, form, [result, ty, ty]) }
    }

    /// `mul24` and `mad24`.
    pub fn multiply24(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let part = m.one_of(&["lo", "hi"]).ok_or_else(|| Refusal::new("'.lo' or '.hi' is missing"))?;
        let sat = m.take("sat");
        let ty = m.ty()?;
        use Type::*;
        if sat {
            return Err(Refusal::new("'.sat' of mad24 is not supported"));
        }
        let form: Form = match (i.op, part, ty) {
            ("mul24", "lo", U32) => alu2(bits::lo24_u),
            ("mul24", "lo", S32) => alu2(bits::lo24_s),
            ("mul24", "hi", U32) => alu2(bits::hi24_u),
            ("mul24", "hi", S32) => alu2(bits::hi24_s),
            ("mad24", "lo", U32) => alu3(|a: u32, b: u32, c: u32| bits::lo24_u(a, b).wrapping_add(c)),
            ("mad24", "lo", S32) => alu3(|a: u32, b: u32, c: u32| bits::lo24_s(a, b).wrapping_add(c)),
            ("mad24", "hi", U32) => alu3(|a: u32, b: u32, c: u32| bits::hi24_u(a, b).wrapping_add(c)),
            ("mad24", "hi", S32) => alu3(|a: u32, b: u32, c: u32| bits::hi24_s(a, b).wrapping_add(c)),
            _ => return Err(Refusal::wrong_type()),
        };
        if i.op == "mad24" { self.operation(i, form, [ty; 4]) } else { self.operation(i, form, [ty; 3]) }
    }

    /// `dp4a` and `dp2a`.
    pub fn dots(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        use Type::*;
        let half = if i.op == "dp2a" { m.one_of(&["lo", "hi"]) } else { Some("") };
        let half = half.ok_or_else(|| Refusal::new("'.lo' or '.hi' is missing"))?;
        let (ta, tb) = (m.ty()?, m.ty()?);
        if !matches!((ta, tb), (U32 | S32, U32 | S32)) {
            return Err(Refusal::wrong_type());
        }
        let form: Form = match (half, ta.signed(), tb.signed()) {
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
        self.operation(i, form, [U32; 4])
    }
}
