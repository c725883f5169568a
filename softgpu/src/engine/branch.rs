//! Branches: lanes that take different ways, loops that take long.

use crate::kernel::Fault;
use crate::machine::cx::Cx;
use crate::machine::warp::Split;

/// Backward branches after which a warp is looked at.
pub const LOOK: i64 = 256;
/// Backward branches without polling after which other warps and blocks have their turn.
const SHARE: u64 = 64 * LOOK as u64;
/// Backward branches a warp may take in all; some minutes of nothing but looping.
const ENDLESS: u64 = 1 << 34;

/// Lanes take different ways, to meet again at a place: one goes on, the others are ready later.
pub fn diverge(cx: &mut Cx, meet: Option<u32>, s: &mut Split, ways: &[(u32, u32)]) {
    if let [(pc, _)] = ways {
        s.pc = *pc;
        return;
    }
    let meeting = meet.map_or(s.meeting, |pc| cx.warp().meet_at(s, pc));
    let flip = cx.launch().seed != 0 && {
        // a draw of this warp alone, so that the number of host threads changes nothing
        let (block, warp) = (cx.block().linear, cx.warp());
        warp.divergences += 1;
        let (number, divergence) = (warp.number, warp.divergences);
        cx.launch().flip(block, number, divergence)
    };
    let count = ways.len();
    for k in 0..count {
        let (pc, mask) = ways[if flip { k } else { count - 1 - k }];
        let split = Split { pc, mask, meeting, frame: s.frame };
        if k + 1 == count {
            *s = split;
        } else {
            cx.warp().ready.push(split);
        }
    }
}

/// Counts a backward branch. A loop that polls (an atomic, a volatile load) may wait for lanes that wait
/// for it at a meeting, or for another warp or block: the lanes are let go and the others have their turn.
/// True when they should; the split is then back among the ready ones.
#[inline(always)]
pub fn hurry(cx: &mut Cx, s: &mut Split) -> bool {
    let warp = cx.warp();
    warp.steps_left -= 1;
    if warp.steps_left > 0 {
        return false;
    }
    look(cx, s)
}

#[cold]
fn look(cx: &mut Cx, s: &mut Split) -> bool {
    cx.stopped |= cx.launch().stopped();
    let polls = cx.polls;
    let warp = cx.warp();
    warp.steps_left = LOOK;
    warp.steps += LOOK as u64;
    let polled = warp.polls != polls;
    warp.polls = polls;
    let steps = warp.steps;
    if polled {
        warp.dissolve();
        warp.ready.insert(0, s.clone());
        return true;
    }
    if steps > ENDLESS {
        cx.fail(Fault::LaunchTimeout, s.pc, s.mask.trailing_zeros(), "a loop that doesn't end");
        return false;
    }
    if steps % SHARE < LOOK as u64 {
        // computing is progress
        cx.progress += 1;
        cx.warp().ready.push(s.clone());
        return true;
    }
    false
}
