//! Loads from global and shared memory.

use crate::isa::memory::local::{LocalLoad, local_part};
use crate::isa::memory::param::ParamLoad;
use crate::isa::memory::place::{Place, addresses, is_run, place};
use crate::machine::access::{GENERIC, GLOBAL, Kind, LOCAL, PARAM, SHARED, SIGNED, STRONG, WIDE};
use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::old_op::{OldOp, handler};
use crate::machine::row::{Isa, NONE, gather, gather_quad, gather64};
use crate::watch;

/// A load of `COUNT` elements of `SIZE` bytes a lane into rows `d`, `b`, `c`, `e`.
pub struct Load<const SPACE: u8, const SIZE: u32, const COUNT: u32>;

impl<const SPACE: u8, const SIZE: u32, const COUNT: u32> OldOp for Load<SPACE, SIZE, COUNT> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            let mut mask = mask;
            cx.polls += u64::from(i.flags & STRONG != 0);
            if SPACE == GENERIC {
                mask = local_part(cx, i, &mut a, mask, Kind::Load, SIZE, COUNT);
                if mask == 0 {
                    return;
                }
            }
            if cx.watch {
                mask = watch::observe::<I>(cx, i, &mut a, mask, SIZE * COUNT, Kind::Load, SPACE);
            }
            let seen = mask;
            while mask != 0 {
                let p = place::<I, SPACE>(cx, i, &a, mask, SIZE * COUNT);
                if p.mask == 0 {
                    return;
                }
                load_from::<I, SIZE, COUNT>(cx, i, &p);
                mask = p.rest;
            }
            if SPACE != SHARED && cx.watch && i.flags & STRONG != 0 {
                watch::global::acquired(cx, &a, seen);
            }
        }
    }
}

#[inline(always)]
pub unsafe fn load_from<I: Isa, const SIZE: u32, const COUNT: u32>(cx: &mut Cx, i: &Inst, p: &Place) {
    let rows = [i.d, i.b, i.c, i.e];
    unsafe {
        match (SIZE, COUNT) {
            (4, 1) => {
                let o = &p.offsets;
                let step = o[1].wrapping_sub(o[0]);
                let t = if step == 4 && o[31].wrapping_sub(o[0]) == 124 && is_run(o, 4) {
                    p.base.add(o[0] as usize).cast::<[u32; 32]>().read_unaligned()
                } else if step == 0 && is_run(o, 0) {
                    [p.base.add(o[0] as usize).cast::<u32>().read(); 32]
                } else {
                    gather::<I>(p.base, o)
                };
                put32(cx, i, i.d, &t, p.mask);
            }
            (4, 2) => {
                let t = gather64::<I>(p.base, &p.offsets);
                let (mut low, mut high) = ([0u32; 32], [0u32; 32]);
                for l in 0..32 {
                    low[l] = t[l] as u32;
                    high[l] = (t[l] >> 32) as u32;
                }
                put32(cx, i, i.d, &low, p.mask);
                put32(cx, i, i.b, &high, p.mask);
            }
            (4, 4) => {
                let t = gather_quad::<I>(p.base, &p.offsets);
                for w in 0..4 {
                    put32(cx, i, rows[w], &t[w], p.mask);
                }
            }
            (8, 1) => {
                let t = gather64::<I>(p.base, &p.offsets);
                put64(cx, i, i.d, &t, p.mask);
            }
            (8, _) => {
                for w in 0..COUNT as usize {
                    let t = gather64::<I>(p.base.add(8 * w), &p.offsets);
                    put64(cx, i, rows[w], &t, p.mask);
                }
            }
            _ => {
                for w in 0..COUNT as usize {
                    let mut t = [0u32; 32];
                    for l in 0..32 {
                        let at = p.base.add(p.offsets[l] as usize + w * SIZE as usize);
                        t[l] = match (SIZE, i.flags & SIGNED != 0) {
                            (1, false) => u32::from(at.read()),
                            (1, true) => i32::from(at.cast::<i8>().read()) as u32,
                            (_, false) => u32::from(at.cast::<u16>().read()),
                            (_, true) => i32::from(at.cast::<i16>().read()) as u32,
                        };
                    }
                    put_small(cx, i, rows[w], &mut t, p.mask);
                }
            }
        }
    }
}

/// Puts 32-bit elements, extended where the register is wider; `_` takes none.
#[inline(always)]
pub unsafe fn put32(cx: &mut Cx, i: &Inst, row: u32, t: &[u32; 32], mask: u32) {
    if row == NONE {
        return;
    }
    unsafe {
        if i.flags & WIDE == 0 {
            cx.put(row, t, mask);
        } else {
            put_extended(cx, i, row, t, mask);
        }
    }
}

#[inline(never)]
pub unsafe fn put_extended(cx: &mut Cx, i: &Inst, row: u32, t: &[u32; 32], mask: u32) {
    let wide = if i.flags & SIGNED != 0 { t.map(|v| i64::from(v as i32) as u64) } else { t.map(u64::from) };
    unsafe { cx.put(row, &wide, mask) };
}

#[inline(always)]
pub unsafe fn put64(cx: &mut Cx, i: &Inst, row: u32, t: &[u64; 32], mask: u32) {
    let _ = i;
    if row != NONE {
        unsafe { cx.put(row, t, mask) };
    }
}

/// Bytes and halves: 16-bit registers keep the upper half of their lane zero.
#[inline(always)]
pub unsafe fn put_small(cx: &mut Cx, i: &Inst, row: u32, t: &mut [u32; 32], mask: u32) {
    if i.imm2_narrow() {
        for v in t.iter_mut() {
            *v &= 0xffff;
        }
    }
    unsafe { put32(cx, i, row, t, mask) };
}

impl Inst {
    /// The registers of a load are 16 bits wide (in `q`, which loads don't use otherwise).
    #[inline(always)]
    pub fn imm2_narrow(&self) -> bool {
        self.q == 16
    }
}

/// The handler of a load; `None` when there is no such load.
pub fn load_handler(space: u8, size: u32, count: u32) -> Option<Handler> {
    Some(match space {
        LOCAL => handler::<LocalLoad>(),
        PARAM => handler::<ParamLoad>(),
        GLOBAL => load_in::<GLOBAL>(size, count)?,
        SHARED => load_in::<SHARED>(size, count)?,
        _ => load_in::<GENERIC>(size, count)?,
    })
}

pub fn load_in<const SPACE: u8>(size: u32, count: u32) -> Option<Handler> {
    Some(match (size, count) {
        (1, 1) => handler::<Load<SPACE, 1, 1>>(),
        (1, 2) => handler::<Load<SPACE, 1, 2>>(),
        (1, 4) => handler::<Load<SPACE, 1, 4>>(),
        (2, 1) => handler::<Load<SPACE, 2, 1>>(),
        (2, 2) => handler::<Load<SPACE, 2, 2>>(),
        (2, 4) => handler::<Load<SPACE, 2, 4>>(),
        (4, 1) => handler::<Load<SPACE, 4, 1>>(),
        (4, 2) => handler::<Load<SPACE, 4, 2>>(),
        (4, 4) => handler::<Load<SPACE, 4, 4>>(),
        (8, 1) => handler::<Load<SPACE, 8, 1>>(),
        (8, 2) => handler::<Load<SPACE, 8, 2>>(),
        _ => return None,
    })
}
