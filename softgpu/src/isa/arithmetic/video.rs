//! Arithmetic on the bytes or halves of a word: video instructions (`vadd4`, `vabsdiff2.add`), `add.u16x2` and its kin.

use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::op::{Op, plain_handler};
use crate::machine::row::Isa;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
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

const OPERATIONS: [Operation; 12] = {
    use Operation::*;
    [Add, Sub, Average, AbsDiff, Min, Max, Eq, Ne, Lt, Le, Gt, Ge]
};

/// One instruction, as it lies in `aux`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Video {
    pub operation: Operation,
    /// Parts of a word: 2 or 4.
    pub parts: u32,
    /// Result and operands are signed.
    pub signed: [bool; 3],
    /// Negative results become 0.
    pub relu: bool,
    /// Results are clamped to the range of their type.
    pub saturate: bool,
    /// The results are summed up, with `c`.
    pub accumulate: bool,
}

impl Video {
    pub fn pack(self) -> u32 {
        let flag = |b: bool, at: u32| u32::from(b) << at;
        self.operation as u32
            | flag(self.parts == 4, 8)
            | flag(self.signed[0], 9)
            | flag(self.signed[1], 10)
            | flag(self.signed[2], 11)
            | flag(self.saturate, 12)
            | flag(self.accumulate, 13)
            | flag(self.relu, 14)
    }

    fn unpack(bits: u32) -> Video {
        let flag = |at: u32| bits >> at & 1 != 0;
        Video {
            operation: OPERATIONS[(bits & 0xff) as usize],
            parts: if flag(8) { 4 } else { 2 },
            signed: [flag(9), flag(10), flag(11)],
            saturate: flag(12),
            accumulate: flag(13),
            relu: flag(14),
        }
    }

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

struct Simd;

impl Op for Simd {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let video = Video::unpack(i.aux);
        // SAFETY: the decoder gave rows of 32-bit registers.
        unsafe {
            let (a, b, c) = (*cx.row::<u32>(i.a), *cx.row::<u32>(i.b), *cx.row::<u32>(i.c));
            let results: [u32; 32] = std::array::from_fn(|l| video.of(a[l], b[l], c[l]));
            cx.put(i.d, &results, mask);
        }
    }
}

/// What `aux` says ([`Video::pack`]) of `a`, `b` and `c`.
pub fn simd() -> Handler {
    plain_handler::<Simd>()
}
