//! Operations that compute each lane from the same lane of their operands.
//!
//! An operation is a function of one to three values given as a type: closures without captures
//! have no size, so the handler can make one out of nothing and the compiler sees through it.

use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::op::{Op, handler};
use crate::machine::row::{Isa, Lane, mask_of};
use std::marker::PhantomData;

/// A function value out of its type.
#[inline(always)]
pub fn instance<F: Copy + 'static>() -> F {
    const { assert!(size_of::<F>() == 0, "only functions that capture nothing") };
    unsafe { std::ptr::NonNull::<F>::dangling().read() }
}

struct Alu1<A, D, F>(PhantomData<(A, D, F)>);
struct Alu2<A, B, D, F>(PhantomData<(A, B, D, F)>);
struct Alu3<A, B, C, D, F>(PhantomData<(A, B, C, D, F)>);
struct Pred2<A, B, F>(PhantomData<(A, B, F)>);
struct WithPred<A, B, D, F>(PhantomData<(A, B, D, F)>);

impl<A: Lane, D: Lane, F: Fn(A) -> D + Copy + 'static> Op for Alu1<A, D, F> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let f = instance::<F>();
        unsafe {
            let a = cx.row::<A>(i.a);
            let mut t = [D::default(); 32];
            for l in 0..32 {
                t[l] = f(a[l]);
            }
            cx.put(i.d, &t, mask);
        }
    }
}

impl<A: Lane, B: Lane, D: Lane, F: Fn(A, B) -> D + Copy + 'static> Op for Alu2<A, B, D, F> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let f = instance::<F>();
        unsafe {
            let (a, b) = (cx.row::<A>(i.a), cx.row::<B>(i.b));
            let mut t = [D::default(); 32];
            for l in 0..32 {
                t[l] = f(a[l], b[l]);
            }
            cx.put(i.d, &t, mask);
        }
    }
}

impl<A: Lane, B: Lane, C: Lane, D: Lane, F: Fn(A, B, C) -> D + Copy + 'static> Op for Alu3<A, B, C, D, F> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let f = instance::<F>();
        unsafe {
            let (a, b, c) = (cx.row::<A>(i.a), cx.row::<B>(i.b), cx.row::<C>(i.c));
            let mut t = [D::default(); 32];
            for l in 0..32 {
                t[l] = f(a[l], b[l], c[l]);
            }
            cx.put(i.d, &t, mask);
        }
    }
}

impl<A: Lane, B: Lane, F: Fn(A, B) -> bool + Copy + 'static> Op for Pred2<A, B, F> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let f = instance::<F>();
        unsafe {
            let (a, b) = (cx.row::<A>(i.a), cx.row::<B>(i.b));
            let mut t = [0u32; 32];
            for l in 0..32 {
                t[l] = if f(a[l], b[l]) { !0 } else { 0 };
            }
            let m = mask_of::<I>(&t);
            put_compared(cx, i, mask, m);
        }
    }
}

/// Ways `setp` and `set` combine their comparison with a third predicate; in [`Inst::flags`].
pub const COMBINE_AND: u8 = 1;
pub const COMBINE_OR: u8 = 2;
pub const COMBINE_XOR: u8 = 3;
/// The third predicate is negated.
pub const COMBINE_NOT: u8 = 4;

/// Writes a comparison to `p` and its complement to `q`, combined with the predicate `aux`.
#[inline(always)]
unsafe fn put_compared(cx: &mut Cx, i: &Inst, mask: u32, m: u32) {
    unsafe {
        let (mut yes, mut no) = (m, !m);
        if i.flags != 0 {
            let mut c = *cx.preds.add(i.aux as usize);
            if i.flags & COMBINE_NOT != 0 {
                c = !c;
            }
            (yes, no) = match i.flags & 3 {
                COMBINE_AND => (yes & c, no & c),
                COMBINE_OR => (yes | c, no | c),
                _ => (yes ^ c, no ^ c),
            };
        }
        cx.put_pred(i.p, yes, mask);
        if i.q != 0 {
            cx.put_pred(i.q, no, mask);
        }
    }
}

impl<A: Lane, B: Lane, D: Lane, F: Fn(A, B, bool) -> D + Copy + 'static> Op for WithPred<A, B, D, F> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let f = instance::<F>();
        unsafe {
            let p = *cx.preds.add(i.p as usize) ^ if i.flags & COMBINE_NOT != 0 { !0 } else { 0 };
            let (a, b) = (cx.row::<A>(i.a), cx.row::<B>(i.b));
            let mut t = [D::default(); 32];
            for l in 0..32 {
                t[l] = f(a[l], b[l], (p >> l) & 1 != 0);
            }
            cx.put(i.d, &t, mask);
        }
    }
}

/// `d = f(a)`.
pub fn alu1<A: Lane, D: Lane, F: Fn(A) -> D + Copy + 'static>(_: F) -> Handler {
    handler::<Alu1<A, D, F>>()
}

/// `d = f(a, b)`.
pub fn alu2<A: Lane, B: Lane, D: Lane, F: Fn(A, B) -> D + Copy + 'static>(_: F) -> Handler {
    handler::<Alu2<A, B, D, F>>()
}

/// `d = f(a, b, c)`.
pub fn alu3<A: Lane, B: Lane, C: Lane, D: Lane, F: Fn(A, B, C) -> D + Copy + 'static>(_: F) -> Handler {
    handler::<Alu3<A, B, C, D, F>>()
}

/// `p = f(a, b)`, `q` its complement, both combined as the flags say.
pub fn pred2<A: Lane, B: Lane, F: Fn(A, B) -> bool + Copy + 'static>(_: F) -> Handler {
    handler::<Pred2<A, B, F>>()
}

/// `d = f(a, b, p)`.
pub fn with_pred<A: Lane, B: Lane, D: Lane, F: Fn(A, B, bool) -> D + Copy + 'static>(_: F) -> Handler {
    handler::<WithPred<A, B, D, F>>()
}
