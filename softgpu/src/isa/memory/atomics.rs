//! Atomic operations, lane by lane.

use crate::isa::memory::place::{Address, place};
use crate::machine::access::{GLOBAL, Kind, SHARED};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnyDst, AnySrc, operands};
use crate::machine::place::Place;
use crate::machine::row::{Isa, lanes};
use crate::numerics::Rounding;
use crate::numerics::float::tidy;
use crate::numerics::soft::{self, Format};
use crate::ptx::Type;
use crate::watch::{self, Access};
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// The new value of an atomic, of the old one and its operands.
pub type Update = fn(u64, u64, u64) -> u64;

/// The update of a word and a type.
pub fn update(word: &str, ty: Type) -> Option<Update> {
    use Type::*;
    Some(match (word, ty) {
        ("add", U32 | S32 | U64 | S64) => |old, b, _| old.wrapping_add(b),
        ("add", F32) => |old, b, _| tidy(f32::from_bits(old as u32) + f32::from_bits(b as u32)).into(),
        ("add", F64) => |old, b, _| (f64::from_bits(old) + f64::from_bits(b)).to_bits(),
        ("add", F16) => |old, b, _| half_sum(old, b, soft::F16),
        ("add", Bf16) => |old, b, _| half_sum(old, b, soft::BF16),
        ("add", F16x2) => |old, b, _| half_sum(old, b, soft::F16) | half_sum(old >> 16, b >> 16, soft::F16) << 16,
        ("add", Bf16x2) => |old, b, _| half_sum(old, b, soft::BF16) | half_sum(old >> 16, b >> 16, soft::BF16) << 16,
        ("min", U32 | U64) => |old, b, _| old.min(b),
        ("max", U32 | U64) => |old, b, _| old.max(b),
        ("min", S32) => |old, b, _| (old as i32).min(b as i32) as u64,
        ("max", S32) => |old, b, _| (old as i32).max(b as i32) as u64,
        ("min", S64) => |old, b, _| (old as i64).min(b as i64) as u64,
        ("max", S64) => |old, b, _| (old as i64).max(b as i64) as u64,
        ("and", B32 | B64) => |old, b, _| old & b,
        ("or", B32 | B64) => |old, b, _| old | b,
        ("xor", B32 | B64) => |old, b, _| old ^ b,
        ("exch", B32 | B64 | U32 | U64 | S32 | F32) => |_, b, _| b,
        ("cas", B16 | B32 | B64 | U32 | U64 | S32) => |old, b, c| if old == b { c } else { old },
        ("inc", U32) => |old, b, _| if old >= b { 0 } else { old + 1 },
        ("dec", U32) => |old, b, _| if old == 0 || old > b { b } else { old - 1 },
        _ => return None,
    })
}

/// The sum rounded to nearest even, subnormals kept: `.noftz` is the only form there is.
fn half_sum(a: u64, b: u64, format: Format) -> u64 {
    soft::add(a & 0xffff, b & 0xffff, format, Rounding::NearestEven)
}

/// The data of an atomic.
#[derive(Clone, Copy)]
pub struct Updating {
    pub update: Update,
    pub at: Address,
    /// The old value.
    pub d: Option<AnyDst>,
    pub b: AnySrc,
    pub c: Option<AnySrc>,
}
operands!(unsafe Update);
operands!(Updating { update, at, d, b, c });

/// An atomic update of `BYTES` bytes.
pub struct Atomic<const SPACE: u8, const BYTES: usize>;

impl<const SPACE: u8, const BYTES: usize> Op for Atomic<SPACE, BYTES> {
    type Data = Updating;
    const APART: bool = true;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Updating, mask: u32) {
        let (inst, mut a, mut mask) = (cx.inst(), i.at.of(cx, mask), mask);
        cx.polls += 1;
        if cx.watch {
            mask = watch::observe(cx, Access::of(inst, Kind::Atomic, BYTES), &mut a, mask, SPACE);
        }
        let seen = mask;
        while mask != 0 {
            let Some(p) = place::<I, SPACE, BYTES>(cx, &a, mask, Kind::Atomic) else { return };
            round(cx, i, &p);
            mask = p.rest();
        }
        if SPACE != SHARED && cx.watch {
            watch::global::acquired(cx, &a, seen);
        }
    }
}

fn round<I: Isa, const BYTES: usize>(cx: &mut Frame<I>, i: &Updating, p: &Place<I, BYTES>) {
    let b = cx.bits(i.b);
    let c = i.c.map_or(b, |c| cx.bits(c));
    let cut = |v: u64| v & (!0 >> (64 - 8 * BYTES));
    let mut t = [0u64; 32];
    let mut changed = false;
    lanes(p.mask(), |l| {
        let new = |old: u64| (i.update)(old, b[l], c[l]);
        let at = p.aligned(l, BYTES);
        let order = Ordering::SeqCst;
        // SAFETY: an aligned place of so many bytes, which other host threads update in the same way.
        let old = unsafe {
            match BYTES {
                8 => AtomicU64::from_ptr(at.cast()).fetch_update(order, order, |old| Some(new(old))).unwrap_or(0),
                4 => {
                    let update = |old: u32| Some(new(old.into()) as u32);
                    AtomicU32::from_ptr(at.cast()).fetch_update(order, order, update).unwrap_or(0).into()
                }
                _ => {
                    let update = |old: u16| Some(new(old.into()) as u16);
                    AtomicU16::from_ptr(at.cast()).fetch_update(order, order, update).unwrap_or(0).into()
                }
            }
        };
        changed |= cut(new(old)) != old;
        t[l] = old;
    });
    cx.progress += u64::from(changed);
    if let Some(d) = i.d {
        cx.write_bits(d, &t, p.mask());
    }
}

/// `discard.L2`: 128 bytes whose contents are lost.
pub struct Discard;

impl Op for Discard {
    type Data = Address;
    fn exec<I: Isa>(cx: &mut Frame<I>, at: &Address, mask: u32) {
        let a = at.of(cx, mask);
        if cx.watch {
            let inst = cx.inst();
            watch::discarded(cx, inst, &a, mask);
            return;
        }
        let mut mask = mask;
        while mask != 0 {
            // faults where the bytes are not in the device's memory
            mask = place::<I, GLOBAL, 128>(cx, &a, mask, Kind::Store).map_or(0, |p| p.rest());
        }
    }
}

/// `membar`, `fence`; whether it orders more than the block's own threads.
pub struct Fence;

impl Op for Fence {
    type Data = bool;
    const VECTORS: bool = false;
    fn exec<I: Isa>(cx: &mut Frame<I>, device: &bool, _: u32) {
        std::sync::atomic::fence(Ordering::SeqCst);
        if *device {
            watch::fenced(cx);
        }
    }
}
