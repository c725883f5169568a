//! Whether two accesses are ordered after all, and what is said when not.

use crate::check::FindingKind;
use crate::machine::access::Kind;
use crate::machine::cx::Cx;
use crate::machine::program::Expected;
use crate::machine::warp::Warp;
use crate::shadow::shared::{ATOMIC, CLOCK, INST, MANY, PENDING, THREAD, WARP};
use crate::watch::report::{self, Access, Spot};
use crate::watch::words::Meeting;

/// Decides whether two accesses are ordered after all, and reports them if not.
#[cold]
#[inline(never)]
pub fn judge(cx: &mut Cx, access: Access, at: u64, meeting: &Meeting) {
    let Access { inst, kind, size, stored, .. } = access;
    let Meeting { lane, word, old, written } = *meeting;
    let launch = cx.launch();
    let members = inst.head.members.map(|m| cx.lanes(m)[lane]);
    let (block, warp) = cx.block_and_warp();
    let (warp, shadow) = (&block.warps[warp], &block.shadow);
    let clock = (old >> CLOCK) as u32;
    let me = warp.number as usize;
    let (floor, together) = (shadow.warp_floors[me], warp.together);
    let mut finding = FindingKind::SharedRace;
    let other: String;
    if written {
        let thread = (old >> THREAD & 1023) as u32;
        let (by_warp, by_lane) = ((thread / 32) as usize, thread % 32);
        let pending = old & PENDING != 0;
        let ordered = if pending {
            false
        } else if by_warp == me {
            lanes_ordered(warp, floor, by_lane, clock, lane as u32)
        } else {
            shadow.knows(me, by_warp, clock)
        };
        if ordered {
            return;
        }
        let by_same_instruction = old & INST == u64::from(inst.head.id) & INST && by_warp == me && clock == warp.clock;
        // two lanes of one store write the same value: no order could matter
        let same_value = || stored.iter().flatten().all(|&row| cx.lane(row, lane) == cx.lane(row, by_lane as usize));
        if kind == Kind::Store && by_same_instruction && same_value() {
            return;
        }
        let read = launch.program.info.get(inst.head.id as usize).map_or(Expected::No, |info| info.expected);
        if kind == Kind::Load && old & ATOMIC != 0 && read != Expected::No {
            match read {
                Expected::Only => return,
                _ => finding = FindingKind::SwapRead,
            }
        } else if kind == Kind::Store && !pending && stores_again(cx, &access, at, word, lane) {
            finding = FindingKind::SameValue;
        } else if by_warp == me && clock < together {
            finding = FindingKind::WarpOrder;
        }
        let place = launch.program.describe((old & INST) as u32);
        if pending {
            finding = FindingKind::AsyncCopyHazard;
            other = format!("the asynchronous copy (cp.async) of thread {thread} at {place} has not been waited for");
        } else {
            other = format!("thread {thread} wrote it at {place}");
        }
    } else if old & MANY != 0 {
        let warps = old as u32;
        let exactly = shadow.readers.get(&word).filter(|_| shadow.exact);
        let unordered = (0..32).filter(|w| warps >> w & 1 != 0 && *w != me).find(|&w| {
            let read = exactly.and_then(|list| list.iter().find(|r| r.0 as usize == w));
            !shadow.knows(me, w, read.map_or(clock, |r| r.1))
        });
        let Some(w) = unordered else { return };
        other = format!("threads of warp {w} and others read it");
    } else {
        let by_warp = (old >> WARP & 31) as usize;
        let readers = old as u32;
        if by_warp == me {
            let others = readers & !(1 << lane);
            let open = (0..32).find(|&r| others >> r & 1 != 0 && !lanes_ordered(warp, floor, r, clock, lane as u32));
            let Some(r) = open else { return };
            // wmma.store and stmatrix wait for the whole warp themselves
            let waits = kind == Kind::Store && members.is_some_and(|m| m & warp.alive == warp.alive);
            if clock < together || waits {
                finding = FindingKind::WarpOrder;
            }
            other = format!("thread {} of the same warp read it", warp.first_thread + r);
        } else if shadow.knows(me, by_warp, clock) {
            return;
        } else {
            let r = warp_first(by_warp) + readers.trailing_zeros();
            other = format!("thread {r} read it");
        }
    }
    let does = kind.verb();
    let advice = match finding {
        FindingKind::SameValue => "the same value, with no barrier between: whoever comes last changes nothing",
        FindingKind::WarpOrder => {
            "with nothing between but an instruction of the whole warp that orders no memory; add __syncwarp()"
        }
        FindingKind::SwapRead => "with no barrier between; the value only decides whether there is a compare-and-swap",
        FindingKind::AsyncCopyHazard => {
            "so that what is there may be the old or the new; wait for it (cp.async.wait_group, or its mbarrier), then \
             __syncthreads() for other threads"
        }
        _ => "with no barrier between; add __syncthreads() (or __syncwarp() within a warp)",
    };
    let message = format!("a shared-memory hazard: the thread {does} a word and {other}, {advice}");
    let spot = Spot { address: u64::from(word) * 4, space: "shared", bytes: size };
    report::at(cx, finding, inst, lane as u32, spot, &message);
}

/// True when a lane's store leaves its bytes of a word of shared memory as they are.
fn stores_again(cx: &mut Cx, access: &Access, at: u64, word: u32, lane: usize) -> bool {
    if access.element == 0 {
        return false;
    }
    let (bytes, word) = (access.bytes(cx, lane), u64::from(word) * 4);
    let (from, to) = (word.max(at), (word + 4).min(at + u64::from(access.size)));
    cx.shared_bytes()[from as usize..to as usize] == bytes[(from - at) as usize..(to - at) as usize]
}

fn warp_first(warp: usize) -> u32 {
    warp as u32 * 32
}

/// True when `then` (a lane of this warp, at a clock) is ordered before what `now` does.
fn lanes_ordered(warp: &Warp, floor: u32, then: u32, clock: u32, now: u32) -> bool {
    if clock < floor {
        return true;
    }
    let mut reached = 1u32 << then;
    for &(at, members) in &warp.syncs {
        if at >= clock && reached & members != 0 {
            reached |= members;
        }
    }
    reached >> now & 1 != 0
}
