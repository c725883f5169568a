//! An access to memory as the checks and counters see it.
//!
//! An access is seen before it is done, so that a lane with a wrong address can be kept from doing it.

use crate::check::FindingKind;
use crate::kernel::Fault;
use crate::machine::access::{GENERIC, GLOBAL, Kind, PARAM, SHARED};
use crate::machine::cx::{Cx, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::row::{fill, lanes};
use crate::watch::init::initialised;
use crate::watch::report::{self, Access, Spot};
use crate::watch::{global, shared, tally};

/// Looks at an access; gives the lanes that may do it.
#[inline(always)]
pub fn observe(cx: &mut Cx, access: Access, a: &mut [u64; 32], mask: u32, space: u8) -> u32 {
    if space == GENERIC { generic(cx, &access, a, mask) } else { one(cx, &access, a, mask, space) }
}

/// Looks at an access to one space.
#[inline(always)]
fn one(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32, space: u8) -> u32 {
    let fits = fits(cx, access, a, space);
    look(cx, access, a, mask, space, fits)
}

/// Of generic addresses each space is looked at by itself.
fn generic(cx: &mut Cx, access: &Access, a: &mut [u64; 32], mask: u32) -> u32 {
    let (mut in_shared, mut in_params) = (0, 0);
    for l in 0..32 {
        in_shared |= u32::from(a[l].wrapping_sub(SHARED_WINDOW) < WINDOW) << l;
        in_params |= u32::from(a[l].wrapping_sub(PARAM_WINDOW) < WINDOW) << l;
    }
    let mut ok = 0;
    let (global, shared, params) = (mask & !in_shared & !in_params, mask & in_shared, mask & in_params);
    if global != 0 {
        let mut part = *a;
        fill(&mut part, global);
        ok |= one(cx, access, &part, global, GLOBAL);
    }
    if shared != 0 {
        let mut part = a.map(|v| v.wrapping_sub(SHARED_WINDOW));
        fill(&mut part, shared);
        ok |= one(cx, access, &part, shared, SHARED);
    }
    if access.kind == Kind::Load {
        ok |= params;
    } else {
        lanes(params, |l| {
            let message = format!("the thread {} the kernel's parameters", access.kind.verb());
            report::wrong(cx, FindingKind::ReadOnly, access.inst, l as u32, access.spot(a[l], PARAM), &message);
        });
    }
    if ok != 0 {
        fill(a, ok);
    }
    ok
}

#[inline(never)]
fn look(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32, space: u8, fits: bool) -> u32 {
    let ok = if fits { mask } else { bounds(cx, access, a, mask, space) };
    if ok == 0 {
        return 0;
    }
    if cx.launch().count {
        tally::access(cx, a, ok, access.size, access.kind, space);
    }
    if space == SHARED {
        let reserved = u64::from(cx.launch().reserved_shared);
        let own = || (0..32).fold(0, |own, l| own | u32::from(a[l] < reserved) << l) & ok;
        match if reserved == cx.shared().bytes() { ok } else { own() } {
            // the system's part holds what cooperative groups synchronise by, and is not checked for races
            0 => {}
            own if own == ok => shared::access(cx, access, a, ok),
            own => {
                let mut part = *a;
                fill(&mut part, own);
                shared::access(cx, access, &part, own);
            }
        }
    } else {
        let opts = cx.launch().opts;
        if opts.init {
            initialised(cx, access, a, ok);
        }
        if opts.race {
            global::access(cx, access, a, ok);
        }
    }
    ok
}

/// Whether all addresses are right: the usual case. It is compiled into each instruction, for the processor's vectors.
#[inline(always)]
fn fits(cx: &mut Cx, access: &Access, a: &[u64; 32], space: u8) -> bool {
    let bytes = u64::from(access.size);
    let (low, high) = if space == SHARED { (0, cx.shared().bytes()) } else { cx.range(access.inst.head.id) };
    let room = high - low;
    let most = room.wrapping_sub(bytes);
    // the top bit is that of an offset beyond the range, whichever side
    let (mut beyond, mut odd) = (0u64, 0u64);
    for v in a {
        let offset = v.wrapping_sub(low);
        beyond |= most.wrapping_sub(offset) | offset;
        odd |= offset;
    }
    let no_gap = space != SHARED || cx.launch().shared_gaps.iter().all(|gap| gap.is_empty());
    beyond >> 63 == 0 && odd & (bytes - 1) == 0 && room >= bytes && no_gap
}

/// memcheck: the lanes whose address is right.
pub fn bounds(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32, space: u8) -> u32 {
    if fits(cx, access, a, space) {
        return mask;
    }
    let bytes = u64::from(access.size);
    let mut ok = 0;
    lanes(mask, |l| {
        let right = if !inside(cx, access.inst, a[l], bytes, space) {
            outside(cx, *access, l as u32, a[l], space)
        } else if a[l] & (bytes - 1) != 0 {
            misaligned(cx, *access, l as u32, a[l], space);
            false
        } else {
            true
        };
        ok |= u32::from(right) << l;
    });
    ok
}

/// Whether an access lies in an allocation, or in the shared memory that the block's variables have.
fn inside(cx: &mut Cx, i: &Inst, at: u64, bytes: u64, space: u8) -> bool {
    let launch = cx.launch();
    if space == SHARED {
        let apart = launch.shared_gaps.iter().all(|gap| gap.is_empty() || at >= gap.end || at + bytes <= gap.start);
        let all = cx.shared().bytes();
        return bytes <= all && at <= all - bytes && apart;
    }
    let found = launch.allocation(at).is_some_and(|x| at + bytes <= x.base + x.size);
    if found {
        cx.meet(i.head.id, at, bytes);
    }
    found
}

/// An access outside; true when it is done all the same: without memcheck the device's memory is one range.
fn outside(cx: &mut Cx, access: Access, lane: u32, at: u64, space: u8) -> bool {
    let Access { inst, kind, size, .. } = access;
    let launch = cx.launch();
    let (what, spot, bytes) = (kind.verb(), access.spot(at, space), u64::from(size));
    if launch.opts.mem {
        let all = launch.own_shared;
        let (finding, message) = if space == SHARED {
            let there = format!("at shared offset {at}, the block has {all} bytes of shared memory");
            (FindingKind::OutOfBounds, there)
        } else if launch.memory.freed(at).is_some() {
            (FindingKind::UseAfterFree, "of memory that was freed".into())
        } else {
            (FindingKind::OutOfBounds, "outside every allocation".into())
        };
        report::at(cx, finding, inst, lane, spot, &format!("the thread {what} {size} bytes {message}"));
        return false;
    }
    if space != SHARED && !launch.opts.guard && at.wrapping_sub(launch.memory.base()) < launch.memory.size() - bytes {
        return at & (bytes - 1) == 0;
    }
    let message = format!("{size} bytes at {at:#x} lie outside {} memory", spot.space);
    cx.fail(Fault::IllegalAddress, inst.head.id, lane, &message);
    false
}

fn misaligned(cx: &mut Cx, access: Access, lane: u32, at: u64, space: u8) {
    let Access { inst, kind, size, .. } = access;
    let message = format!(
        "the thread {} {size} bytes at an address that is not a multiple of {size}; vector accesses need aligned \
         pointers",
        kind.verb()
    );
    report::wrong(cx, FindingKind::Misaligned, inst, lane, access.spot(at, space), &message);
}

/// `discard`: 128 bytes of each lane hold nothing any more, which is a write to the other checks.
pub fn discarded(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32) {
    let ok = bounds(cx, &Access::of(i, Kind::Store, 128), a, mask, GLOBAL);
    if ok == 0 {
        return;
    }
    let launch = cx.launch();
    if launch.opts.init {
        lanes(ok, |l| launch.memory.written().fill((a[l] - launch.memory.base()) as usize, 128, 0));
    }
    if launch.opts.race {
        for part in 0..8 {
            let mut at = a.map(|v| v + 16 * part);
            fill(&mut at, ok);
            global::access(cx, &Access::of(i, Kind::Store, 16), &at, ok);
        }
    }
}

/// A local access outside the thread's local memory, or misaligned.
pub fn bad_local(cx: &mut Cx, i: &Inst, address: u64, lane: u32, size: u32, inside: bool) {
    let bytes = 4 * cx.own_memories().local.len();
    let (kind, message) = if inside {
        (FindingKind::Misaligned, format!("{size} bytes at an address that is not a multiple of {size}"))
    } else {
        let message = format!("local offset {address} is outside the thread's {bytes} bytes of local memory");
        (FindingKind::OutOfBounds, message)
    };
    report::wrong(cx, kind, i, lane, Spot { address, space: "local", bytes: size }, &message);
}
