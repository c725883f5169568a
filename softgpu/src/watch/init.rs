//! initcheck of global and local memory, and what that of shared memory needs too.

use crate::check::FindingKind;
use crate::machine::access::Kind;
use crate::machine::cx::Cx;
use crate::machine::row::{FULL, lanes};
use crate::watch::report::{self, Access, Spot};
use crate::watch::tally;

/// initcheck of global memory; one byte of shadow for each byte.
pub fn initialised(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32) {
    let memory = cx.launch().memory;
    let (shadow, size) = (memory.written(), access.size as usize);
    let at = |l: usize| (a[l] - memory.base()) as usize;
    if access.kind == Kind::Store {
        lanes(mask, |l| shadow.mark(at(l), size));
        return;
    }
    let missing = unwritten(cx, access, mask, |l, from, bytes| shadow.all_set(at(l) + from, bytes));
    if missing != 0 {
        let message = "the thread reads memory that nothing has written since it was allocated";
        report_uninitialised(cx, *access, a, missing, "global", message);
    }
}

/// The lanes that use a byte which nothing has written; `written` tells whether so many bytes of a lane, from one on,
/// were written.
///
/// Of a load only the bytes that are used count: the compiler may load a whole vector for a part of it and says so
/// (`.pragma "used_bytes_mask"`).
#[inline(always)]
pub fn unwritten(cx: &Cx, access: &Access, mask: u32, written: impl Fn(usize, usize, usize) -> bool) -> u32 {
    let size = access.size as usize;
    // sizes known to the compiler are compared at once
    let missing = match size {
        4 => lanes_without(mask, |l| written(l, 0, 4)),
        8 => lanes_without(mask, |l| written(l, 0, 8)),
        16 => lanes_without(mask, |l| written(l, 0, 16)),
        _ => lanes_without(mask, |l| written(l, 0, size)),
    };
    if missing == 0 {
        return 0;
    }
    let info = cx.launch().program.info.get(access.inst.head.id as usize);
    let used = info.map_or(!0, |info| info.used_bytes);
    if used == !0 {
        return missing;
    }
    let mut kept = 0;
    lanes(missing, |l| {
        let bad = (0..size).any(|b| used >> b & 1 != 0 && !written(l, b, 1));
        kept |= u32::from(bad) << l;
    });
    kept
}

#[inline(always)]
fn lanes_without(mask: u32, has: impl Fn(usize) -> bool) -> u32 {
    let mut missing = 0u32;
    if mask != FULL || !(0..32).all(&has) {
        lanes(mask, |l| missing |= u32::from(!has(l)) << l);
    }
    missing
}

/// initcheck and counters of local memory; addresses are inside.
pub fn observe_local(cx: &mut Cx, access: Access, a: &[u64; 32], mask: u32) {
    let size = access.size as usize;
    if cx.launch().count {
        tally::local(&mut cx.tally, mask, access.size, access.kind);
    }
    if !cx.launch().opts.init {
        return;
    }
    let at = |l: usize, b: usize| (a[l] as usize + b) / 4 * 128 + l * 4 + (a[l] as usize + b) % 4;
    if access.kind != Kind::Load {
        let flags = cx.own_memories().local_written;
        lanes(mask, |l| (0..size).for_each(|b| flags[at(l, b)] = 1));
        return;
    }
    let flags = cx.local_written();
    let missing = unwritten(cx, &access, mask, |l, from, bytes| (from..from + bytes).all(|b| flags[at(l, b)] != 0));
    if missing != 0 {
        let message = "the thread reads a local array or variable that it has not written";
        report_uninitialised(cx, access, a, missing, "local", message);
    }
}

/// Reports lanes that read bytes which nothing has written.
#[cold]
pub fn report_uninitialised(
    cx: &mut Cx,
    access: Access,
    a: &[u64; 32],
    missing: u32,
    space: &'static str,
    message: &str,
) {
    lanes(missing, |l| {
        let spot = Spot { address: a[l], space, bytes: access.size };
        report::at(cx, FindingKind::Uninitialised, access.inst, l as u32, spot, message);
    });
}
