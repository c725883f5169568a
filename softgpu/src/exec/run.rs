//! Running a warp, instruction by instruction.

pub mod barrier;
mod call;

use super::block::{Block, enter};
use super::cx::Cx;
use super::inst::{Flow, Inst, NONE};
use super::warp::{Split, Waiting};
use super::watch;
use crate::exec::Fault;

/// Backward branches after which a warp is looked at.
const LOOK: i64 = 256;
/// Backward branches without polling after which other warps and blocks have their turn.
const SHARE: u64 = 64 * LOOK as u64;
/// Backward branches a warp may take in all; some minutes of nothing but looping.
const ENDLESS: u64 = 1 << 34;

/// Why a warp stopped running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All its lanes have exited.
    Done,
    /// Every lane waits at a barrier.
    AtBarrier,
    /// It took its share of steps, or asked to let others run.
    Paused,
    /// The launch ends.
    Stopped,
}

/// Runs a warp until it has to wait.
pub fn run_warp(cx: &mut Cx, block: &mut Block, number: usize) -> Outcome {
    enter(cx, block, number);
    cx.warp().steps_left = LOOK;
    cx.warp().polls = cx.polls;
    loop {
        if cx.stopped {
            return Outcome::Stopped;
        }
        let Some(split) = cx.warp().ready.pop() else {
            match idle(cx) {
                Some(outcome) => return outcome,
                None => continue,
            }
        };
        let paused = if cx.launch().count {
            unsafe { execute::<true>(cx, split) }
        } else {
            unsafe { execute::<false>(cx, split) }
        };
        if paused {
            return Outcome::Paused;
        }
    }
}

/// No lane is ready: finds lanes that can go on without others, or tells why the warp waits.
fn idle(cx: &mut Cx) -> Option<Outcome> {
    if cx.warp().done() {
        return Some(Outcome::Done);
    }
    let at_barrier = cx.warp().at_barrier.first().map(|(_, s)| s.clone());
    if cx.warp().dissolve() {
        if let Some(split) = at_barrier {
            watch::divergent_barrier(cx, &split);
        }
        cx.warp().join_ready();
        return None;
    }
    if !cx.warp().waiting.is_empty() {
        let waiting = cx.warp().waiting.remove(0);
        watch::missing_participant(cx, &waiting);
        if cx.stopped {
            return Some(Outcome::Stopped);
        }
        // go on with who is here: a finding was made, a hang would help nobody
        let split = waiting.split;
        set_frame(cx, split.frame);
        let launch = cx.launch;
        let inst = unsafe { &(&(*launch).program.code)[split.pc as usize] };
        unsafe { (inst.run)(cx, inst, split.mask) };
        cx.warp().ready.push(Split {
            pc: split.pc + 1,
            ..split
        });
        return None;
    }
    Some(Outcome::AtBarrier)
}

/// Points the context to a frame's registers.
pub fn set_frame(cx: &mut Cx, frame: u32) {
    let warp = cx.warp();
    let (rows, preds) = {
        let f = &warp.frames[frame as usize];
        (f.rows as usize, f.preds as usize)
    };
    let (regs, predicates) = (warp.registers.as_mut_ptr(), warp.predicates.as_mut_ptr());
    unsafe {
        cx.regs = regs.add(rows);
        cx.preds = predicates.add(preds);
    }
}

