//! Integer functions of single lanes, written so that loops over them become vectors.

use crate::isa::arithmetic::alu::Three;
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{Dst, Register, Src, WrongWidth, operands};
use crate::machine::row::{Cut, Isa, Lane};
use std::marker::PhantomData;

#[inline(always)]
pub fn wide_s32(a: u32, b: u32) -> u64 {
    (i64::from(a as i32) * i64::from(b as i32)) as u64
}

#[inline(always)]
pub fn wide_s16(a: u32, b: u32) -> u32 {
    (i32::from(a as i16) * i32::from(b as i16)) as u32
}

#[inline(always)]
fn low24(a: u32) -> u64 {
    u64::from(a & 0xff_ffff)
}

#[inline(always)]
fn low24s(a: u32) -> i64 {
    i64::from((a << 8) as i32 >> 8)
}

#[inline(always)]
pub fn lo24_u(a: u32, b: u32) -> u32 {
    (low24(a) * low24(b)) as u32
}

#[inline(always)]
pub fn lo24_s(a: u32, b: u32) -> u32 {
    (low24s(a) * low24s(b)) as u32
}

#[inline(always)]
pub fn hi24_u(a: u32, b: u32) -> u32 {
    ((low24(a) * low24(b)) >> 16) as u32
}

#[inline(always)]
pub fn hi24_s(a: u32, b: u32) -> u32 {
    ((low24s(a) * low24s(b)) >> 16) as u32
}

#[inline(always)]
pub fn funnel_left(low: u32, high: u32, n: u32) -> u32 {
    (((u64::from(high) << 32 | u64::from(low)) << n) >> 32) as u32
}

#[inline(always)]
pub fn funnel_right(low: u32, high: u32, n: u32) -> u32 {
    ((u64::from(high) << 32 | u64::from(low)) >> n) as u32
}

/// Mask of `n` low bits, `n` up to 64.
#[inline(always)]
fn ones(n: u32) -> u64 {
    if n > 63 { !0 } else { (1u64 << n) - 1 }
}

#[inline(always)]
pub fn bfe_u32(a: u32, pos: u32, len: u32) -> u32 {
    bfe_u64(u64::from(a), pos, len) as u32
}

#[inline(always)]
pub fn bfe_s32(a: u32, pos: u32, len: u32) -> u32 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    if len == 0 {
        return 0;
    }
    let v = i64::from(a as i32);
    let sign = (v >> (pos + len - 1).min(31)) & 1;
    let field = (v >> pos.min(63)) as u64 & ones(len);
    let filled = field | if sign != 0 { !ones(len) } else { 0 };
    if pos > 31 { (0 - sign) as u32 } else { filled as u32 }
}

#[inline(always)]
pub fn bfe_u64(a: u64, pos: u32, len: u32) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    if pos > 63 { 0 } else { (a >> pos) & ones(len) }
}

#[inline(always)]
pub fn bfe_s64(a: u64, pos: u32, len: u32) -> u64 {
    let (pos, len) = (pos & 0xff, len & 0xff);
    if len == 0 {
        return 0;
    }
    let sign = ((a as i64) >> (pos + len - 1).min(63)) & 1;
    let field = if pos > 63 { 0 } else { ((a as i64) >> pos) as u64 & ones(len) };
    let filled = field | if sign != 0 { !ones(len) } else { 0 };
    if pos > 63 { (0 - sign) as u64 } else { filled }
}

/// `bfi`: the low bits of `a` put into `b`.
pub struct Bfi<T>(PhantomData<T>);

/// The operands of [`Bfi`].
#[derive(Clone, Copy)]
pub struct Insertion<T> {
    pub d: Dst<T>,
    pub a: Src<T>,
    pub b: Src<T>,
    pub position: Src<u32>,
    pub length: Src<u32>,
}
operands!([T: Lane] Insertion<T> { d, a, b, position, length });

impl<T: Lane> Insertion<T> {
    /// Of registers in the order of the text.
    pub fn of([d, a, b, position, length]: [Register; 5]) -> Result<Insertion<T>, WrongWidth> {
        let (position, length) = (position.read()?, length.read()?);
        Ok(Insertion { d: d.write()?, a: a.read()?, b: b.read()?, position, length })
    }
}

impl<T: Cut> Op for Bfi<T> {
    type Data = Insertion<T>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Insertion<T>, mask: u32) {
        let (a, b, position, length) = (cx.read(i.a), cx.read(i.b), cx.read(i.position), cx.read(i.length));
        let bits = 32 * T::ROWS;
        let mut t = [T::default(); 32];
        for l in 0..32 {
            let (position, length) = (position[l] & 0xff, length[l] & 0xff);
            let field = if position >= bits { 0 } else { ones(length) << position };
            let new = if position >= bits { 0 } else { a[l].grow() << position };
            t[l] = T::cut((new & field) | (b[l].grow() & !field));
        }
        cx.write(i.d, &t, mask);
    }
}

