//! Running a warp, instruction by instruction.

use crate::engine::branch::{LOOK, diverge, hurry};
use crate::engine::together::{leave_others, together};
use crate::engine::{barrier, call};
use crate::kernel::Fault;
use crate::machine::control::Control;
use crate::machine::cx::Cx;
use crate::machine::inst::Code;
use crate::machine::inst::{Flow, Inst};
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

/// Runs a warp of the block until it has to wait.
///
/// # Safety
/// The code is that of the launch's program.
pub unsafe fn run_warp(cx: &mut Cx, code: &Code, number: usize) -> Outcome {
    // SAFETY: between instructions.
    unsafe { cx.enter(number) };
    let polls = cx.polls;
    let warp = cx.warp();
    warp.steps_left = LOOK;
    warp.polls = polls;
    loop {
        if cx.stopped {
            return Outcome::Stopped;
        }
        let Some(split) = cx.warp().ready.pop() else {
            // SAFETY: the caller's promise.
            match unsafe { idle(cx, code) } {
                Some(outcome) => return outcome,
                None => continue,
            }
        };
        // SAFETY: the caller's promise.
        let paused = unsafe {
            if cx.launch().count { execute::<true>(cx, code, split) } else { execute::<false>(cx, code, split) }
        };
        if paused {
            return Outcome::Paused;
        }
    }
}

/// No lane is ready: finds lanes that can go on without others, or tells why the warp waits.
///
/// # Safety
/// As for [`run_warp`].
unsafe fn idle(cx: &mut Cx, code: &Code) -> Option<Outcome> {
    let warp = cx.warp();
    if warp.done() {
        return Some(Outcome::Done);
    }
    let at_barrier = warp.at_barrier.first().map(|(_, s)| s.clone());
    if warp.dissolve() {
        if let Some(split) = at_barrier {
            watch::divergent_barrier(cx, code, &split);
        }
        cx.warp().join_ready();
        return None;
    }
    if warp.waiting.is_empty() {
        return Some(Outcome::AtBarrier);
    }
    let waiting = warp.waiting.remove(0);
    watch::missing_participant(cx, code, &waiting);
    if cx.stopped {
        return Some(Outcome::Stopped);
    }
    // go on with who is here: a finding was made, a hang would help nobody
    let split = waiting.split;
    let inst = &code[split.pc as usize];
    // SAFETY: between instructions; this one belongs to the function whose frame was chosen.
    unsafe {
        cx.set_frame(split.frame);
        inst.execute(cx, split.mask);
    }
    cx.warp().ready.push(Split { pc: split.pc + 1, ..split });
    None
}

/// Runs a split until it ends, waits or is merged. True when the warp should let others run.
///
/// # Safety
/// As for [`run_warp`].
unsafe fn execute<const COUNT: bool>(cx: &mut Cx, code: &Code, split: Split) -> bool {
    let mut s = split;
    // SAFETY: between instructions.
    unsafe { cx.set_frame(s.frame) };
    loop {
        let inst = &code[s.pc as usize];
        if inst.streak != 0 {
            let n = inst.streak;
            cx.clock += u64::from(n);
            for inst in &code[s.pc as usize..][..n as usize] {
                if COUNT {
                    cx.tally.count(inst.head.id, s.mask);
                }
                // SAFETY: the instruction belongs to the function whose frame was chosen.
                unsafe { inst.execute(cx, s.mask) };
            }
            s.pc += n;
            continue;
        }
        cx.clock += 1;
        // SAFETY: a predicate of the function whose frame was chosen.
        let mask = s.mask & unsafe { cx.pred(inst.head.guard) };
        if COUNT && inst.head.flow != Flow::Together {
            cx.tally.count(inst.head.id, mask);
        }
        let Some(control) = inst.control() else {
            if mask != 0 && inst.head.flow == Flow::Straight {
                // SAFETY: the instruction belongs to the function whose frame was chosen.
                unsafe { inst.execute(cx, mask) };
            } else if mask != 0 {
                // SAFETY: as above.
                if !unsafe { together::<COUNT>(cx, inst, &mut s, mask) } {
                    return false;
                }
                continue;
            }
            s.pc += 1;
            continue;
        };
        match control {
            Control::Branch(branch) => {
                let next = s.pc + 1;
                if mask == s.mask {
                    s.pc = branch.target;
                } else if mask == 0 {
                    s.pc = next;
                } else {
                    let ways = [(branch.target, mask), (next, s.mask & !mask)];
                    diverge(cx, branch.meet, &mut s, &ways);
                }
                if s.pc < next && hurry(cx, &mut s) {
                    return true;
                }
                if cx.stopped {
                    return false;
                }
            }
            Control::Reconverge => match cx.warp().reconverge(s) {
                Some(on) => s = on,
                None => return false,
            },
            Control::Yield => {
                s.pc += 1;
                let ready = &mut cx.warp().ready;
                ready.insert(0, s);
                return ready.len() == 1;
            }
            _ if mask == 0 => s.pc += 1,
            _ => {
                if !leave(cx, code, inst, control, &mut s, mask) {
                    return false;
                }
            }
        }
    }
}

/// Executes an instruction by which lanes leave the split, for at least one lane; true when the split goes on.
fn leave(cx: &mut Cx, code: &Code, inst: &Inst, control: &Control, s: &mut Split, mask: u32) -> bool {
    match control {
        Control::Table(table) => {
            let ways = call::table_ways(cx, inst, table, s, mask);
            diverge(cx, table.meet, s, &ways);
            true
        }
        Control::Exit => {
            call::exit(cx, code, s, mask);
            s.mask &= !mask;
            s.pc += 1;
            s.mask != 0
        }
        Control::Return => call::go_back(cx, code, s, mask),
        Control::Call(call) => call::enter(cx, inst, call, s, mask),
        Control::Barrier(barrier) => {
            leave_others(cx, s, mask);
            barrier::arrive(cx, code, inst, barrier, s)
        }
        Control::Trap | Control::Breakpoint => {
            let what = if matches!(control, Control::Trap) { "trap" } else { "brkpt, and no debugger is there" };
            let message = format!("the kernel executed {what}");
            cx.fail(Fault::Trap, inst.head.id, mask.trailing_zeros(), &message);
            false
        }
        // `execute` does these itself
        Control::Branch(_) | Control::Reconverge | Control::Yield => true,
    }
}
