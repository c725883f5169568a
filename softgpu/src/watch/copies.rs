//! Asynchronous copies as the checks see them.

use crate::check::FindingKind;
use crate::kernel::Fault;
use crate::machine::access::{Kind, SHARED};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::row::{Isa, fill, lanes};
use crate::machine::warp::AsyncCopy;
use crate::watch::access::bounds;
use crate::watch::report::{self, Spot};
use crate::watch::{shared, tally};

/// The destination of an asynchronous copy; gives the lanes that may do it.
pub fn copy_target<I: Isa>(cx: &mut Cx, i: &Inst, a: &mut [u64; 32], mask: u32, size: u32) -> u32 {
    let ok = bounds(cx, i, a, mask, size, Kind::Store, SHARED);
    if ok == 0 {
        return 0;
    }
    fill(a, ok);
    if cx.launch().count {
        tally::access(cx, a, ok, size, Kind::Store, SHARED);
    }
    if cx.launch().opts.race {
        shared::access_for_copy(cx, i, a, ok, size);
        let (first, clock) = (cx.warp().first_thread, cx.warp().clock);
        let shadow = &mut cx.block().shadow;
        lanes(ok, |l| {
            let (at, thread) = (a[l] as u32, first + l as u32);
            shadow.copied(at, size, clock, thread, i.id, true)
        });
    }
    ok
}

/// An asynchronous copy has written its destination, on behalf of a warp's threads and as of a clock.
pub fn copy_landed(cx: &mut Cx, copy: &AsyncCopy, first_thread: u32, clock: u32) {
    let shadow = &mut cx.block().shadow;
    lanes(copy.mask, |l| {
        let (at, thread) = (copy.to[l], first_thread + l as u32);
        shadow.copied(at, copy.size, clock, thread, copy.inst, false)
    });
}

/// An asynchronous copy whose source is not in an allocation.
pub fn copy_source(cx: &mut Cx, i: &Inst, address: u64, lane: u32, bytes: u32) {
    let message = format!("the asynchronous copy reads {bytes} bytes outside every allocation");
    if cx.launch().opts.mem {
        report::at(cx, FindingKind::OutOfBounds, i, lane, Spot { address, space: "global", bytes }, &message);
    } else {
        let place = cx.whereabouts(i.id, lane);
        cx.fault(Fault::IllegalAddress(format!("{place}: {message} ({address:#x})")));
    }
}
