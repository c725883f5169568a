//! Calls, returns, exits and indexed branches.

use crate::engine::barrier::after_exit;
use crate::engine::builtin;
use crate::kernel::Fault;
use crate::machine::control::{Call, Table};
use crate::machine::cx::{CODE_WINDOW, Cx, Slices, WINDOW};
use crate::machine::inst::Code;
use crate::machine::inst::Inst;
use crate::machine::program::{CallSite, Slot};
use crate::machine::row::NONE;
use crate::machine::warp::{Frame, Split, Warp};

/// The ways of an indexed branch: target and lanes.
pub fn table_ways(cx: &mut Cx, inst: &Inst, branch: &Table, s: &Split, mask: u32) -> Vec<(u32, u32)> {
    let table = &cx.launch().program.tables[branch.targets as usize];
    let index = *cx.lanes(branch.index);
    let mut ways: Vec<(u32, u32)> = Vec::new();
    let mut add = |pc: u32, lanes: u32| match ways.iter_mut().find(|w| w.0 == pc) {
        Some(w) => w.1 |= lanes,
        None => ways.push((pc, lanes)),
    };
    if s.mask & !mask != 0 {
        add(s.pc + 1, s.mask & !mask);
    }
    let mut wrong = None;
    for l in (0..32).filter(|l| mask >> l & 1 != 0) {
        match table.get(index[l] as usize) {
            Some(&pc) => add(pc, 1 << l),
            None => wrong = Some(l as u32),
        }
    }
    if let Some(l) = wrong {
        let message = format!("brx.idx with an index beyond its {} targets", table.len());
        cx.fail(Fault::IllegalInstruction, inst.head.id, l, &message);
        ways.push((s.pc + 1, 1 << l));
    }
    ways
}

/// Enters a function; true when the split goes on (in the callee, or behind a built-in one).
pub fn enter(cx: &mut Cx, inst: &Inst, call: &Call, s: &mut Split, mask: u32) -> bool {
    let program = cx.launch().program;
    let site = &program.calls[call.site as usize];
    if let Some(which) = site.builtin {
        let frame = cx.warp().frames[s.frame as usize].clone();
        builtin::call(cx, inst, which, site, &frame, mask);
        s.pc += 1;
        return !cx.stopped;
    }
    let Some((callee, lanes)) = target(cx, inst, call, site, mask) else {
        return false;
    };
    let meeting = leave_behind(cx.warp(), s, mask, lanes);
    let function = &program.functions[callee as usize];
    let warp = cx.warp();
    let caller = &warp.frames[s.frame as usize];
    let above = &program.functions[caller.callee as usize];
    let caller_local = caller.local;
    // frames of different lanes must not share rows, see `allot`
    let top = |f: &Frame| f.rows + program.functions[f.callee as usize].rows.next_multiple_of(2);
    let frame = Frame {
        return_pc: s.pc + 1,
        call: call.site,
        callee,
        rows: warp.frames.iter().filter(|f| f.lanes != 0).map(top).max().unwrap_or(0),
        preds: caller.preds + above.preds,
        local: caller.local + above.local.next_multiple_of(16),
        parent: s.frame,
        meeting,
        lanes,
    };
    let memories = cx.own_memories();
    let deep = (frame.rows + function.rows) as usize + 2 > memories.registers.len()
        || (frame.preds + function.preds) as usize > memories.predicates.len()
        || (frame.local + function.local) as usize > 4 * memories.local.len();
    if deep {
        let message = "calls are nested too deeply (stack overflow)";
        cx.fail(Fault::IllegalAddress, inst.head.id, lanes.trailing_zeros(), message);
        return false;
    }
    cx.fill_frame(function, &frame);
    copy(cx, &site.arguments, caller_local, &function.params, frame.local, lanes);
    // inside the callee lanes meet at its places; what waits outside is remembered in the frame
    *s = Split { pc: function.entry, mask: lanes, meeting: NONE, frame: cx.warp().add_frame(frame) };
    // SAFETY: between instructions.
    unsafe { cx.set_frame(s.frame) };
    true
}

