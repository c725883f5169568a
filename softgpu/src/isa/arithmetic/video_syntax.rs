//! Video instructions, and the arithmetic of packed 16-bit integers (`add.u16x2`).

use crate::isa::arithmetic::video::{Operation, Video, simd};
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::program::Class;
use crate::ptx::{Instr, Type};

impl<'a> Decoder<'a> {
    /// Decodes `add`, `min` and `max` of `.u16x2` and `.s16x2`; false for other instructions.
    pub fn packed(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        let operation = match i.op {
            "add" => Operation::Add,
            "min" => Operation::Min,
            "max" => Operation::Max,
            _ => return Ok(false),
        };
        let Some(ty) = m.one_of(&["u16x2", "s16x2"]) else {
            return Ok(false);
        };
        if self.sm < 90 {
            return Err(Refusal::new("packed integers need sm_90"));
        }
        let signed = ty == "s16x2";
        let relu = operation != Operation::Add && signed && m.take("relu");
        let [d, a, b] = self.operands::<3>(i)?;
        let d = self.dst(&d, Type::U32)?;
        let (a, b) = (self.src(&a, Type::U32)?, self.src(&b, Type::U32)?);
        let video = Video { operation, parts: 2, signed: [signed; 3], relu, saturate: false, accumulate: false };
        self.emit(Class::Integer, simd(), d, &[a, b, a]).inst.aux = video.pack();
        Ok(true)
    }

    /// Decodes `vadd2`, `vabsdiff4` and their kin, on whole words; false for other instructions.
    pub fn video(&mut self, i: &Instr<'a>, m: &mut Mods<'a>) -> Decoded<bool> {
        let Some((name, parts)) = i.op.strip_prefix('v').and_then(|n| match n.strip_suffix('2') {
            Some(name) => Some((name, 2)),
            None => n.strip_suffix('4').map(|name| (name, 4)),
        }) else {
            return Ok(false);
        };
        let operation = match name {
            "add" => Operation::Add,
            "sub" => Operation::Sub,
            "avrg" => Operation::Average,
            "absdiff" => Operation::AbsDiff,
            "min" => Operation::Min,
            "max" => Operation::Max,
            "set" => match m.one_of(&["eq", "ne", "lt", "le", "gt", "ge"]) {
                Some("eq") => Operation::Eq,
                Some("ne") => Operation::Ne,
                Some("lt") => Operation::Lt,
                Some("le") => Operation::Le,
                Some("gt") => Operation::Gt,
                Some(_) => Operation::Ge,
                None => return Err(Refusal::new("the comparison is missing")),
            },
            _ => return Ok(false),
        };
        let saturate = m.take("sat");
        let accumulate = m.take("add");
        // the result of a comparison has no type
        let result = if name == "set" { Type::U32 } else { m.ty()? };
        let types = [result, m.ty()?, m.ty()?];
        if types.iter().any(|t| !matches!(t, Type::U32 | Type::S32)) {
            return Err(Refusal::wrong_type());
        }
        if saturate && (accumulate || name == "set") {
            return Err(Refusal::new("'.sat' is not possible here"));
        }
        let [d, a, b, c] = self.operands::<4>(i)?;
        let d = self.dst(&d, Type::U32)?;
        let sources = [self.src(&a, types[1])?, self.src(&b, types[2])?, self.src(&c, Type::U32)?];
        let video =
            Video { operation, parts, signed: types.map(|t| t == Type::S32), relu: false, saturate, accumulate };
        self.emit(Class::Integer, simd(), d, &sources).inst.aux = video.pack();
        Ok(true)
    }
}
