//! Atomic operations, lane by lane.

use crate::isa::arithmetic::real;
use crate::isa::memory::place::{Place, addresses, place};
use crate::machine::access::{GENERIC, GLOBAL, Kind, SHARED};
use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::old_op::{OldOp, plain_handler};
use crate::machine::row::{Cut, Isa, Lane, NONE, lanes};
use crate::numerics::Rounding;
use crate::numerics::half::{self, Half};
use crate::ptx::Type;
use crate::watch;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// What an atomic does with the old value and its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    Add,
    MinUnsigned,
    MaxUnsigned,
    MinSigned,
    MaxSigned,
    And,
    Or,
    Xor,
    Exchange,
    CompareSwap,
    Increment,
    Decrement,
    AddSingle,
    AddDouble,
    AddHalf,
    AddHalves,
    AddBrain,
    AddBrains,
}

const ALL: [Operation; 18] = {
    use Operation::*;
    [
        Add,
        MinUnsigned,
        MaxUnsigned,
        MinSigned,
        MaxSigned,
        And,
        Or,
        Xor,
        Exchange,
        CompareSwap,
        Increment,
        Decrement,
        AddSingle,
        AddDouble,
        AddHalf,
        AddHalves,
        AddBrain,
        AddBrains,
    ]
};

/// The operation of a word and a type.
pub fn operation(word: &str, ty: Type) -> Option<Operation> {
    use Operation::*;
    use Type::*;
    Some(match (word, ty) {
        ("add", U32 | S32 | U64 | S64) => Add,
        ("add", F32) => AddSingle,
        ("add", F64) => AddDouble,
        ("add", F16) => AddHalf,
        ("add", F16x2) => AddHalves,
        ("add", Bf16) => AddBrain,
        ("add", Bf16x2) => AddBrains,
        ("min", U32 | U64) => MinUnsigned,
        ("max", U32 | U64) => MaxUnsigned,
        ("min", S32 | S64) => MinSigned,
        ("max", S32 | S64) => MaxSigned,
        ("and", B32 | B64) => And,
        ("or", B32 | B64) => Or,
        ("xor", B32 | B64) => Xor,
        ("exch", B32 | B64 | U32 | U64 | S32 | F32) => Exchange,
        ("cas", B16 | B32 | B64 | U32 | U64 | S32) => CompareSwap,
        ("inc", U32) => Increment,
        ("dec", U32) => Decrement,
        _ => return None,
    })
}

/// The new value.
fn apply(op: Operation, old: u64, b: u64, c: u64, wide: bool) -> u64 {
    use Operation::*;
    let signed = |v: u64| if wide { v as i64 } else { i64::from(v as i32) };
    match op {
        Add => old.wrapping_add(b),
        MinUnsigned => old.min(b),
        MaxUnsigned => old.max(b),
        MinSigned => {
            if signed(old) <= signed(b) {
                old
            } else {
                b
            }
        }
        MaxSigned => {
            if signed(old) >= signed(b) {
                old
            } else {
                b
            }
        }
        And => old & b,
        Or => old | b,
        Xor => old ^ b,
        Exchange => b,
        CompareSwap => {
            if old == b {
                c
            } else {
                old
            }
        }
        Increment => {
            if old >= b {
                0
            } else {
                old + 1
            }
        }
        Decrement => {
            if old == 0 || old > b {
                b
            } else {
                old - 1
            }
        }
        AddSingle => {
            let sum = f32::from_bits(old as u32) + f32::from_bits(b as u32);
            u64::from(real::tidy(sum))
        }
        AddDouble => (f64::from_bits(old) + f64::from_bits(b)).to_bits(),
        AddHalf => u64::from(half_sum(old as u16, b as u16, Half::F16)),
        AddBrain => u64::from(half_sum(old as u16, b as u16, Half::Bf16)),
        AddHalves => u64::from(half::map2(old as u32, b as u32, |x, y| half_sum(x, y, Half::F16))),
        AddBrains => u64::from(half::map2(old as u32, b as u32, |x, y| half_sum(x, y, Half::Bf16))),
    }
}

