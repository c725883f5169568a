//! Operations that compute each lane from the same lane of their operands.
//!
//! An operation is a function of one to three values given as a type: closures without captures
//! have no size, so the handler can make one out of nothing and the compiler sees through it.

use crate::isa::decoder::{Drafted, Lanes};
use crate::machine::op::{Frame, Op, draft};
use crate::machine::operand::{Dst, Pred, PredDst, Register, Src, operands};
use crate::machine::row::{Isa, Lane};
use std::marker::PhantomData;

/// A function value out of its type.
///
/// # Safety
/// There was a value of the type.
#[inline(always)]
pub unsafe fn instance<F: Copy + 'static>() -> F {
    const { assert!(size_of::<F>() == 0, "only functions that capture nothing") };
    // SAFETY: a value without size has no bytes, and the caller's `F` is inhabited.
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}

/// A result and three sources, each of its own width.
#[derive(Clone, Copy)]
pub struct Three<D, A, B, C> {
    pub d: Dst<D>,
    pub a: Src<A>,
    pub b: Src<B>,
    pub c: Src<C>,
}
operands!([D: Lane, A: Lane, B: Lane, C: Lane] Three<D, A, B, C> { d, a, b, c });

/// A result and two sources.
#[derive(Clone, Copy)]
pub struct Two<D, A, B> {
    pub d: Dst<D>,
    pub a: Src<A>,
    pub b: Src<B>,
}
operands!([D: Lane, A: Lane, B: Lane] Two<D, A, B> { d, a, b });

/// A result and a source.
#[derive(Clone, Copy)]
pub struct One<D, A> {
    pub d: Dst<D>,
    pub a: Src<A>,
}
operands!([D: Lane, A: Lane] One<D, A> { d, a });

struct Alu1<A, D, F>(PhantomData<(A, D, F)>);
struct Alu2<A, B, D, F>(PhantomData<(A, B, D, F)>);
struct Alu3<A, B, C, D, F>(PhantomData<(A, B, C, D, F)>);

impl<A: Lane, D: Lane, F: Fn(A) -> D + Copy + 'static> Op for Alu1<A, D, F> {
    type Data = One<D, A>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &One<D, A>, mask: u32) {
        // SAFETY: `alu1` was given one.
        let f = unsafe { instance::<F>() };
        let a = cx.read(i.a);
        let mut t = [D::default(); 32];
        for l in 0..32 {
            t[l] = f(a[l]);
        }
        cx.write(i.d, &t, mask);
    }
}

impl<A: Lane, B: Lane, D: Lane, F: Fn(A, B) -> D + Copy + 'static> Op for Alu2<A, B, D, F> {
    type Data = Two<D, A, B>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Two<D, A, B>, mask: u32) {
        // SAFETY: `alu2` was given one.
        let f = unsafe { instance::<F>() };
        let (a, b) = (cx.read(i.a), cx.read(i.b));
        let mut t = [D::default(); 32];
        for l in 0..32 {
            t[l] = f(a[l], b[l]);
        }
        cx.write(i.d, &t, mask);
    }
}

impl<A: Lane, B: Lane, C: Lane, D: Lane, F: Fn(A, B, C) -> D + Copy + 'static> Op for Alu3<A, B, C, D, F> {
    type Data = Three<D, A, B, C>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Three<D, A, B, C>, mask: u32) {
        // SAFETY: `alu3` was given one.
        let f = unsafe { instance::<F>() };
        let (a, b, c) = (cx.read(i.a), cx.read(i.b), cx.read(i.c));
        let mut t = [D::default(); 32];
        for l in 0..32 {
            t[l] = f(a[l], b[l], c[l]);
        }
        cx.write(i.d, &t, mask);
    }
}

/// `d = f(a)`.
pub fn alu1<A: Lane, D: Lane, F: Fn(A) -> D + Copy + 'static>(_: F) -> Lanes {
    |d, s| Ok(draft::<Alu1<A, D, F>>(One { d: d.write()?, a: s[0].read()? }))
}

/// `d = f(a, b)`.
pub fn alu2<A: Lane, B: Lane, D: Lane, F: Fn(A, B) -> D + Copy + 'static>(_: F) -> Lanes {
    |d, s| Ok(draft::<Alu2<A, B, D, F>>(Two { d: d.write()?, a: s[0].read()?, b: s[1].read()? }))
}

