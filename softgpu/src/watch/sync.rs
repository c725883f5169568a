//! synccheck, and what barriers mean to the hazard checks.

use crate::check::FindingKind;
use crate::kernel::Fault;
use crate::machine::block::Barrier;
use crate::machine::control::{BarrierForm, BlockBarrier, Control};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::warp::{Split, Waiting};
use crate::watch::report::{self, NOWHERE, report};

/// Whether every thread of a warp must execute a barrier together.
fn aligned(inst: &Inst) -> bool {
    matches!(inst.control(), Some(Control::Barrier(barrier)) if barrier.aligned)
}

/// Lanes wait at a barrier for lanes of their own warp that wait for them.
pub fn divergent_barrier(cx: &mut Cx, code: &[Inst], split: &Split) {
    if !cx.launch().opts.sync {
        return;
    }
    let inst = &code[split.pc as usize];
    if !aligned(inst) {
        return;
    }
    let away = cx.warp().alive & !split.mask;
    let message = format!(
        "a barrier in divergent code: {} threads of the warp wait at it, {} took another way",
        split.mask.count_ones(),
        away.count_ones()
    );
    report(cx, FindingKind::DivergentBarrier, inst, split.mask.trailing_zeros(), &message);
}

/// Lanes wait at a `*.sync` for members that don't come.
pub fn missing_participant(cx: &mut Cx, code: &[Inst], waiting: &Waiting) {
    let inst = &code[waiting.split.pc as usize];
    let absent = waiting.members & !waiting.split.mask;
    let alive = absent & cx.warp().alive;
    let (missing, why) = match alive {
        0 => (absent, "have exited or don't exist"),
        _ => (alive, "are alive but never execute this instruction with the others"),
    };
    let message = format!("the member mask {:#010x} names lanes {missing:#010x} that {why}", waiting.members);
    let lane = waiting.split.mask.trailing_zeros();
    if cx.launch().opts.sync {
        report(cx, FindingKind::MissingParticipant, inst, lane, &message);
    } else {
        cx.fail(Fault::LaunchTimeout, inst.head.id, lane, &message);
    }
}

/// Lanes execute a `*.sync` whose member mask doesn't name them.
pub fn not_a_member(cx: &mut Cx, i: &Inst, lanes: u32, named: u32) {
    if cx.launch().opts.sync {
        let message = format!("the lane is not in its own member mask {named:#010x}");
        report(cx, FindingKind::MissingParticipant, i, lanes.trailing_zeros(), &message);
    }
}

/// A `shfl` reads a lane that doesn't take part. True when that is checked.
pub fn shuffle_from_nobody(cx: &mut Cx, i: &Inst, lanes: u32) -> bool {
    let checked = cx.launch().opts.sync;
    if checked {
        let message = "the shuffle reads the register of a lane that doesn't take part (exited, inactive or not \
                       named): the value is undefined";
        report(cx, FindingKind::MissingParticipant, i, lanes.trailing_zeros(), message);
    }
    checked
}

/// Lanes of a warp have synchronised (`bar.warp.sync`).
pub fn warp_synced(cx: &mut Cx, mask: u32) {
    let warp = cx.warp();
    if mask & warp.alive == warp.alive {
        warp.clock += 1;
        warp.syncs.clear();
        let (number, clock) = (warp.number as usize, warp.clock);
        cx.block().shadow.warp_floor(number, clock);
    } else {
        warp.syncs.push((warp.clock, mask));
        warp.clock += 1;
    }
}

/// All lanes of a warp have executed a `*.sync` instruction other than `bar.warp.sync`: it orders no memory, but what
/// would be a race without it is another finding.
pub fn lanes_together(cx: &mut Cx) {
    let warp = cx.warp();
    // a clock has 22 bits
    if warp.clock < 1 << 21 {
        warp.clock += 1;
        warp.together = warp.clock;
    }
}

/// A fence of device scope was executed.
pub fn fenced(cx: &mut Cx) {
    cx.block().sync.fenced = true;
}