/// The sum rounded to nearest even, subnormals kept: `.noftz` is the only form there is.
fn half_sum(a: u16, b: u16, format: Half) -> u16 {
    half::add(a, b, format, Rounding::NearestEven)
}

struct Atomic<T, const SPACE: u8>(PhantomData<T>);

impl<T: Lane + Into<u64> + Cut, const SPACE: u8> OldOp for Atomic<T, SPACE> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let size = u32::from(i.p);
        cx.polls += 1;
        unsafe {
            let mut a = addresses(cx, i, mask);
            let mut mask = mask;
            if cx.watch {
                mask = watch::observe::<I>(cx, i, &mut a, mask, size, Kind::Atomic, SPACE);
            }
            let seen = mask;
            while mask != 0 {
                let p = place::<I, SPACE>(cx, i, &a, mask, size);
                if p.mask == 0 {
                    return;
                }
                round::<T>(cx, i, &p, size);
                mask = p.rest;
            }
            if SPACE != SHARED && cx.watch {
                watch::global::acquired(cx, &a, seen);
            }
        }
    }
}

unsafe fn round<T: Lane + Into<u64> + Cut>(cx: &mut Cx, i: &Inst, p: &Place, size: u32) {
    let op = ALL[i.aux as usize];
    unsafe {
        let b = cx.row::<T>(i.b);
        let c = if i.c == NONE { b } else { cx.row::<T>(i.c) };
        let mut t = [0u64; 32];
        let mut changed = false;
        lanes(p.mask, |l| {
            let at = p.base.add(p.offsets[l] as usize);
            let (b, c) = (b[l].into(), c[l].into());
            let new = |old: u64| apply(op, old, b, c, size == 8);
            let order = Ordering::SeqCst;
            let update = |old: u64| Some(new(old));
            let old = match size {
                8 => {
                    let cell = AtomicU64::from_ptr(at.cast());
                    cell.fetch_update(order, order, update).unwrap_or(0)
                }
                4 => {
                    let cell = AtomicU32::from_ptr(at.cast());
                    let f = |old: u32| Some(new(u64::from(old)) as u32);
                    u64::from(cell.fetch_update(order, order, f).unwrap_or(0))
                }
                _ => {
                    let cell = AtomicU16::from_ptr(at.cast());
                    let f = |old: u16| Some(new(u64::from(old)) as u16);
                    u64::from(cell.fetch_update(order, order, f).unwrap_or(0))
                }
            };
            changed |= new(old) != old;
            t[l] = old;
        });
        cx.progress += u64::from(changed);
        if i.d != NONE {
            cx.put(i.d, &t.map(T::cut), p.mask);
        }
    }
}

/// The handler of an atomic.
pub fn handler_for(space: u8, ty: Type) -> Handler {
    match (ty.bytes(), space) {
        (8, GLOBAL) => plain_handler::<Atomic<u64, GLOBAL>>(),
        (8, SHARED) => plain_handler::<Atomic<u64, SHARED>>(),
        (8, _) => plain_handler::<Atomic<u64, GENERIC>>(),
        (_, GLOBAL) => plain_handler::<Atomic<u32, GLOBAL>>(),
        (_, SHARED) => plain_handler::<Atomic<u32, SHARED>>(),
        _ => plain_handler::<Atomic<u32, GENERIC>>(),
    }
}

/// `discard.L2`: 128 bytes whose contents are lost.
pub struct Discard;

impl OldOp for Discard {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let a = addresses(cx, i, mask);
            if cx.watch {
                watch::discarded(cx, i, &a, mask);
                return;
            }
            let mut mask = mask;
            while mask != 0 {
                // faults where the bytes are not in the device's memory
                let p = place::<I, GLOBAL>(cx, i, &a, mask, 128);
                if p.mask == 0 {
                    return;
                }
                mask = p.rest;
            }
        }
    }
}

struct Fence;

impl OldOp for Fence {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, _: u32) {
        std::sync::atomic::fence(Ordering::SeqCst);
        if i.aux == 0 {
            watch::fenced(cx);
        }
    }
}

/// `membar`, `fence`.
pub fn fence() -> Handler {
    plain_handler::<Fence>()
}
