//! Arithmetic on the bytes or halves of a word: video instructions (`vadd4`, `vabsdiff2.add`), `add.u16x2` and its kin.

use crate::isa::arithmetic::alu::Three;
use crate::isa::decoder::{Decoded, Decoder, Found, Refusal, Row, row};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::operands;
use crate::machine::program::Class;
use crate::machine::row::Isa;
use crate::ptx::Type;

pub const ROWS: &[Row] = &[
    row("(add|min|max).(u16x2|s16x2) %r3, %r4, %r5", packed).since(90),
    row("(min|max).relu.s16x2 %r3, %r4, %r5", packed).since(90),
    row("(vadd2|vsub2|vavrg2|vabsdiff2|vmin2|vmax2)(.sat|.add)?.WORD.WORD.WORD %r3, %r4, %r5, %r6", video),
    row("(vadd4|vsub4|vavrg4|vabsdiff4|vmin4|vmax4)(.sat|.add)?.WORD.WORD.WORD %r3, %r4, %r5, %r6", video),
    row("(vset2|vset4).ORDERED(.add)?.WORD.WORD %r3, %r4, %r5, %r6", video),
];

impl Operation {
    fn named(name: &str) -> Option<Operation> {
        Some(match name {
            "add" => Operation::Add,
            "sub" => Operation::Sub,
            "avrg" => Operation::Average,
            "absdiff" => Operation::AbsDiff,
            "min" => Operation::Min,
            "max" => Operation::Max,
            "eq" => Operation::Eq,
            "ne" => Operation::Ne,
            "lt" => Operation::Lt,
            "le" => Operation::Le,
            "gt" => Operation::Gt,
            "ge" => Operation::Ge,
            _ => return None,
        })
    }
}

/// `add`, `min` and `max` of `.u16x2` and `.s16x2`.
fn packed<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let operation = Operation::named(x.i.op).ok_or_else(Refusal::wrong_type)?;
    let signed = [!x.has("u16x2"); 3];
    let video = Video { operation, parts: 2, signed, relu: x.has("relu"), saturate: false, accumulate: false };
    let [d, a, b] = c.registers(x)?;
    let words = Three { d: d.write()?, a: a.read()?, b: b.read()?, c: a.read()? };
    c.straight::<Simd>(Class::Integer, Parts { words, video });
    Ok(())
}

/// `vadd2`, `vabsdiff4` and their kin, on whole words.
fn video<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let (name, parts) = x.i.op.split_at(x.i.op.len() - 1);
    // the result of a comparison has no type
    let (name, types) = match x.one_of(&["eq", "ne", "lt", "le", "gt", "ge"]) {
        Some(comparison) => (comparison, [Type::U32, x.ty(), x.type_at(1)]),
        None => (&name[1..], [x.ty(), x.type_at(1), x.type_at(2)]),
    };
    let video = Video {
        operation: Operation::named(name).ok_or_else(Refusal::wrong_type)?,
        parts: if parts == "2" { 2 } else { 4 },
        signed: types.map(Type::signed),
        relu: false,
        saturate: x.has("sat"),
        accumulate: x.has("add"),
    };
    let [d, a, b, third] = c.registers(x)?;
    let words = Three { d: d.write()?, a: a.read()?, b: b.read()?, c: third.read()? };
    c.straight::<Simd>(Class::Integer, Parts { words, video });
    Ok(())
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
operands!(unsafe Video);
operands!(Parts { words, video });

impl Op for Simd {
    type Data = Parts;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Parts, mask: u32) {
        let (a, b, c) = (cx.read(i.words.a), cx.read(i.words.b), cx.read(i.words.c));
        let results = std::array::from_fn(|l| i.video.of(a[l], b[l], c[l]));
        cx.write(i.words.d, &results, mask);
    }
}
