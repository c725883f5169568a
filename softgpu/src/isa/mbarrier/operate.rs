//! mbarrier objects: barriers in shared memory that count arrivals and are waited for by polling.
//!
//! `object` is the object itself, `find` looks for it in shared memory, `arrive` counts arrivals and
//! transactions, `wait` tests for the end of a phase.
//!
//! PTX ISA, "Parallel Synchronization and Communication Instructions: mbarrier". An object is 64 opaque
//! bits; here the low 20 are the pending arrivals, the next 20 those that a phase expects, then three of
//! the phase's number and 21 of the transactions still to come. The block keeps the same beside shared
//! memory, so that an object that was never initialised, or that a store has overwritten, is noticed.
//!
//! Arrivals that `cp.async.mbarrier.arrive` promises come as late as possible: when a waiting thread has
//! polled in vain once and nothing else is missing.

use crate::isa::mbarrier::action::{ACTIONS, Action, EXPECT, RELAXED};
use crate::isa::mbarrier::arrive::{arrive, expect, promise};
use crate::isa::mbarrier::find::{init, live, objects, write};
use crate::isa::mbarrier::wait::{learn, wait};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::mbarrier::MOST;
use crate::machine::old_op::OldOp;
use crate::machine::row::{Isa, NONE};

/// Everything but `mbarrier.pending_count`.
pub struct Operate;

impl OldOp for Operate {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        operate(cx, i, mask);
    }
}

/// `mbarrier.pending_count`: of the token in `a`.
pub struct PendingCount;

impl OldOp for PendingCount {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let tokens = cx.row::<u64>(i.a);
            cx.put(i.d, &tokens.map(|t| t as u32 & MOST), mask);
        }
    }
}

fn operate(cx: &mut Cx, i: &Inst, mask: u32) {
    let action = ACTIONS[usize::from(i.q)];
    cx.polls += 1;
    let (at, mask) = objects(cx, i, mask, action);
    let operand = |cx: &Cx, row: u32, l: usize| match row {
        NONE => 1,
        // SAFETY: the decoder has made it a row of 32 bits.
        row => unsafe { cx.row::<u32>(row)[l] },
    };
    let mut tokens = [0u64; 32];
    let mut complete = 0u32;
    let mut arrived = false;
    for l in (0..32).filter(|l| mask >> l & 1 != 0) {
        let lane = l as u32;
        if action == Action::Init {
            let count = operand(cx, i.b, l);
            init(cx, i, lane, at[l], count);
            continue;
        }
        let Some(object) = live(cx, i, lane, at[l]) else {
            continue;
        };
        // SAFETY: the block outlives the call, and nothing below removes the object while it is used.
        let object = unsafe { &mut *object };
        match action {
            Action::Init => {}
            Action::Invalidate => {
                cx.block().mbarriers.remove(&at[l]);
                write(cx, at[l], 0);
                continue;
            }
            Action::Arrive => {
                tokens[l] = object.bits();
                if i.flags & EXPECT != 0 {
                    let bytes = operand(cx, i.c, l);
                    expect(cx, i, lane, object, i64::from(bytes));
                }
                let count = operand(cx, i.b, l);
                arrive(cx, i, lane, object, count);
                arrived = true;
            }
            Action::ExpectTransactions | Action::CompleteTransactions => {
                let bytes = i64::from(operand(cx, i.b, l));
                let sign = if action == Action::ExpectTransactions { 1 } else { -1 };
                expect(cx, i, lane, object, sign * bytes);
                if object.advance() {
                    cx.progress += 1;
                }
            }
            Action::Wait => complete |= u32::from(wait(cx, i, lane, object)) << l,
            Action::CopyArrive => {
                promise(cx, i, lane, object);
                arrived = true;
            }
        }
        let bits = object.bits();
        write(cx, at[l], bits);
    }
    match action {
        Action::Arrive if i.d != NONE => {
            // SAFETY: the decoder has made `d` a row of 64 bits.
            unsafe { cx.put(i.d, &tokens, mask) };
        }
        Action::Wait => {
            // SAFETY: a predicate of the frame.
            unsafe { cx.put_pred(i.p, complete, mask) };
            if i.flags & RELAXED == 0 {
                learn(cx, &at, complete);
            }
        }
        _ => {}
    }
    if arrived && cx.launch().opts.race {
        // what these lanes do from now on was not before their arrival
        cx.warp().clock += 1;
    }
}
