//! Loads and stores.
//!
//! An access first finds where its lanes lie: one host address and an offset below 2^31 for each lane.
//! Global accesses remember for each instruction the allocation they met last, so that bounds are
//! checked by one vector comparison. Lanes that lie elsewhere (another allocation, another space
//! behind generic addresses) are done in further rounds.

use crate::kernel::Fault;
use crate::machine::access::{GENERIC, GLOBAL, SHARED, SHORT_ADDRESS, space_name};
use crate::machine::cx::{Cx, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::row::{Isa, any, fill};

/// The lanes' addresses; lanes outside the mask get that of the first lane inside.
#[inline(always)]
pub unsafe fn addresses(cx: &Cx, i: &Inst, mask: u32) -> [u64; 32] {
    let mut t = [0u64; 32];
    unsafe {
        if i.flags & SHORT_ADDRESS != 0 {
            let a = cx.row::<u32>(i.a);
            for l in 0..32 {
                t[l] = u64::from(a[l].wrapping_add(i.imm as u32));
            }
        } else {
            let a = cx.row::<u64>(i.a);
            for l in 0..32 {
                t[l] = a[l].wrapping_add(i.imm as u64);
            }
        }
    }
    fill(&mut t, mask);
    t
}

/// Where the lanes of a round lie.
pub struct Place {
    pub base: *mut u8,
    pub offsets: [u32; 32],
    /// Lanes of this round.
    pub mask: u32,
    /// Lanes for further rounds.
    pub rest: u32,
}

#[inline(always)]
fn within<I: Isa>(a: &[u64; 32], low: u64, room: u64, size: u64) -> bool {
    // room is the number of bytes from `low`; all addresses must leave `size` bytes of it
    let Some(most) = room.checked_sub(size) else {
        return false;
    };
    let mut bad = [0u32; 32];
    for l in 0..32 {
        let offset = a[l].wrapping_sub(low);
        bad[l] = u32::from(offset > most) | (offset as u32 & (size as u32 - 1));
    }
    // allocations and windows are aligned far beyond any access, so that offsets show misalignment
    // SAFETY: handlers for `I` run on such hosts only.
    !unsafe { any::<I>(&bad) }
}

#[inline(always)]
fn offsets(a: &[u64; 32], low: u64) -> [u32; 32] {
    let mut t = [0; 32];
    for l in 0..32 {
        t[l] = a[l].wrapping_sub(low) as u32;
    }
    t
}

/// Finds where the lanes of an access of `size` bytes lie.
#[inline(always)]
pub unsafe fn place<I: Isa, const SPACE: u8>(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32) -> Place {
    if SPACE == SHARED {
        if within::<I>(a, 0, cx.shared_bytes, u64::from(size)) {
            return Place { base: cx.shared, offsets: offsets(a, 0), mask, rest: 0 };
        }
    } else {
        let (low, high) = unsafe { *cx.ranges.get_unchecked(i.id as usize) };
        if within::<I>(a, low, high - low, u64::from(size)) {
            let base = unsafe { cx.arena_host.add(low.wrapping_sub(cx.arena) as usize) };
            return Place { base, offsets: offsets(a, low), mask, rest: 0 };
        }
    }
    place_slowly(cx, i, a, mask, size, SPACE)
}

#[cold]
#[inline(never)]
fn place_slowly(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, space: u8) -> Place {
    let size = u64::from(size);
    let mut place = Place { base: cx.shared, offsets: [0; 32], mask: 0, rest: 0 };
    let mut ok = mask;
    if !cx.watch {
        ok = faults(cx, i, a, mask, size, space);
    }
    if ok == 0 {
        return place;
    }
    let first = a[ok.trailing_zeros() as usize];
    let (low, room, base) = if space == SHARED {
        (0, cx.shared_bytes, cx.shared)
    } else if space == GENERIC && first.wrapping_sub(SHARED_WINDOW) < WINDOW {
        (SHARED_WINDOW, cx.shared_bytes, cx.shared)
    } else if space == GENERIC && first.wrapping_sub(PARAM_WINDOW) < WINDOW {
        (PARAM_WINDOW, cx.param_bytes, cx.params.cast_mut())
    } else {
        let (low, high) = cx.launch().window(first, size);
        cx.ranges[i.id as usize] = (low, high);
        (low, high - low, cx.host(low))
    };
    place.base = base;
    let inside = first.wrapping_sub(low) as u32;
    for l in 0..32 {
        let offset = a[l].wrapping_sub(low);
        let fits = offset <= room.wrapping_sub(size) && room >= size;
        if ok >> l & 1 != 0 && fits {
            place.mask |= 1 << l;
            place.offsets[l] = offset as u32;
        } else {
            place.offsets[l] = inside;
        }
    }
    place.rest = ok & !place.mask;
    place
}

/// Without memcheck only what would leave the device's memory, or is misaligned, is a fault. Gives the
/// lanes that may go on.
fn faults(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u64, space: u8) -> u32 {
    let mut ok = 0;
    for l in (0..32).filter(|l| mask >> l & 1 != 0) {
        let at = a[l];
        let room = |low: u64, bytes: u64| at.wrapping_sub(low) <= bytes.wrapping_sub(size) && bytes >= size;
        let inside = match space {
            SHARED => room(0, cx.shared_bytes),
            GLOBAL => room(cx.arena, cx.arena_bytes),
            _ => {
                room(cx.arena, cx.arena_bytes)
                    || room(SHARED_WINDOW, cx.shared_bytes)
                    || room(PARAM_WINDOW, cx.param_bytes)
            }
        };
        if !inside {
            let place = cx.whereabouts(i.id, l as u32);
            cx.fault(Fault::IllegalAddress(format!(
                "{place}: {size} bytes at {at:#x} lie outside {} memory",
                space_name(space)
            )));
        } else if at & (size - 1) != 0 {
            let place = cx.whereabouts(i.id, l as u32);
            cx.fault(Fault::MisalignedAddress(format!(
                "{place}: address {at:#x} is not a multiple of the access size, {size} bytes"
            )));
        } else {
            ok |= 1 << l;
        }
    }
    ok
}

/// Lanes lie one behind the other, `step` bytes apart.
#[inline(always)]
pub fn is_run(o: &[u32; 32], step: u32) -> bool {
    let mut bad = 0;
    for l in 0..32 {
        bad |= o[l] ^ o[0].wrapping_add(l as u32 * step);
    }
    bad == 0
}
