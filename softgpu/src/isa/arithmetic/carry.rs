//! Sums and products with a carry in or out.

use crate::isa::arithmetic::alu::{Three, instance};
use crate::isa::arithmetic::integers::Integer;
use crate::isa::decoder::{Decoded, Decoder, Drafted, Found};
use crate::machine::op::{Frame, Op, draft};
use crate::machine::operand::{PredDst, Register, operands};
use crate::machine::program::Class;
use crate::machine::row::{Isa, Lane};
use crate::ptx::Type;
use std::marker::PhantomData;

/// `add.cc`, `addc`, `sub.cc`, `subc`.
pub fn carrying<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let op = x.i.op;
    let link = Link { sets: x.has("cc"), uses: op.ends_with('c'), subtracts: op.starts_with("sub") };
    let make = if x.ty().bytes() == 4 { chain(|a: u32, _| a) } else { chain(|a: u64, _| a) };
    let [d, a, b] = c.registers(x)?;
    c.append(Class::Integer, make(link, [d, a, a, b])?);
    Ok(())
}

/// `mad.cc` and `madc`.
pub fn carrying_mad<'a>(c: &mut Decoder<'a>, x: &Found<'_, 'a>) -> Decoded<()> {
    let make = match (x.has("lo"), x.ty()) {
        (true, Type::U32 | Type::S32) => chain(|a: u32, b: u32| a.wrapping_mul(b)),
        (false, Type::U32) => chain(|a: u32, b: u32| a.high(b)),
        (false, Type::S32) => chain(|a: u32, b: u32| (a as i32).high(b as i32) as u32),
        (true, _) => chain(|a: u64, b: u64| a.wrapping_mul(b)),
        (false, Type::U64) => chain(|a: u64, b: u64| a.high(b)),
        (false, _) => chain(|a: u64, b: u64| (a as i64).high(b as i64) as u64),
    };
    let registers = c.registers(x)?;
    let link = Link { sets: x.has("cc"), uses: x.i.op == "madc", subtracts: false };
    c.append(Class::Integer, make(link, registers)?);
    Ok(())
}

/// What an instruction of a carry chain does with the carry flag.
#[derive(Clone, Copy)]
struct Link {
    sets: bool,
    uses: bool,
    subtracts: bool,
}

/// Adding with a carry in and out.
trait Word: Lane {
    /// Sum and carry out.
    fn add(a: Self, b: Self, carry: bool) -> (Self, bool);
    /// All bits inverted.
    fn inverse(self) -> Self;
}

impl Word for u32 {
    #[inline(always)]
    fn add(a: u32, b: u32, carry: bool) -> (u32, bool) {
        let sum = u64::from(a) + u64::from(b) + u64::from(carry);
        (sum as u32, sum >> 32 != 0)
    }
    #[inline(always)]
    fn inverse(self) -> u32 {
        !self
    }
}

impl Word for u64 {
    #[inline(always)]
    fn add(a: u64, b: u64, carry: bool) -> (u64, bool) {
        let (s, x) = a.overflowing_add(b);
        let (s, y) = s.overflowing_add(u64::from(carry));
        (s, x | y)
    }
    #[inline(always)]
    fn inverse(self) -> u64 {
        !self
    }
}

#[derive(Clone, Copy)]
struct Terms<T> {
    rows: Three<T, T, T, T>,
    link: Link,
}
operands!(unsafe Link);
operands!([T: Lane] Terms<T> { rows, link });

/// `d = f(a, b) + c` or `- c`, with the carry flag.
struct Chain<T, F>(PhantomData<(T, F)>);

impl<T: Word, F: Fn(T, T) -> T + Copy + 'static> Op for Chain<T, F> {
    type Data = Terms<T>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Terms<T>, mask: u32) {
        // SAFETY: `chain` was given one.
        let f = unsafe { instance::<F>() };
        let (a, b, c) = (cx.read(i.rows.a), cx.read(i.rows.b), cx.read(i.rows.c));
        let link = i.link;
        // a - c is a + !c + 1: the flag holds the carry of that sum, after a subtraction the inverse of a borrow
        let flag = match (link.uses, link.subtracts) {
            (true, _) => cx.predicate(PredDst::CARRY.read()),
            (false, true) => !0,
            (false, false) => 0,
        };
        let (mut t, mut out) = ([T::default(); 32], [0u32; 32]);
        for l in 0..32 {
            let c = if link.subtracts { c[l].inverse() } else { c[l] };
            let (sum, carry) = T::add(f(a[l], b[l]), c, (flag >> l) & 1 != 0);
            t[l] = sum;
            out[l] = u32::from(carry);
        }
        if link.sets {
            let carries = cx.mask_of(&out);
            cx.set_predicate(PredDst::CARRY, carries, mask);
        }
        cx.write(i.rows.d, &t, mask);
    }
}

fn chain<T: Word, F: Fn(T, T) -> T + Copy + 'static>(_: F) -> fn(Link, [Register; 4]) -> Drafted {
    |link, [d, a, b, c]| {
        let rows = Three { d: d.write()?, a: a.read()?, b: b.read()?, c: c.read()? };
        Ok(draft::<Chain<T, F>>(Terms { rows, link }))
    }
}
