//! What an mbarrier orders, for the hazard checks.

use crate::machine::access::{Kind, SHARED};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::mbarrier::Arrival;
use crate::watch::access::bounds;
use crate::watch::shared;

/// An instruction touches objects; gives the lanes that may go on.
pub fn access(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, kind: Kind) -> u32 {
    let ok = bounds(cx, i, a, mask, 8, kind, SHARED);
    if ok != 0 {
        shared::access(cx, i, a, ok, 8, kind);
    }
    ok
}

/// Lanes of the current warp arrive.
pub fn arrival(cx: &mut Cx, lanes: u32) -> Arrival {
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
