//! Integer arithmetic, logic, shifts and bit fields.

use crate::isa::arithmetic::alu::Form;
use crate::isa::decoder::{Decoded, Decoder, Mods};
use crate::machine::operand::Register;
use crate::machine::program::Class;
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    /// Decodes an instruction of this family; false when it belongs to another.
    pub fn integer(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        if m.words.iter().filter_map(|w| Type::named(w)).any(Type::float) {
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
            "abs" | "neg" | "not" | "cnot" | "popc" | "clz" | "brev" | "bfind" => self.unary(i, m)?,
            "and" | "or" | "xor" => self.logic(i, m)?,
            "shl" | "shr" => self.shift(i, m)?,
            "sad" => self.difference(i, m)?,
            "dp4a" | "dp2a" => self.dots(i, m)?,
            "shf" => self.funnel(i, m)?,
            "prmt" => self.permute(i, m)?,
            "lop3" => self.lop3(i, m)?,
            "bfe" | "bfi" | "fns" | "bmsk" | "szext" => self.fields(i, m)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The operands of an instruction, the destination first, each of its type.
    pub fn registers<const N: usize>(&mut self, i: &Instr<'a>, types: [Type; N]) -> Decoded<[Register; N]> {
        let operands = self.operands::<N>(i)?;
        let mut registers = [self.dst(&operands[0], types[0])?; N];
        for n in 1..N {
            registers[n] = self.src(&operands[n], types[n])?;
        }
        Ok(registers)
    }

    /// Emits an operation on integers; `types` are the result's and each source's.
    pub fn operation<const N: usize>(&mut self, i: &Instr<'a>, form: Form, types: [Type; N]) -> Decoded<()> {
        let registers = self.registers(i, types)?;
        self.lanes(Class::Integer, form, registers[0], &registers[1..])?;
        Ok(())
    }
}