/// `d = f(a, b, c)`.
pub fn alu3<A: Lane, B: Lane, C: Lane, D: Lane, F: Fn(A, B, C) -> D + Copy + 'static>(_: F) -> Lanes {
    |d, s| {
        let data = Three { d: d.write()?, a: s[0].read()?, b: s[1].read()?, c: s[2].read()? };
        Ok(draft::<Alu3<A, B, C, D, F>>(data))
    }
}

/// An operation on predicates.
#[derive(Clone, Copy, Debug)]
pub enum Combine {
    And,
    Or,
    Xor,
}

impl Combine {
    /// `and`, `or`, `xor`.
    pub fn named(word: &str) -> Combine {
        match word {
            "and" => Combine::And,
            "or" => Combine::Or,
            _ => Combine::Xor,
        }
    }

    /// Of masks of lanes.
    #[inline(always)]
    pub fn of(self, a: u32, b: u32) -> u32 {
        match self {
            Combine::And => a & b,
            Combine::Or => a | b,
            Combine::Xor => a ^ b,
        }
    }
}

/// Where a comparison goes: the predicate, its complement, and what both are combined with.
#[derive(Clone, Copy)]
pub struct Outcome {
    pub yes: PredDst,
    pub no: Option<PredDst>,
    pub with: Option<Third>,
}

/// The third predicate of a comparison.
#[derive(Clone, Copy)]
pub struct Third {
    pub how: Combine,
    pub pred: Pred,
}
operands!(unsafe Outcome);

impl Outcome {
    /// Writes the lanes for which the comparison holds.
    #[inline(always)]
    pub fn put<I: Isa>(&self, cx: &mut Frame<I>, holds: u32, mask: u32) {
        let (mut yes, mut no) = (holds, !holds);
        if let Some(third) = self.with {
            let c = cx.predicate(third.pred);
            (yes, no) = (third.how.of(yes, c), third.how.of(no, c));
        }
        cx.set_predicate(self.yes, yes, mask);
        if let Some(p) = self.no {
            cx.set_predicate(p, no, mask);
        }
    }
}

/// A comparison's outcome and sources.
#[derive(Clone, Copy)]
pub struct Compare<T> {
    pub to: Outcome,
    pub a: Src<T>,
    pub b: Src<T>,
}
operands!([T: Lane] Compare<T> { to, a, b });

struct Pred2<T, F>(PhantomData<(T, F)>);

impl<T: Lane, F: Fn(T, T) -> bool + Copy + 'static> Op for Pred2<T, F> {
    type Data = Compare<T>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Compare<T>, mask: u32) {
        // SAFETY: `pred2` was given one.
        let f = unsafe { instance::<F>() };
        let (a, b) = (cx.read(i.a), cx.read(i.b));
        let mut t = [0u32; 32];
        for l in 0..32 {
            t[l] = if f(a[l], b[l]) { !0 } else { 0 };
        }
        let holds = cx.mask_of(&t);
        i.to.put(cx, holds, mask);
    }
}

/// A comparison of which only the operands are missing.
pub type Comparison = fn(Outcome, [Register; 2]) -> Drafted;

/// A comparison that holds where `f(a, b)` does.
pub fn pred2<T: Lane, F: Fn(T, T) -> bool + Copy + 'static>(_: F) -> Comparison {
    |to, [a, b]| Ok(draft::<Pred2<T, F>>(Compare { to, a: a.read()?, b: b.read()? }))
}

/// `d = p ? a : b`.
pub struct Select<T>(PhantomData<T>);

/// The operands of [`Select`].
#[derive(Clone, Copy)]
pub struct Choice<T> {
    pub d: Dst<T>,
    pub a: Src<T>,
    pub b: Src<T>,
    pub p: Pred,
}
operands!([T: Lane] Choice<T> { d, a, b, p });

impl<T: Lane> Op for Select<T> {
    type Data = Choice<T>;
    #[inline(always)]
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Choice<T>, mask: u32) {
        let (p, a, b) = (cx.predicate(i.p), cx.read(i.a), cx.read(i.b));
        let mut t = [T::default(); 32];
        for l in 0..32 {
            t[l] = if (p >> l) & 1 != 0 { a[l] } else { b[l] };
        }
        cx.write(i.d, &t, mask);
    }
}