/// The function that a call goes to, and the lanes that go there together; a fault where there is none.
fn target(cx: &mut Cx, inst: &Inst, call: &Call, site: &CallSite, mask: u32) -> Option<(u32, u32)> {
    let Some(target) = call.target else {
        return Some((site.callee, mask));
    };
    // lanes with the same target go together, the others come back to this instruction
    let lane = |cx: &Cx, l: usize| cx.long_lane(target, l);
    let first = lane(cx, mask.trailing_zeros() as usize);
    let same = (0..32).fold(0, |m, l| m | u32::from(lane(cx, l) == first) << l);
    let offset = first.wrapping_sub(CODE_WINDOW);
    if offset >= WINDOW || offset / 16 >= cx.launch().program.functions.len() as u64 {
        let message = format!("{first:#x} is no function");
        cx.fail(Fault::IllegalInstruction, inst.head.id, mask.trailing_zeros(), &message);
        return None;
    }
    Some(((offset / 16) as u32, same & mask))
}

/// Lanes of a split that don't call (outside `mask`), or call another function (outside `lanes`), meet the others
/// behind the call; gives the meeting of those that call.
fn leave_behind(warp: &mut Warp, s: &Split, mask: u32, lanes: u32) -> u32 {
    if lanes == s.mask {
        return s.meeting;
    }
    let meeting = warp.meet_at(s, s.pc + 1);
    for (pc, mask) in [(s.pc + 1, s.mask & !mask), (s.pc, mask & !lanes)] {
        if mask != 0 {
            warp.ready.push(Split { pc, mask, meeting, frame: s.frame });
        }
    }
    meeting
}

/// Copies arguments or results between two frames' local memories.
fn copy(cx: &mut Cx, from: &[Slot], from_base: u32, to: &[Slot], to_base: u32, lanes: u32) {
    let Slices { local, local_written, .. } = cx.own_memories();
    for (f, t) in from.iter().zip(to) {
        for word in 0..f.bytes.min(t.bytes).div_ceil(4) {
            let source = ((from_base + f.offset) / 4 + word) as usize;
            let target = ((to_base + t.offset) / 4 + word) as usize;
            for l in (0..32).filter(|l| lanes >> l & 1 != 0) {
                local[target].0[l] = local[source].0[l];
                if !local_written.is_empty() {
                    let bytes = source * 128 + l * 4;
                    local_written.copy_within(bytes..bytes + 4, target * 128 + l * 4);
                }
            }
        }
    }
}

/// Returns from a function, or exits the kernel; true when the split goes on.
pub fn go_back(cx: &mut Cx, code: &Code, s: &mut Split, mask: u32) -> bool {
    let frame = cx.warp().frames[s.frame as usize].clone();
    let rest = s.mask & !mask;
    if frame.parent == NONE {
        exit(cx, code, s, mask);
        s.mask = rest;
        s.pc += 1;
        return rest != 0;
    }
    let program = cx.launch().program;
    let site = &program.calls[frame.call as usize];
    let function = &program.functions[frame.callee as usize];
    let parent = cx.warp().frames[frame.parent as usize].clone();
    copy(cx, &function.returns, frame.local, &site.results, parent.local, mask);
    // meetings inside the callee don't wait for these lanes any more
    let alive = cx.warp().alive;
    cx.warp().leave(mask, s.meeting);
    cx.warp().alive = alive;
    let left = &mut cx.warp().frames[s.frame as usize];
    left.lanes &= !mask;
    if left.lanes == 0 {
        let id = s.frame;
        cx.warp().free_frames.push(id);
    }
    let back = Split { pc: frame.return_pc, mask, meeting: frame.meeting, frame: frame.parent };
    if rest != 0 {
        cx.warp().ready.push(back);
        s.mask = rest;
        s.pc += 1;
        return true;
    }
    let joined = join_caller(cx, back);
    *s = joined;
    // SAFETY: between instructions.
    unsafe { cx.set_frame(s.frame) };
    true
}

/// Lanes of the same call that came back one after the other go on together.
fn join_caller(cx: &mut Cx, mut back: Split) -> Split {
    let warp = cx.warp();
    warp.ready.retain(|r| {
        let same = r.pc == back.pc && r.frame == back.frame && r.meeting == back.meeting;
        if same {
            back.mask |= r.mask;
        }
        !same
    });
    back
}

/// Lanes leave the kernel, from whatever depth of calls.
pub fn exit(cx: &mut Cx, code: &Code, s: &Split, mask: u32) {
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
    cx.lanes_exited();
    cx.progress += 1;
    after_exit(cx, code);
}