/// `lop3`: any logic function of three words.
pub struct Lop3;

/// The operands of [`Lop3`] and the function's table.
#[derive(Clone, Copy)]
pub struct Logic {
    pub words: Three<u32, u32, u32, u32>,
    pub table: u8,
}
operands!(Logic { words, table });

impl Op for Lop3 {
    type Data = Logic;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Logic, mask: u32) {
        let (a, b, c) = (cx.read(i.words.a), cx.read(i.words.b), cx.read(i.words.c));
        let on: [u32; 8] = std::array::from_fn(|n| 0u32.wrapping_sub(u32::from(i.table >> n & 1)));
        let mut t = [0u32; 32];
        for l in 0..32 {
            let (a, b, c) = (a[l], b[l], c[l]);
            let low = (!b & ((!c & on[0]) | (c & on[1]))) | (b & ((!c & on[2]) | (c & on[3])));
            let high = (!b & ((!c & on[4]) | (c & on[5]))) | (b & ((!c & on[6]) | (c & on[7])));
            t[l] = (!a & low) | (a & high);
        }
        cx.write(i.words.d, &t, mask);
    }
}

#[inline(always)]
pub fn prmt(a: u32, b: u32, selector: u32) -> u32 {
    let bytes = u64::from(b) << 32 | u64::from(a);
    let mut out = 0;
    for n in 0..4 {
        let s = selector >> (4 * n);
        let byte = (bytes >> (8 * (s & 7))) as u32 & 0xff;
        let sign = 0u32.wrapping_sub(byte >> 7) & 0xff;
        out |= (if s & 8 != 0 { sign } else { byte }) << (8 * n);
    }
    out
}

/// A mode whose selectors are `base + s * step` in each nibble, modulo 8.
#[inline(always)]
pub fn prmt_mode(a: u32, b: u32, s: u32, base: u32, step: u32) -> u32 {
    let mut selector = 0;
    for n in 0..4 {
        let digit = ((base >> (4 * n)) & 7) + ((step >> (4 * n)) & 7) * (s & 3);
        selector |= (digit & 7) << (4 * n);
    }
    prmt(a, b, selector)
}

#[inline(always)]
pub fn prmt_b4e(a: u32, b: u32, s: u32) -> u32 {
    const SELECTORS: [u32; 4] = [0x5670, 0x6701, 0x7012, 0x0123];
    prmt(a, b, SELECTORS[(s & 3) as usize])
}

#[inline(always)]
pub fn prmt_ecl(a: u32, b: u32, s: u32) -> u32 {
    const SELECTORS: [u32; 4] = [0x3210, 0x3211, 0x3222, 0x3333];
    prmt(a, b, SELECTORS[(s & 3) as usize])
}

#[inline(always)]
pub fn prmt_ecr(a: u32, b: u32, s: u32) -> u32 {
    const SELECTORS: [u32; 4] = [0x0000, 0x1110, 0x2210, 0x3210];
    prmt(a, b, SELECTORS[(s & 3) as usize])
}

/// `fns`: position of the n-th set bit from a base, upwards or downwards; all ones when there is none.
pub fn fns(mask: u32, base: u32, offset: u32) -> u32 {
    let offset = offset as i32;
    if base > 31 {
        return !0;
    }
    if offset == 0 {
        return if mask >> base & 1 != 0 { base } else { !0 };
    }
    let mut left = offset.unsigned_abs();
    let mut at = base as i32;
    while (0..32).contains(&at) {
        if mask >> at & 1 != 0 {
            left -= 1;
            if left == 0 {
                return at as u32;
            }
        }
        at += offset.signum();
    }
    !0
}

#[inline(always)]
pub fn bmsk(pos: u32, len: u32) -> u32 {
    if pos > 31 { 0 } else { (ones(len) << pos) as u32 }
}

#[inline(always)]
pub fn dp4a(a: u32, b: u32, c: u32, a_signed: bool, b_signed: bool) -> u32 {
    let mut sum = c;
    for n in 0..4 {
        let byte = |v: u32, signed: bool| {
            let v = v >> (8 * n);
            if signed { i32::from(v as i8) } else { i32::from(v as u8) }
        };
        sum = sum.wrapping_add((byte(a, a_signed) * byte(b, b_signed)) as u32);
    }
    sum
}

#[inline(always)]
pub fn dp2a(a: u32, b: u32, c: u32, a_signed: bool, b_signed: bool, from: u32) -> u32 {
    let mut sum = c;
    for n in 0..2 {
        let x = a >> (16 * n);
        let y = b >> (from + 8 * n);
        let x = if a_signed { i32::from(x as i16) } else { i32::from(x as u16) };
        let y = if b_signed { i32::from(y as i8) } else { i32::from(y as u8) };
        sum = sum.wrapping_add(x.wrapping_mul(y) as u32);
    }
    sum
}
