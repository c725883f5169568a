//! Barriers of a block.

use crate::check::FindingKind;
use crate::machine::control::{BarrierForm, BlockBarrier, Control};
use crate::machine::cx::Cx;
use crate::machine::inst::Code;
use crate::machine::inst::Inst;
use crate::machine::operand::PredDst;
use crate::machine::row::lanes;
use crate::machine::warp::Split;
use crate::watch;

/// Lanes arrive; true when they go on at once.
pub fn arrive(cx: &mut Cx, code: &Code, inst: &Inst, barrier: &BlockBarrier, s: &mut Split) -> bool {
    let lane = s.mask.trailing_zeros() as usize;
    let number = cx.lanes(barrier.number)[lane];
    let wanted = barrier.count.map_or(0, |count| cx.lanes(count)[lane]);
    let value = match barrier.form {
        BarrierForm::Sync | BarrierForm::Arrive => !0,
        BarrierForm::Count(_, p) | BarrierForm::And(_, p) | BarrierForm::Or(_, p) => cx.predicate(p),
    };
    if number > 15 || !wanted.is_multiple_of(32) {
        let message = format!("barrier {number} for {wanted} threads: numbers are 0 to 15, counts multiples of 32");
        watch::report(cx, FindingKind::BarrierMisuse, inst, lane as u32, &message);
        s.pc += 1;
        return true;
    }
    let alive = cx.warp().alive;
    // counted barriers count whole warps, also those with lanes that don't exist
    let whole = s.mask == alive;
    let weight = if wanted != 0 && whole { 32 } else { s.mask.count_ones() };
    let mismatch = {
        let b = &mut cx.block().barriers[number as usize];
        if !b.open {
            *b = Default::default();
            b.open = true;
            b.and = true;
            b.expected = wanted;
            b.inst = inst.head.id;
        }
        b.arrived += weight;
        b.and &= value & s.mask == s.mask;
        b.or |= value & s.mask != 0;
        b.count += (value & s.mask).count_ones();
        b.expected != wanted
    };
    watch::barrier_arrival(cx, number, barrier);
    if mismatch {
        let message = format!("barrier {number} is used with different thread counts at the same time");
        watch::report(cx, FindingKind::BarrierMisuse, inst, lane as u32, &message);
    }
    if matches!(barrier.form, BarrierForm::Arrive) {
        s.pc += 1;
        release_if_complete(cx, code, number);
        return true;
    }
    let waiting = s.clone();
    cx.warp().at_barrier.push((number, waiting));
    release_if_complete(cx, code, number);
    false
}

/// Lanes have exited: barriers that waited for all threads may be complete.
pub fn after_exit(cx: &mut Cx, code: &Code) {
    for number in 0..16 {
        let b = &cx.block().barriers[number];
        if b.open && b.expected == 0 {
            release_if_complete(cx, code, number as u32);
        }
    }
}

fn release_if_complete(cx: &mut Cx, code: &Code, number: u32) {
    let b = cx.block().barriers[number as usize].clone();
    let alive = cx.block().alive();
    let needed = if b.expected == 0 { alive } else { b.expected };
    if b.arrived < needed || b.arrived == 0 {
        return;
    }
    watch::barrier_complete(cx, code, number, &b, alive);
    cx.block().barriers[number as usize].open = false;
    let seed = cx.launch().seed;
    cx.block().shuffle(seed);
    cx.progress += 1;
    for w in 0..cx.block().warps.len() {
        let warp = &mut cx.block().warps[w];
        let (released, waiting) = std::mem::take(&mut warp.at_barrier).into_iter().partition(|(n, _)| *n == number);
        warp.at_barrier = waiting;
        for (_, split) in released {
            let frame = cx.block().warps[w].frames[split.frame as usize].clone();
            let memories = cx.memories(w);
            let mut give = |p: PredDst, yes: bool| {
                let slot = &mut memories.predicates[frame.preds as usize + usize::from(p.slot())];
                *slot = if yes { *slot | split.mask } else { *slot & !split.mask };
            };
            if let Some(Control::Barrier(barrier)) = code[split.pc as usize].control() {
                match barrier.form {
                    BarrierForm::Sync | BarrierForm::Arrive => {}
                    BarrierForm::And(p, _) => give(p, b.and),
                    BarrierForm::Or(p, _) => give(p, b.or),
                    BarrierForm::Count(d, _) => {
                        let row = &mut memories.registers[(frame.rows + d.row()) as usize];
                        lanes(split.mask, |l| row.0[l] = b.count);
                    }
                }
            }
            cx.block().warps[w].ready.push(Split { pc: split.pc + 1, ..split });
        }
        cx.block().warps[w].join_ready();
    }
}