/// Runs a split until it ends, waits or is merged. True when the warp should let others run.
unsafe fn execute<const COUNT: bool>(cx: &mut Cx, split: Split) -> bool {
    let launch = cx.launch;
    let code: *const Inst = unsafe { (*launch).program.code.as_ptr() };
    let mut s = split;
    set_frame(cx, s.frame);
    loop {
        let mut inst = unsafe { &*code.add(s.pc as usize) };
        if inst.streak != 0 {
            let n = inst.streak;
            cx.clock += u64::from(n);
            for _ in 0..n {
                if COUNT {
                    cx.watcher.count(inst.id, s.mask);
                }
                unsafe {
                    (inst.run)(cx, inst, s.mask);
                    inst = &*(&raw const *inst).add(1);
                }
            }
            s.pc += n;
            continue;
        }
        cx.clock += 1;
        let mask = s.mask & (unsafe { *cx.preds.add(inst.guard as usize) } ^ inst.negate);
        if COUNT && inst.flow != Flow::WarpSync {
            cx.watcher.count(inst.id, mask);
        }
        match inst.flow {
            Flow::Straight => {
                if mask != 0 {
                    unsafe { (inst.run)(cx, inst, mask) };
                }
                s.pc += 1;
            }
            Flow::Branch => {
                let next = s.pc + 1;
                if mask == s.mask {
                    s.pc = inst.aux;
                } else if mask == 0 {
                    s.pc = next;
                } else {
                    let ways = [(inst.aux, mask), (next, s.mask & !mask)];
                    diverge(cx, inst, &mut s, &ways);
                }
                if s.pc < next && hurry(cx, &mut s) {
                    return true;
                }
                if cx.stopped {
                    return false;
                }
            }
            Flow::Reconverge => {
                if s.meeting != NONE {
                    let m = &cx.warp().meetings[s.meeting as usize];
                    if m.pc == s.pc && m.frame == s.frame {
                        match cx.warp().arrive(&s) {
                            Some(joined) => s = joined,
                            None => return false,
                        }
                        continue;
                    }
                }
                s.pc += 1;
            }
            Flow::BranchTable => {
                let ways = call::table_ways(cx, inst, &s, mask);
                diverge(cx, inst, &mut s, &ways);
            }
            Flow::Exit => {
                let rest = s.mask & !mask;
                if mask != 0 {
                    exit(cx, inst, &s, mask);
                }
                if rest == 0 {
                    return false;
                }
                s.mask = rest;
                s.pc += 1;
            }
            Flow::Return => {
                if mask == 0 {
                    s.pc += 1;
                } else if !call::go_back(cx, inst, &mut s, mask) {
                    return false;
                }
            }
            Flow::Call | Flow::CallIndirect | Flow::CallBuiltin => {
                if mask == 0 {
                    s.pc += 1;
                } else if !call::enter(cx, inst, &mut s, mask) {
                    return false;
                }
            }
            Flow::Barrier => {
                if mask == 0 {
                    s.pc += 1;
                    continue;
                }
                let rest = s.mask & !mask;
                if rest != 0 {
                    let other = Split {
                        pc: s.pc + 1,
                        mask: rest,
                        ..s.clone()
                    };
                    cx.warp().ready.push(other);
                    s.mask = mask;
                }
                if !barrier::arrive(cx, inst, &mut s) {
                    return false;
                }
            }
            Flow::WarpSync => {
                if mask == 0 {
                    s.pc += 1;
                } else if !unsafe { together::<COUNT>(cx, inst, &mut s, mask) } {
                    return false;
                }
            }
            Flow::Trap => {
                if mask != 0 {
                    let place = cx.whereabouts(inst, mask.trailing_zeros());
                    let what = if inst.aux == 0 {
                        "trap"
                    } else {
                        "brkpt, and no debugger is there"
                    };
                    cx.fault(Fault::Trap(format!("{place}: the kernel executed {what}")));
                    return false;
                }
                s.pc += 1;
            }
            Flow::Yield => {
                s.pc += 1;
                cx.warp().ready.insert(0, s);
                if cx.warp().ready.len() > 1 {
                    return false;
                }
                return true;
            }
        }
    }
}

/// Lanes leave the kernel, from whatever depth of calls.
fn exit(cx: &mut Cx, inst: &Inst, s: &Split, mask: u32) {
    watch::lanes_exit(cx, inst, mask);
    let warp = cx.warp();
    warp.leave(mask, s.meeting);
    let mut at = s.frame;
    while at != NONE {
        let frame = &mut warp.frames[at as usize];
        frame.lanes &= !mask;
        let (meeting, parent) = (frame.meeting, frame.parent);
        if meeting != NONE {
            warp.leave(mask, meeting);
        }
        at = parent;
    }
    cx.dead = !cx.warp().alive;
    cx.progress += 1;
    barrier::after_exit(cx);
}

