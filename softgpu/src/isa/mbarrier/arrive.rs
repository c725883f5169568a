//! Arrivals, those promised by copies too, and transactions.

use crate::isa::mbarrier::action::{DROP, NO_COMPLETE, PLAIN, RELAXED, misuse};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::mbarrier::{CopyArrival, MOST, Mbarrier};
use crate::watch;

pub fn arrive(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier, count: u32) {
    if count == 0 || count > object.pending {
        let message = format!("{count} arrivals at an mbarrier that waits for {} in this phase", object.pending);
        misuse(cx, i, lane, &message);
        return;
    }
    if i.flags & DROP != 0 {
        object.expected -= count.min(object.expected);
    }
    if cx.launch().opts.race && i.flags & RELAXED == 0 {
        let arrival = watch::mbarrier::arrival(cx, 1 << lane);
        object.remember(arrival);
    }
    object.pending -= count;
    if object.advance() {
        cx.progress += 1;
        if i.flags & NO_COMPLETE != 0 {
            let message = "an arrival with .noComplete ended the phase: its effect is undefined";
            misuse(cx, i, lane, message);
        }
    }
}

/// `cp.async.mbarrier.arrive`: an arrival when the lane's copies so far have landed.
pub fn promise(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier) {
    if i.flags & PLAIN == 0 {
        if object.pending == MOST {
            misuse(cx, i, lane, "the pending count of the mbarrier overflows");
            return;
        }
        object.pending += 1;
    } else if object.copies.len() >= object.pending as usize {
        let message =
            format!("more arrivals at an mbarrier than the {} that it waits for in this phase", object.pending);
        misuse(cx, i, lane, &message);
        return;
    }
    let warp = cx.warp();
    object.copies.push(CopyArrival { warp: warp.number, lane, serial: warp.copies.issued, clock: warp.clock });
}

pub fn expect(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier, bytes: i64) {
    let sum = i64::from(object.transactions) + bytes;
    if sum.abs() > i64::from(MOST) {
        let message = format!("{sum} bytes of transactions; an mbarrier counts at most {MOST}");
        misuse(cx, i, lane, &message);
        return;
    }
    object.transactions = sum as i32;
}