/// Lanes arrive at a barrier.
pub fn barrier_arrival(cx: &mut Cx, number: u32, barrier: &BlockBarrier) {
    if !cx.launch().opts.race {
        return;
    }
    let warp = cx.warp().number as usize;
    let clock = cx.warp().clock;
    let block = cx.block();
    let own = block.shadow.view(warp, clock);
    let joined = &mut block.barriers[number as usize].clocks;
    if joined.len() < own.len() {
        joined.resize(own.len(), 0);
    }
    for (j, o) in joined.iter_mut().zip(own) {
        *j = (*j).max(o);
    }
    if matches!(barrier.form, BarrierForm::Arrive) {
        cx.warp().clock += 1;
    }
}

/// A barrier has all its threads and lets them go.
pub fn barrier_complete(cx: &mut Cx, code: &[Inst], number: u32, b: &Barrier, alive: u32) {
    let opts = cx.launch().opts;
    if opts.sync {
        mixed_places(cx, code, number, b, alive);
    }
    let block = cx.block();
    let whole = b.expected == 0 || b.arrived >= block.warps.len() as u32 * 32;
    if whole {
        let next = block.warps.iter().map(|w| w.clock).max().unwrap_or(0) + 1;
        for w in &mut block.warps {
            w.clock = next;
            w.syncs.clear();
        }
        block.shadow.raise_floor(next);
    } else if opts.race {
        for w in &mut block.warps {
            if w.at_barrier.iter().any(|(n, _)| *n == number) {
                block.shadow.learn(w.number as usize, &b.clocks);
                w.clock += 1;
            }
        }
    }
}

/// synccheck when a barrier completes: all threads must stand at the same instruction, and none may
/// have exited before.
fn mixed_places(cx: &mut Cx, code: &[Inst], number: u32, b: &Barrier, alive: u32) {
    let block = cx.block();
    let threads = block.threads;
    let mut holder = None;
    let mut mixed = Vec::new();
    for w in &block.warps {
        let mut first = None;
        for (_, s) in w.at_barrier.iter().filter(|(n, _)| *n == number) {
            let thread = w.thread(s.mask.trailing_zeros());
            if first.is_some_and(|pc| pc != s.pc) {
                mixed.push((s.pc, thread));
            }
            first.get_or_insert(s.pc);
            holder.get_or_insert_with(|| w.thread(w.at_barrier[0].1.mask.trailing_zeros()));
        }
    }
    for (pc, thread) in mixed {
        let inst = &code[pc as usize];
        if aligned(inst) {
            let message = "threads of one warp wait at different barrier instructions in divergent code";
            report::of_thread(cx, FindingKind::DivergentBarrier, inst, thread, NOWHERE, message);
        }
    }
    if let Some(thread) = holder
        && b.expected == 0
        && alive < threads
    {
        let message = format!("{} of the block's {threads} threads have exited without this barrier", threads - alive);
        report::of_thread(cx, FindingKind::DivergentBarrier, &code[b.inst as usize], thread, NOWHERE, &message);
    }
}

/// Every warp waits and no barrier can complete.
pub fn barrier_stuck(cx: &mut Cx, code: &[Inst]) {
    let block = cx.block();
    let open: Vec<(usize, &Barrier)> = block.barriers.iter().enumerate().filter(|(_, b)| b.open).collect();
    let Some((number, b)) = open.first() else {
        return;
    };
    let holder = block.warps.iter().find(|w| !w.at_barrier.is_empty()).unwrap_or(&block.warps[0]);
    let thread = holder.thread(holder.at_barrier.first().map_or(0, |(_, s)| s.mask.trailing_zeros()));
    let inst = &code[b.inst as usize];
    let wanted = if b.expected == 0 { block.alive() } else { b.expected };
    let message = format!(
        "the block hangs: barrier {number} has {} of {wanted} threads, and {} barriers wait for each other",
        b.arrived,
        open.len()
    );
    if cx.launch().opts.sync {
        report::of_thread(cx, FindingKind::BarrierMisuse, inst, thread, NOWHERE, &message);
    }
    let place = cx.whereabouts_of(inst.head.id, thread);
    cx.fault(Fault::LaunchTimeout(format!("{place}: {message}")));
}