/// Counts a backward branch. A loop that polls (an atomic, a volatile load) may wait for lanes that wait
/// for it at a meeting, or for another warp or block: the lanes are let go and the others have their turn.
/// True when they should; the split is then back among the ready ones.
#[inline(always)]
fn hurry(cx: &mut Cx, s: &mut Split) -> bool {
    let warp = unsafe { &mut *cx.warp };
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
        let inst = unsafe { &(&(*cx.launch).program.code)[s.pc as usize] };
        let place = cx.whereabouts(inst, s.mask.trailing_zeros());
        cx.fault(Fault::LaunchTimeout(format!(
            "{place}: a loop that doesn't end"
        )));
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

/// Lanes take different ways: one goes on, the others are ready later.
fn diverge(cx: &mut Cx, inst: &Inst, s: &mut Split, ways: &[(u32, u32)]) {
    if let [(pc, _)] = ways {
        s.pc = *pc;
        return;
    }
    let meet = inst.e;
    let meeting = if meet == NONE {
        s.meeting
    } else {
        cx.warp().meet_at(s, meet)
    };
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
        let split = Split {
            pc,
            mask,
            meeting,
            frame: s.frame,
        };
        if k + 1 == count {
            *s = split;
        } else {
            cx.warp().ready.push(split);
        }
    }
}

/// An instruction that its members execute together: waits until all of them are here.
unsafe fn together<const COUNT: bool>(cx: &mut Cx, inst: &Inst, s: &mut Split, mask: u32) -> bool {
    let rest = s.mask & !mask;
    if rest != 0 {
        let other = Split {
            pc: s.pc + 1,
            mask: rest,
            ..s.clone()
        };
        cx.warp().ready.push(other);
        s.mask = mask;
    }
    let members = unsafe { *cx.row::<u32>(inst.b) };
    let first = members[mask.trailing_zeros() as usize & 31];
    let alive = cx.warp().alive;
    // the usual case: everybody alive is here and named
    let uniform = members.iter().fold(0, |x, m| x | (m ^ first)) == 0;
    if uniform && first & alive & !mask == 0 && mask & !first == 0 {
        if COUNT {
            cx.watcher.count(inst.id, mask);
        }
        unsafe { (inst.run)(cx, inst, mask) };
        s.pc += 1;
        return true;
    }
    let mut here = s.clone();
    let mut others = Vec::new();
    let (pc, frame) = (s.pc, s.frame);
    cx.warp().waiting.retain(|w| {
        let same = w.split.pc == pc && w.split.frame == frame;
        if same {
            others.push(w.split.clone());
        }
        !same
    });
    let mut union = here.mask;
    for o in &others {
        union |= o.mask;
    }
    // each group of lanes with the same member mask runs when it is complete
    let mut done = 0;
    let mut rest = union;
    while rest != 0 {
        let first = rest.trailing_zeros() as usize;
        let named = members[first];
        let mut group = 0;
        for (l, m) in members.iter().enumerate() {
            group |= u32::from(*m == named) << l;
        }
        group &= rest;
        rest &= !group;
        if group & !named != 0 {
            watch::not_a_member(cx, inst, group & !named, named);
        }
        if named & alive & !group == 0 {
            if COUNT {
                cx.watcher.count(inst.id, group);
            }
            unsafe { (inst.run)(cx, inst, group) };
            done |= group;
        }
    }
    others.insert(0, here.clone());
    here.mask = 0;
    for o in others {
        let (on, wait) = (o.mask & done, o.mask & !done);
        if on != 0 {
            if here.mask == 0 || here.meeting == o.meeting {
                here = Split {
                    pc: pc + 1,
                    mask: here.mask | on,
                    ..o.clone()
                };
            } else {
                cx.warp().ready.push(Split {
                    pc: pc + 1,
                    mask: on,
                    ..o.clone()
                });
            }
        }
        if wait != 0 {
            let members = members[wait.trailing_zeros() as usize];
            cx.warp().waiting.push(Waiting {
                split: Split { mask: wait, ..o },
                members,
            });
        }
    }
    *s = here;
    s.mask != 0
}
