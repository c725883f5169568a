//! Stores to global and shared memory.

use crate::isa::memory::local::{LocalStore, local_part};
use crate::isa::memory::place::{Place, addresses, is_run, place};
use crate::machine::access::{GENERIC, GLOBAL, Kind, LOCAL, SHARED, WIDE};
use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::old_op::{OldOp, handler};
use crate::machine::row::{FULL, Isa, lanes};
use crate::watch;

/// A store of `COUNT` elements of `SIZE` bytes a lane from rows `d`, `b`, `c`, `e`.
pub struct Store<const SPACE: u8, const SIZE: u32, const COUNT: u32>;

impl<const SPACE: u8, const SIZE: u32, const COUNT: u32> OldOp for Store<SPACE, SIZE, COUNT> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let mut a = addresses(cx, i, mask);
            let mut mask = mask;
            if SPACE == GENERIC {
                mask = local_part(cx, i, &mut a, mask, Kind::Store, SIZE, COUNT);
                if mask == 0 {
                    return;
                }
            }
            if cx.watch {
                mask = watch::observe::<I>(cx, i, &mut a, mask, SIZE * COUNT, Kind::Store, SPACE);
            }
            while mask != 0 {
                let p = place::<I, SPACE>(cx, i, &a, mask, SIZE * COUNT);
                if p.mask == 0 {
                    return;
                }
                store_to::<SIZE, COUNT>(cx, i, &p);
                mask = p.rest;
            }
        }
    }
}

#[inline(always)]
pub unsafe fn store_to<const SIZE: u32, const COUNT: u32>(cx: &mut Cx, i: &Inst, p: &Place) {
    let rows = [i.d, i.b, i.c, i.e];
    let o = &p.offsets;
    unsafe {
        if SIZE == 4 && COUNT == 1 && i.flags & WIDE == 0 {
            let t = cx.row::<u32>(i.d);
            if p.mask == FULL && o[1].wrapping_sub(o[0]) == 4 && is_run(o, 4) {
                p.base.add(o[0] as usize).cast::<[u32; 32]>().write_unaligned(*t);
            } else {
                lanes(p.mask, |l| p.base.add(o[l] as usize).cast::<u32>().write(t[l]));
            }
            return;
        }
        if SIZE == 4 && COUNT == 4 && i.flags & WIDE == 0 {
            let (x, y) = (cx.row::<u32>(i.d), cx.row::<u32>(i.b));
            let (z, w) = (cx.row::<u32>(i.c), cx.row::<u32>(i.e));
            let mut t = [[0u32; 4]; 32];
            for l in 0..32 {
                t[l] = [x[l], y[l], z[l], w[l]];
            }
            lanes(p.mask, |l| p.base.add(o[l] as usize).cast::<[u32; 4]>().write(t[l]));
            return;
        }
        for (w, &row) in rows.iter().enumerate().take(COUNT as usize) {
            let at = |l: usize| p.base.add(o[l] as usize + w * SIZE as usize);
            if SIZE == 8 {
                let t = cx.row::<u64>(row);
                lanes(p.mask, |l| at(l).cast::<u64>().write(t[l]));
            } else if i.flags & WIDE != 0 {
                let t = cx.row::<u64>(row);
                match SIZE {
                    1 => lanes(p.mask, |l| at(l).write(t[l] as u8)),
                    2 => lanes(p.mask, |l| at(l).cast::<u16>().write(t[l] as u16)),
                    _ => lanes(p.mask, |l| at(l).cast::<u32>().write(t[l] as u32)),
                }
            } else {
                let t = cx.row::<u32>(row);
                match SIZE {
                    1 => lanes(p.mask, |l| at(l).write(t[l] as u8)),
                    2 => lanes(p.mask, |l| at(l).cast::<u16>().write(t[l] as u16)),
                    _ => lanes(p.mask, |l| at(l).cast::<u32>().write(t[l])),
                }
            }
        }
    }
}

/// The handler of a store; `None` when there is no such store.
pub fn store_handler(space: u8, size: u32, count: u32) -> Option<Handler> {
    Some(match space {
        LOCAL => handler::<LocalStore>(),
        GLOBAL => store_in::<GLOBAL>(size, count)?,
        SHARED => store_in::<SHARED>(size, count)?,
        GENERIC => store_in::<GENERIC>(size, count)?,
        _ => return None,
    })
}

pub fn store_in<const SPACE: u8>(size: u32, count: u32) -> Option<Handler> {
    Some(match (size, count) {
        (1, 1) => handler::<Store<SPACE, 1, 1>>(),
        (1, 2) => handler::<Store<SPACE, 1, 2>>(),
        (1, 4) => handler::<Store<SPACE, 1, 4>>(),
        (2, 1) => handler::<Store<SPACE, 2, 1>>(),
        (2, 2) => handler::<Store<SPACE, 2, 2>>(),
        (2, 4) => handler::<Store<SPACE, 2, 4>>(),
        (4, 1) => handler::<Store<SPACE, 4, 1>>(),
        (4, 2) => handler::<Store<SPACE, 4, 2>>(),
        (4, 4) => handler::<Store<SPACE, 4, 4>>(),
        (8, 1) => handler::<Store<SPACE, 8, 1>>(),
        (8, 2) => handler::<Store<SPACE, 8, 2>>(),
        _ => return None,
    })
}
