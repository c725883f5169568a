//! Asynchronous copies and mbarriers as the checks see them.

use crate::check::FindingKind;
use crate::machine::access::SHARED;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::mbarrier::Arrival;
use crate::machine::row::{fill, lanes};
use crate::machine::warp::AsyncCopy;
use crate::watch::access::bounds;
use crate::watch::report::{self, Access, Spot};
use crate::watch::{shared, tally};

/// The destination of an asynchronous copy; gives the lanes that may do it.
pub fn copy_target(cx: &mut Cx, access: Access, a: &mut [u64; 32], mask: u32) -> u32 {
    let Access { inst, kind, size, .. } = access;
    let ok = bounds(cx, &access, a, mask, SHARED);
    if ok == 0 {
        return 0;
    }
    fill(a, ok);
    if cx.launch().count {
        tally::access(cx, a, ok, size, kind, SHARED);
    }
    if cx.launch().opts.race {
        shared::hazards(cx, &access, a, ok);
        let (first, clock) = (cx.warp().first_thread, cx.warp().clock);
        let shadow = &mut cx.block().shadow;
        lanes(ok, |l| shadow.copied(a[l] as u32, size, clock, first + l as u32, inst.head.id, true));
    }
    ok
}

/// An asynchronous copy has written its destination, on behalf of a warp's threads and as of a clock.
pub fn copy_landed(cx: &mut Cx, copy: &AsyncCopy, first_thread: u32, clock: u32) {
    let shadow = &mut cx.block().shadow;
    lanes(copy.mask, |l| shadow.copied(copy.to[l], copy.size, clock, first_thread + l as u32, copy.inst, false));
}

/// An asynchronous copy whose source is not in an allocation.
pub fn copy_source(cx: &mut Cx, i: &Inst, address: u64, lane: u32, bytes: u32) {
    let message = format!("the asynchronous copy reads {bytes} bytes outside every allocation");
    report::wrong(cx, FindingKind::OutOfBounds, i, lane, Spot { address, space: "global", bytes }, &message);
}

/// An instruction touches objects; gives the lanes that may go on.
pub fn object(cx: &mut Cx, access: Access, a: &[u64; 32], mask: u32) -> u32 {
    let ok = bounds(cx, &access, a, mask, SHARED);
    if ok != 0 {
        shared::access(cx, &access, a, ok);
    }
    ok
}

/// Lanes of the current warp arrive.
pub fn arrived(cx: &mut Cx, lanes: u32) -> Arrival {
    let (number, clock) = (cx.warp().number, cx.warp().clock);
    Arrival { warp: number, lanes, clock, known: cx.block().shadow.view(number as usize, clock) }
}

/// Lanes of the current warp have waited for a phase in which these arrived.
pub fn waited(cx: &mut Cx, arrivals: &[Arrival], lanes: u32) {
    let me = cx.warp().number;
    for a in arrivals {
        if !a.known.is_empty() {
            cx.block().shadow.learn(me as usize, &a.known);
        }
        if a.warp != me {
            cx.block().shadow.learn_one(me as usize, a.warp as usize, a.clock);
            continue;
        }
        // lanes of this warp: the arrivers are before the waiters
        let warp = cx.warp();
        if a.lanes & warp.alive == warp.alive && lanes & warp.alive == warp.alive {
            warp.syncs.retain(|s| s.0 > a.clock);
            let clock = a.clock + 1;
            cx.block().shadow.raise_warp_floor(me as usize, clock);
        } else if warp.syncs.last() != Some(&(a.clock, a.lanes | lanes)) {
            warp.syncs.push((a.clock, a.lanes | lanes));
        }
    }
}
