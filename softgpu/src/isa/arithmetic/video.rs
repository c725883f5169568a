//! Arithmetic on the bytes or halves of a word: video instructions (`vadd4`, `vabsdiff2.add`), `add.u16x2` and its kin.

use crate::isa::arithmetic::alu::Three;
use crate::isa::decoder::{Decoded, Decoder, Mods, Refusal};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::operands;
use crate::machine::program::Class;
use crate::machine::row::Isa;
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
        let [d, a, b] = self.registers(i, [Type::U32; 3])?;
        let video = Video { operation, parts: 2, signed: [signed; 3], relu, saturate: false, accumulate: false };
        let words = Three { d: d.write()?, a: a.read()?, b: b.read()?, c: a.read()? };
        self.straight::<Simd>(Class::Integer, Parts { words, video });
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
        let [d, a, b, c] = self.registers(i, [Type::U32; 4])?;
        let video =
            Video { operation, parts, signed: types.map(|t| t == Type::S32), relu: false, saturate, accumulate };
        let words = Three { d: d.write()?, a: a.read()?, b: b.read()?, c: c.read()? };
        self.straight::<Simd>(Class::Integer, Parts { words, video });
        Ok(true)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Add,
    Sub,
    /// `(a + b + (a + b >= 0)) >> 1`
    Average,
    AbsDiff,
    Min,
    Max,
    /// 1 where the comparison holds.
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// What one instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Video {
    operation: Operation,
    /// Parts of a word: 2 or 4.
    parts: u32,
    /// Result and operands are signed.
    signed: [bool; 3],
    /// Negative results become 0.
    relu: bool,
    /// Results are clamped to the range of their type.
    saturate: bool,
    /// The results are summed up, with `c`.
    accumulate: bool,
}

impl Video {
    /// The result for one lane.
    fn of(self, a: u32, b: u32, c: u32) -> u32 {
        let bits = 32 / self.parts;
        let (mut packed, mut sum) = (0, c);
        for n in 0..self.parts {
            let part = |word: u32, signed: bool| {
                let top = word >> (n * bits) << (32 - bits);
                match signed {
                    true => top as i32 >> (32 - bits),
                    false => (top >> (32 - bits)) as i32,
                }
            };
            let (x, y) = (part(a, self.signed[1]), part(b, self.signed[2]));
            let result = match self.operation {
                Operation::Add => x + y,
                Operation::Sub => x - y,
                Operation::Average => (x + y + i32::from(x + y >= 0)) >> 1,
                Operation::AbsDiff => (x - y).abs(),
                Operation::Min => x.min(y),
                Operation::Max => x.max(y),
                Operation::Eq => (x == y).into(),
                Operation::Ne => (x != y).into(),
                Operation::Lt => (x < y).into(),
                Operation::Le => (x <= y).into(),
                Operation::Gt => (x > y).into(),
                Operation::Ge => (x >= y).into(),
            };
            let result = if self.relu { result.max(0) } else { result };
            let result = match (self.saturate, self.signed[0]) {
                (false, _) => result,
                (true, true) => result.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
                (true, false) => result.clamp(0, (1 << bits) - 1),
            };
            packed |= (result as u32 & (u32::MAX >> (32 - bits))) << (n * bits);
            sum = sum.wrapping_add(result as u32);
        }
        if self.accumulate { sum } else { packed }
    }
}

/// A [`Video`] operation on each lane's words.
struct Simd;

/// The operands of [`Simd`].
#[derive(Clone, Copy)]
struct Parts {
    words: Three<u32, u32, u32, u32>,
    video: Video,
}
operands!(Video);
operands!(Parts { words, video });

impl Op for Simd {
    type Data = Parts;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame, i: &Parts, mask: u32) {
        let (a, b, c) = (cx.read(i.words.a), cx.read(i.words.b), cx.read(i.words.c));
        let results = std::array::from_fn(|l| i.video.of(a[l], b[l], c[l]));
        cx.write(i.words.d, &results, mask);
    }
}
