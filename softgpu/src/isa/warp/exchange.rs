//! Operations across the lanes of a warp. Their mask holds the members that execute together.

use crate::isa::arithmetic::alu::instance;
use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::old_op::{OldOp, handler, plain_handler};
use crate::machine::row::{Isa, Lane, NONE};
use crate::ptx::Type;
use crate::watch;
use std::marker::PhantomData;

/// `shfl.sync`: mode 0 up, 1 down, 2 bfly, 3 idx; value `a`, lane `c`, clamp `e`.
pub struct Shuffle<const MODE: u8>;

impl<const MODE: u8> OldOp for Shuffle<MODE> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let (a, b, c) = (cx.row::<u32>(i.a), cx.row::<u32>(i.c), cx.row::<u32>(i.e));
            let mut t = [0u32; 32];
            let mut inside = 0u32;
            let mut missing = 0u32;
            for l in 0..32u32 {
                let (b, c) = (b[l as usize] & 31, c[l as usize]);
                let (clamp, segment) = (c & 31, (c >> 8) & 31);
                let most = (l & segment) | (clamp & !segment);
                let least = l & segment;
                let (j, ok) = match MODE {
                    0 => (l.wrapping_sub(b), l as i32 - b as i32 >= most as i32),
                    1 => (l + b, l + b <= most),
                    2 => (l ^ b, l ^ b <= most),
                    _ => {
                        let j = least | (b & !segment);
                        (j, j <= most)
                    }
                };
                let from = if ok { j } else { l };
                t[l as usize] = a[from as usize & 31];
                inside |= u32::from(ok) << l;
                missing |= u32::from(mask >> (from & 31) & 1 == 0) << l;
            }
            if missing & mask != 0 {
                watch::shuffle_from_nobody(cx, i, missing & mask);
            }
            cx.put_pred(i.p, inside, mask);
            if i.d != NONE {
                cx.put(i.d, &t, mask);
            }
        }
    }
}

/// `vote.sync`: 0 all, 1 any, 2 uni, 3 ballot of predicate `q`.
pub struct Vote<const HOW: u8>;

impl<const HOW: u8> OldOp for Vote<HOW> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let v = (*cx.preds.add(i.q as usize) ^ if i.flags != 0 { !0 } else { 0 }) & mask;
            let yes = match HOW {
                0 => v == mask,
                1 => v != 0,
                2 => v == mask || v == 0,
                _ => {
                    cx.put(i.d, &[v; 32], mask);
                    return;
                }
            };
            cx.put_pred(i.p, if yes { !0 } else { 0 }, mask);
        }
    }
}

/// `activemask`.
pub struct ActiveMask;

impl OldOp for ActiveMask {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe { cx.put(i.d, &[mask; 32], mask) };
    }
}

/// `elect.sync`: the lowest member.
pub struct Elect;

impl OldOp for Elect {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let leader = mask.trailing_zeros();
        unsafe {
            if i.d != NONE {
                cx.put(i.d, &[leader; 32], mask);
            }
            cx.put_pred(i.p, 1 << leader, mask);
        }
    }
}

/// `match.any.sync` and `match.all.sync`.
pub struct Match<T, const ALL: bool>(PhantomData<T>);

impl<T: Lane + PartialEq, const ALL: bool> OldOp for Match<T, ALL> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = *cx.row::<T>(i.a);
            let mut t = [0u32; 32];
            for l in 0..32 {
                for k in 0..32 {
                    t[l] |= u32::from(a[l] == a[k]) << k;
                }
                t[l] &= mask;
            }
            if ALL {
                let same = t[mask.trailing_zeros() as usize & 31] == mask;
                cx.put_pred(i.p, if same { !0 } else { 0 }, mask);
                t = [if same { mask } else { 0 }; 32];
            }
            if i.d != NONE {
                cx.put(i.d, &t, mask);
            }
        }
    }
}

struct Redux<F>(PhantomData<F>);

impl<F: Fn(u32, u32) -> u32 + Copy + 'static> OldOp for Redux<F> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let f = instance::<F>();
        unsafe {
            let a = cx.row::<u32>(i.a);
            let mut sum = a[mask.trailing_zeros() as usize & 31];
            for l in mask.trailing_zeros() + 1..32 {
                if mask >> l & 1 != 0 {
                    sum = f(sum, a[l as usize]);
                }
            }
            cx.put(i.d, &[sum; 32], mask);
        }
    }
}

fn redux_of<F: Fn(u32, u32) -> u32 + Copy + 'static>(_: F) -> Handler {
    plain_handler::<Redux<F>>()
}

/// The handler of `redux.sync`.
pub fn redux(how: &str, ty: Type) -> Option<Handler> {
    Some(match (how, ty) {
        ("add", Type::U32 | Type::S32) => redux_of(|a, b| a.wrapping_add(b)),
        ("min", Type::U32) => redux_of(|a, b| a.min(b)),
        ("max", Type::U32) => redux_of(|a, b| a.max(b)),
        ("min", Type::S32) => redux_of(|a, b| (a as i32).min(b as i32) as u32),
        ("max", Type::S32) => redux_of(|a, b| (a as i32).max(b as i32) as u32),
        ("and", Type::B32) => redux_of(|a, b| a & b),
        ("or", Type::B32) => redux_of(|a, b| a | b),
        ("xor", Type::B32) => redux_of(|a, b| a ^ b),
        _ => return None,
    })
}

struct SyncWarp;

impl OldOp for SyncWarp {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let _ = i;
        watch::warp_synced(cx, mask);
    }
}

/// `bar.warp.sync`.
pub fn syncwarp() -> Handler {
    handler::<SyncWarp>()
}
