//! Sums and products with a carry in or out.

use crate::isa::arithmetic::{bits, carry};
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    /// `add.cc`, `addc`, `sub.cc`, `subc`.
    pub fn carrying(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let sets = m.take("cc");
        let ty = m.ty()?;
        let uses = i.op.ends_with('c');
        let subtract = i.op.starts_with("sub");
        let run = match ty {
            Type::U32 | Type::S32 => carry::add::<u32>(),
            Type::U64 | Type::S64 => carry::add::<u64>(),
            _ => return Err(Refusal::wrong_type()),
        };
        self.operation(i, run, [ty; 3])?.inst.flags = carry::flags(sets, uses, subtract);
        Ok(())
    }

    /// `mad.cc` and `madc`.
    pub fn carrying_mad(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let part = m.one_of(&["lo", "hi"]).ok_or_else(|| Refusal::new("'.lo' or '.hi' is missing"))?;
        let sets = m.take("cc");
        let ty = m.ty()?;
        let run = match (part, ty) {
            ("lo", Type::U32 | Type::S32) => carry::mad(|a: u32, b: u32| a.wrapping_mul(b)),
            ("hi", Type::U32) => carry::mad(bits::hi_u32),
            ("hi", Type::S32) => carry::mad(bits::hi_s32),
            ("lo", Type::U64 | Type::S64) => carry::mad(|a: u64, b: u64| a.wrapping_mul(b)),
            ("hi", Type::U64) => carry::mad(bits::hi_u64),
            ("hi", Type::S64) => carry::mad(bits::hi_s64),
            _ => return Err(Refusal::wrong_type()),
        };
        self.operation(i, run, [ty; 4])?.inst.flags = carry::flags(sets, i.op == "madc", false);
        Ok(())
    }
}
