//! Carry chains and operations on predicates.

use crate::isa::arithmetic::alu::instance;
use crate::isa::decoder::CARRY;
use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::op::{Op, handler, plain_handler};
use crate::machine::row::{Isa, Lane, mask_of};
use std::marker::PhantomData;

pub const AND: u8 = 0;
pub const OR: u8 = 1;
pub const XOR: u8 = 2;

const SETS: u8 = 1;
const USES: u8 = 2;
const SUBTRACTS: u8 = 4;

/// The flags of an instruction of a carry chain.
pub fn flags(sets: bool, uses: bool, subtract: bool) -> u8 {
    (u8::from(sets) * SETS) | (u8::from(uses) * USES) | (u8::from(subtract) * SUBTRACTS)
}

/// Adding with a carry in and out.
pub trait Word: Lane {
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

#[inline(always)]
unsafe fn chain<T: Word, I: Isa>(cx: &mut Cx, i: &Inst, mask: u32, a: &[T; 32], b: &[T; 32]) {
    unsafe {
        // a - b is a + !b + 1: the flag holds the carry of that sum, after a subtraction the inverse of a borrow
        let subtract = i.flags & SUBTRACTS != 0;
        let flag = match (i.flags & USES != 0, subtract) {
            (true, _) => *cx.preds.add(CARRY as usize),
            (false, true) => !0,
            (false, false) => 0,
        };
        let (mut t, mut out) = ([T::default(); 32], [0u32; 32]);
        for l in 0..32 {
            let b = if subtract { b[l].inverse() } else { b[l] };
            let (sum, carry) = T::add(a[l], b, (flag >> l) & 1 != 0);
            t[l] = sum;
            out[l] = u32::from(carry);
        }
        if i.flags & SETS != 0 {
            cx.put_pred(CARRY, mask_of::<I>(&out), mask);
        }
        cx.put(i.d, &t, mask);
    }
}

struct Add<T>(PhantomData<T>);

impl<T: Word> Op for Add<T> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let (a, b) = (*cx.row::<T>(i.a), *cx.row::<T>(i.b));
            chain::<T, I>(cx, i, mask, &a, &b);
        }
    }
}

/// `add.cc`, `addc`, `sub.cc`, `subc`.
pub fn add<T: Word>() -> Handler {
    handler::<Add<T>>()
}

struct Mad<T, F>(PhantomData<(T, F)>);

impl<T: Word, F: Fn(T, T) -> T + Copy + 'static> Op for Mad<T, F> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let f = instance::<F>();
        unsafe {
            let (a, b, c) = (cx.row::<T>(i.a), cx.row::<T>(i.b), *cx.row::<T>(i.c));
            let mut product = [T::default(); 32];
            for l in 0..32 {
                product[l] = f(a[l], b[l]);
            }
            chain::<T, I>(cx, i, mask, &product, &c);
        }
    }
}

/// `mad.cc`, `madc`.
pub fn mad<T: Word, F: Fn(T, T) -> T + Copy + 'static>(_: F) -> Handler {
    handler::<Mad<T, F>>()
}

struct PredLogic;

impl Op for PredLogic {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = *cx.preds.add(i.q as usize) ^ if i.flags & 16 != 0 { !0 } else { 0 };
            let b = *cx.preds.add(i.aux as usize) ^ if i.flags & 32 != 0 { !0 } else { 0 };
            let v = match i.flags & 3 {
                AND => a & b,
                OR => a | b,
                _ => a ^ b,
            };
            cx.put_pred(i.p, v, mask);
        }
    }
}

/// `and`, `or`, `xor` of predicates `q` and `aux` to `p`.
pub fn pred_logic() -> Handler {
    plain_handler::<PredLogic>()
}
