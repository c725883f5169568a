//! An access to memory as the checks and counters see it.
//!
//! An access is seen before it is done, so that a lane with a wrong address can be kept from doing it.

use crate::check::FindingKind;
use crate::kernel::Fault;
use crate::machine::access::{GENERIC, GLOBAL, Kind, SHARED, space_name};
use crate::machine::cx::{Cx, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::row::{Isa, fill, lanes};
use crate::watch::init::initialised;
use crate::watch::report::{self, Spot};
use crate::watch::{global, shared, tally};

/// Looks at an access; gives the lanes that may do it.
pub fn observe<I: Isa>(cx: &mut Cx, i: &Inst, a: &mut [u64; 32], mask: u32, size: u32, kind: Kind, space: u8) -> u32 {
    if space != GENERIC {
        return look(cx, i, a, mask, size, kind, space);
    }
    let mut in_shared = 0;
    let mut in_params = 0;
    for l in 0..32 {
        in_shared |= u32::from(a[l].wrapping_sub(SHARED_WINDOW) < WINDOW) << l;
        in_params |= u32::from(a[l].wrapping_sub(PARAM_WINDOW) < WINDOW) << l;
    }
    let global = mask & !in_shared & !in_params;
    let mut ok = 0;
    if global != 0 {
        let mut part = *a;
        fill(&mut part, global);
        ok |= look(cx, i, &part, global, size, kind, GLOBAL);
    }
    if mask & in_shared != 0 {
        let mut part = a.map(|v| v.wrapping_sub(SHARED_WINDOW));
        fill(&mut part, mask & in_shared);
        ok |= look(cx, i, &part, mask & in_shared, size, kind, SHARED);
    }
    if mask & in_params != 0 {
        ok |= mask & in_params;
    }
    if ok != 0 {
        fill(a, ok);
    }
    ok
}

#[inline(never)]
fn look(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind, space: u8) -> u32 {
    let ok = bounds(cx, i, a, mask, size, kind, space);
    if ok == 0 {
        return 0;
    }
    if cx.launch().count {
        tally::access(cx, a, ok, size, kind, space);
    }
    if space == SHARED {
        shared::access(cx, i, a, ok, size, kind);
    } else {
        let opts = cx.launch().opts;
        if opts.init {
            // SAFETY: these lanes were found inside the device's memory.
            unsafe { initialised(cx, i, a, ok, size, kind) };
        }
        if opts.race {
            global::access(cx, i, a, ok, size, kind);
        }
    }
    ok
}

/// memcheck: the lanes whose address is right.
pub fn bounds(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind, space: u8) -> u32 {
    let bytes = u64::from(size);
    let (low, room) = if space == SHARED {
        (0, cx.shared_bytes)
    } else {
        let (low, high) = cx.ranges[i.id as usize];
        (low, high - low)
    };
    let most = room.wrapping_sub(bytes);
    let mut bad = 0u64;
    for v in a {
        let offset = v.wrapping_sub(low);
        bad |= u64::from(offset > most) | (offset & (bytes - 1));
    }
    let no_gap = space != SHARED || cx.launch().shared_gap.is_empty();
    if bad == 0 && room >= bytes && no_gap {
        return mask;
    }
    let mut ok = 0;
    lanes(mask, |l| {
        let spot = Spot { address: a[l], space: space_name(space), bytes: size };
        let right = if !inside(cx, i, a[l], bytes, space) {
            outside(cx, i, l as u32, spot, kind, space)
        } else if a[l] & (bytes - 1) != 0 {
            misaligned(cx, i, l as u32, spot, kind);
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
        let gap = &launch.shared_gap;
        return bytes <= cx.shared_bytes
            && at <= cx.shared_bytes - bytes
            && (at + bytes <= gap.start || at >= gap.end || gap.is_empty());
    }
    let found = launch.allocation(at).is_some_and(|x| at + bytes <= x.base + x.size);
    if found {
        cx.ranges[i.id as usize] = launch.window(at, bytes);
    }
    found
}

/// An access outside; true when it is done all the same: without memcheck the device's memory is one range.
fn outside(cx: &mut Cx, i: &Inst, lane: u32, spot: Spot, kind: Kind, space: u8) -> bool {
    let Spot { address: at, bytes: size, .. } = spot;
    let launch = cx.launch();
    if launch.opts.mem {
        let what = kind.verb();
        let (finding, message) = if space == SHARED {
            let all = cx.shared_bytes;
            let message = format!(
                "the thread {what} {size} bytes at shared offset {at}, the block has {all} bytes of shared memory"
            );
            (FindingKind::OutOfBounds, message)
        } else if launch.memory.freed(at).is_some() {
            (FindingKind::UseAfterFree, format!("the thread {what} {size} bytes of memory that was freed"))
        } else {
            (FindingKind::OutOfBounds, format!("the thread {what} {size} bytes outside every allocation"))
        };
        report::at(cx, finding, i, lane, spot, &message);
        return false;
    }
    let bytes = u64::from(size);
    if space != SHARED && at.wrapping_sub(cx.arena) < cx.arena_bytes - bytes {
        return at & (bytes - 1) == 0;
    }
    let place = cx.whereabouts(i.id, lane);
    let message = format!("{place}: {size} bytes at {at:#x} lie outside {} memory", spot.space);
    cx.fault(Fault::IllegalAddress(message));
    false
}

fn misaligned(cx: &mut Cx, i: &Inst, lane: u32, spot: Spot, kind: Kind) {
    let Spot { address: at, bytes: size, .. } = spot;
    let message = format!(
        "the thread {} {size} bytes at an address that is not a multiple of {size}; vector accesses need aligned \
         pointers",
        kind.verb()
    );
    if cx.launch().opts.mem {
        report::at(cx, FindingKind::Misaligned, i, lane, spot, &message);
    } else {
        let place = cx.whereabouts(i.id, lane);
        cx.fault(Fault::MisalignedAddress(format!("{place}: {message} ({at:#x})")));
    }
}

/// `discard`: 128 bytes of each lane hold nothing any more, which is a write to the other checks.
pub fn discarded(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32) {
    let ok = bounds(cx, i, a, mask, 128, Kind::Store, GLOBAL);
    if ok == 0 {
        return;
    }
    let (init, race) = (cx.launch().opts.init, cx.launch().opts.race);
    if init {
        let (arena, shadow) = (cx.arena, cx.arena_written);
        // SAFETY: the shadow covers every address of the arena, and these were found inside.
        lanes(ok, |l| unsafe {
            std::ptr::write_bytes(shadow.add((a[l] - arena) as usize), 0, 128);
        });
    }
    if race {
        for part in 0..8 {
            let mut at = a.map(|v| v + 16 * part);
            fill(&mut at, ok);
            global::access(cx, i, &at, ok, 16, Kind::Store);
        }
    }
}

/// A local access outside the thread's local memory, or misaligned.
pub fn bad_local(cx: &mut Cx, i: &Inst, address: u64, lane: u32, size: u32, inside: bool) {
    let bytes = cx.local_bytes;
    let (kind, message) = if inside {
        (FindingKind::Misaligned, format!("{size} bytes at an address that is not a multiple of {size}"))
    } else {
        (
            FindingKind::OutOfBounds,
            format!("local offset {address} is outside the thread's {bytes} bytes of local memory"),
        )
    };
    if cx.launch().opts.mem {
        report::at(cx, kind, i, lane, Spot { address, space: "local", bytes: size }, &message);
    } else {
        let place = cx.whereabouts(i.id, lane);
        let text = format!("{place}: {message}");
        cx.fault(if inside { Fault::MisalignedAddress(text) } else { Fault::IllegalAddress(text) });
    }
}
