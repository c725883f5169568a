//! Bit fields, funnel shifts, permutations of bytes, `lop3`.

use crate::isa::arithmetic::alu::{Form, Three, alu2, alu3};
use crate::isa::arithmetic::bits;
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::program::Class;
use crate::ptx::{Instr, Operand, Type};

impl<'a> Decoder<'a> {
    /// Extraction, insertion and masks of bit fields, and the n-th set bit.
    pub fn fields(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        use Type::*;
        match i.op {
            "bfe" => {
                let ty = m.ty()?;
                let form: Form = match ty {
                    U32 => alu3(bits::bfe_u32),
                    S32 => alu3(bits::bfe_s32),
                    U64 => alu3(bits::bfe_u64),
                    S64 => alu3(bits::bfe_s64),
                    _ => return Err(Refusal::wrong_type()),
                };
                self.operation(i, form, [ty, ty, U32, U32])?;
            }
            "bfi" => {
                let ty = m.ty()?;
                let registers = self.registers(i, [ty, ty, ty, U32, U32])?;
                match ty {
                    B32 => self.straight::<bits::Bfi<u32>>(Class::Integer, bits::Insertion::of(registers)?),
                    B64 => self.straight::<bits::Bfi<u64>>(Class::Integer, bits::Insertion::of(registers)?),
                    _ => return Err(Refusal::wrong_type()),
                };
            }
            "fns" => {
                let ty = m.ty()?;
                if ty != B32 {
                    return Err(Refusal::new("only .b32 exists"));
                }
                self.operation(i, alu3(bits::fns), [ty; 4])?;
            }
            "bmsk" => {
                let wrap = m.take("wrap");
                m.take("clamp");
                let ty = m.ty()?;
                let form = if wrap { alu2(|a: u32, b: u32| bits::bmsk(a & 31, b & 31)) } else { alu2(bits::bmsk) };
                self.operation(i, form, [ty; 3])?;
            }
            _ => {
                let wrap = m.take("wrap");
                m.take("clamp");
                let ty = m.ty()?;
                let form: Form = match (ty, wrap) {
                    (U32, true) => alu2(|a: u32, n: u32| bits::bfe_u32(a, 0, n & 31)),
                    (U32, false) => alu2(|a: u32, n: u32| bits::bfe_u32(a, 0, n.min(32))),
                    (S32, true) => alu2(|a: u32, n: u32| bits::bfe_s32(a, 0, n & 31)),
                    (S32, false) => alu2(|a: u32, n: u32| bits::bfe_s32(a, 0, n.min(32))),
                    _ => return Err(Refusal::wrong_type()),
                };
                self.operation(i, form, [ty; 3])?;
            }
        }
        Ok(())
    }

    /// `shf`: a shift of two words side by side.
    pub fn funnel(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        use Type::*;
        let side = m.one_of(&["l", "r"]).ok_or_else(|| Refusal::new("'.l' or '.r' is missing"))?;
        let wrap = m.take("wrap");
        let clamp = m.take("clamp");
        if wrap == clamp {
            return Err(Refusal::new("'.wrap' or '.clamp' is missing"));
        }
        let ty = m.ty()?;
        if ty != B32 {
            return Err(Refusal::new("only .b32 exists"));
        }
        let form: Form = match (side, wrap) {
            ("l", true) => alu3(|a: u32, b: u32, n: u32| bits::funnel_left(a, b, n & 31)),
            ("l", false) => alu3(|a: u32, b: u32, n: u32| bits::funnel_left(a, b, n.min(32))),
            (_, true) => alu3(|a: u32, b: u32, n: u32| bits::funnel_right(a, b, n & 31)),
            (_, false) => alu3(|a: u32, b: u32, n: u32| bits::funnel_right(a, b, n.min(32))),
        };
        self.operation(i, form, [ty; 4])
    }

    /// `prmt`: a choice of bytes of two words.
    pub fn permute(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        let mode = m.one_of(&["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"]);
        let ty = m.ty()?;
        let form: Form = match mode {
            None => alu3(bits::prmt),
            Some("f4e") => alu3(|a: u32, b: u32, s: u32| bits::prmt_mode(a, b, s, 0x3210, 0x1111)),
            Some("b4e") => alu3(bits::prmt_b4e),
            Some("rc8") => alu3(|a: u32, b: u32, s: u32| bits::prmt_mode(a, b, s, 0, 0x1111)),
            Some("ecl") => alu3(bits::prmt_ecl),
            Some("ecr") => alu3(bits::prmt_ecr),
            _ => alu3(|a: u32, b: u32, s: u32| bits::prmt(a, b, 0x1010 + (s & 1) * 0x2222)),
        };
        self.operation(i, form, [ty; 4])
    }

    /// `lop3`: any logic function of three words, as a table.
    pub fn lop3(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<()> {
        if m.take("and") || m.take("or") {
            return Err(Refusal::new("lop3 with a predicate result is not supported"));
        }
        let ty = m.ty()?;
        let [d, a, b, c, table] = self.operands::<5>(i)?;
        let Operand::Integer(table) = table else {
            return Err(Refusal::new("the table must be a constant"));
        };
        let d = self.dst(&d, ty)?.write()?;
        let (a, b, c) = (self.src(&a, ty)?.read()?, self.src(&b, ty)?.read()?, self.src(&c, ty)?.read()?);
        let data = bits::Logic { words: Three { d, a, b, c }, table: table as u8 };
        self.straight::<bits::Lop3>(Class::Integer, data);
        Ok(())
    }
}
