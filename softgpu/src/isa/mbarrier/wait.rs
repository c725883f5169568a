//! Waiting for the end of a phase.

use crate::isa::mbarrier::action::{PLAIN, misuse};
use crate::isa::tensor::copies::land_prior;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::mbarrier::{Arrival, Mbarrier, PHASE};
use crate::watch;

/// True when the phase that the operand names has ended.
pub fn wait(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier) -> bool {
    let l = lane as usize;
    let ended = |object: &Mbarrier, cx: &Cx| {
        // SAFETY: the decoder has made `b` a row of the width that the flag says.
        if i.flags & PLAIN != 0 {
            let parity = unsafe { cx.row::<u32>(i.b)[l] };
            (object.phase & 1 != u64::from(parity & 1), true)
        } else {
            let token = unsafe { cx.row::<u64>(i.b)[l] };
            let behind = (object.phase.wrapping_sub(token >> PHASE)) & 7;
            (behind != 0, behind <= 1)
        }
    };
    let (mut done, known) = ended(object, cx);
    if !known {
        let message = "a wait for a phase that is neither the current nor the one before: its token is too old or \
                       not of this object";
        misuse(cx, i, lane, message);
        return true;
    }
    if !done && object.waits_for_copies() {
        if object.polled {
            while !object.copies.is_empty() && !done {
                let c = object.copies.remove(0);
                land_prior(cx, c.warp, c.lane, c.serial, c.clock);
                if cx.launch().opts.race {
                    object.remember(Arrival { warp: c.warp, lanes: 1 << c.lane, clock: c.clock, known: Vec::new() });
                }
                object.pending -= 1;
                object.advance();
                done = ended(object, cx).0;
            }
        }
        object.polled = true;
        cx.progress += 1;
    }
    done
}

/// Lanes that waited with success are ordered behind the arrivals of the phases.
pub fn learn(cx: &mut Cx, at: &[u32; 32], complete: u32) {
    if !cx.launch().opts.race {
        return;
    }
    let mut rest = complete;
    while rest != 0 {
        let first = rest.trailing_zeros() as usize;
        let same = (0..32).fold(0u32, |m, l| m | u32::from(at[l] == at[first]) << l) & rest;
        rest &= !same;
        let Some(object) = cx.block().mbarriers.get(&at[first]) else {
            continue;
        };
        let arrivals = object.completed.clone();
        watch::mbarrier::waited(cx, &arrivals, same);
    }
}
