//! Running a warp, instruction by instruction.

use crate::engine::branch::{LOOK, diverge, hurry};
use crate::engine::exit::exit;
use crate::engine::together::{leave_others, together};
use crate::engine::{barrier, call};
use crate::kernel::Fault;
use crate::machine::cx::Cx;
use crate::machine::inst::{Flow, Inst};
use crate::machine::row::NONE;
use crate::machine::warp::Split;
use crate::watch;

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
pub fn run_warp(cx: &mut Cx, code: &[Inst], number: usize) -> Outcome {
    cx.enter(number);
    cx.warp().steps_left = LOOK;
    cx.warp().polls = cx.polls;
    loop {
        if cx.stopped {
            return Outcome::Stopped;
        }
        let Some(split) = cx.warp().ready.pop() else {
            match idle(cx, code) {
                Some(outcome) => return outcome,
                None => continue,
            }
        };
        let paused = if cx.launch().count {
            unsafe { execute::<true>(cx, code, split) }
        } else {
            unsafe { execute::<false>(cx, code, split) }
        };
        if paused {
            return Outcome::Paused;
        }
    }
}

/// No lane is ready: finds lanes that can go on without others, or tells why the warp waits.
fn idle(cx: &mut Cx, code: &[Inst]) -> Option<Outcome> {
    if cx.warp().done() {
        return Some(Outcome::Done);
    }
    let at_barrier = cx.warp().at_barrier.first().map(|(_, s)| s.clone());
    if cx.warp().dissolve() {
        if let Some(split) = at_barrier {
            watch::divergent_barrier(cx, code, &split);
        }
        cx.warp().join_ready();
        return None;
    }
    if !cx.warp().waiting.is_empty() {
        let waiting = cx.warp().waiting.remove(0);
        watch::missing_participant(cx, code, &waiting);
        if cx.stopped {
            return Some(Outcome::Stopped);
        }
        // go on with who is here: a finding was made, a hang would help nobody
        let split = waiting.split;
        cx.set_frame(split.frame);
        let inst = &code[split.pc as usize];
        unsafe { (inst.run)(cx, inst, split.mask) };
        cx.warp().ready.push(Split { pc: split.pc + 1, ..split });
        return None;
    }
    Some(Outcome::AtBarrier)
}

/// Runs a split until it ends, waits or is merged. True when the warp should let others run.
unsafe fn execute<const COUNT: bool>(cx: &mut Cx, code: &[Inst], split: Split) -> bool {
    let first: *const Inst = code.as_ptr();
    let mut s = split;
    cx.set_frame(s.frame);
    loop {
        let mut inst = unsafe { &*first.add(s.pc as usize) };
        if inst.streak != 0 {
            let n = inst.streak;
            cx.clock += u64::from(n);
            for _ in 0..n {
                if COUNT {
                    cx.tally.count(inst.id, s.mask);
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
            cx.tally.count(inst.id, mask);
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
                    exit(cx, code, &s, mask);
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
                } else if !call::go_back(cx, code, &mut s, mask) {
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
                leave_others(cx, &mut s, mask);
                if !barrier::arrive(cx, code, inst, &mut s) {
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
                    let place = cx.whereabouts(inst.id, mask.trailing_zeros());
                    let what = if inst.aux == 0 { "trap" } else { "brkpt, and no debugger is there" };
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
