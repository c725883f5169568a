//! mbarrier objects: barriers in shared memory that count arrivals and are waited for by polling.
//!
//! PTX ISA, "Parallel Synchronization and Communication Instructions: mbarrier". An object is 64 opaque
//! bits; here the low 20 are the pending arrivals, the next 20 those that a phase expects, then three of
//! the phase's number and 21 of the transactions still to come. The block keeps the same beside shared
//! memory, so that an object that was never initialised, or that a store has overwritten, is noticed.
//!
//! Arrivals that `cp.async.mbarrier.arrive` promises come as late as possible: when a waiting thread has
//! polled in vain once and nothing else is missing.

use super::access::{SHARED, SHORT_ADDRESS, lanes, place};
use super::copies::land_prior;
use super::cx::{Cx, SHARED_WINDOW, WINDOW};
use super::inst::{Inst, NONE, Op};
use super::row::{Isa, Plain, fill};
use super::watch::{self, Kind};
use crate::check::FindingKind;
use crate::exec::Fault;

/// Most arrivals that a phase can wait for.
pub const MOST: u32 = (1 << 20) - 1;
const EXPECTED: u32 = 20;
const PHASE: u32 = 40;
const TRANSACTIONS: u32 = 43;

/// In [`Inst::flags`]: the address is generic.
pub const GENERIC_ADDRESS: u8 = 2;
/// No memory ordering comes with it.
pub const RELAXED: u8 = 4;
/// The phase must not end by this arrival.
pub const NO_COMPLETE: u8 = 8;
/// Later phases expect fewer arrivals.
pub const DROP: u8 = 16;
/// Bytes are expected before the arrival.
pub const EXPECT: u8 = 32;
/// The phase is named by its parity, or the pending count isn't raised (`.noinc`).
pub const PLAIN: u8 = 64;

/// What an instruction does to an object; in [`Inst::q`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Action {
    Init,
    Invalidate,
    Arrive,
    ExpectTransactions,
    CompleteTransactions,
    Wait,
    CopyArrive,
}

const ACTIONS: [Action; 7] = [
    Action::Init,
    Action::Invalidate,
    Action::Arrive,
    Action::ExpectTransactions,
    Action::CompleteTransactions,
    Action::Wait,
    Action::CopyArrive,
];

/// Lanes of a warp that arrived in a phase, and what they knew then (hazard checks).
#[derive(Clone, Debug)]
pub struct Arrival {
    pub warp: u32,
    pub lanes: u32,
    pub clock: u32,
    pub known: Vec<u32>,
}

/// An arrival that comes when copies have landed.
#[derive(Clone, Debug)]
struct CopyArrival {
    warp: u32,
    lane: u32,
    /// Copies up to this one.
    serial: u32,
    clock: u32,
}

/// An object.
#[derive(Clone, Debug, Default)]
pub struct Mbarrier {
    expected: u32,
    pending: u32,
    transactions: i32,
    phase: u64,
    arrivals: Vec<Arrival>,
    /// Arrivals of the phase that ended last.
    pub completed: Vec<Arrival>,
    copies: Vec<CopyArrival>,
    /// The current phase was waited for in vain.
    polled: bool,
}

impl Mbarrier {
    fn new(count: u32) -> Mbarrier {
        Mbarrier {
            expected: count,
            pending: count,
            ..Mbarrier::default()
        }
    }

    /// The object's 64 bits, also the token that an arrival gives.
    fn bits(&self) -> u64 {
        u64::from(self.pending)
            | u64::from(self.expected) << EXPECTED
            | (self.phase & 7) << PHASE
            | (self.transactions as u64) << TRANSACTIONS
    }

    /// Ends the phase when nothing is missing; true when it ended.
    fn advance(&mut self) -> bool {
        if self.pending != 0 || self.transactions != 0 {
            return false;
        }
        self.phase += 1;
        self.pending = self.expected;
        self.completed = std::mem::take(&mut self.arrivals);
        self.polled = false;
        true
    }

    fn remember(&mut self, arrival: Arrival) {
        match self.arrivals.last_mut() {
            Some(a) if a.warp == arrival.warp && a.clock == arrival.clock => {
                a.lanes |= arrival.lanes;
            }
            _ => self.arrivals.push(arrival),
        }
    }

    /// Only promised arrivals are missing.
    fn waits_for_copies(&self) -> bool {
        !self.copies.is_empty()
            && self.transactions == 0
            && self.pending as usize <= self.copies.len()
    }
}

/// Everything but `mbarrier.pending_count`.
pub struct Operate;

impl Op for Operate {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        operate(cx, i, mask);
    }
}

/// `mbarrier.pending_count`: of the token in `a`.
pub struct PendingCount;

impl Op for PendingCount {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        unsafe {
            let tokens = cx.row::<u64>(i.a);
            cx.put(i.d, &tokens.map(|t| t as u32 & MOST), mask);
        }
    }
}

/// The shared offsets of the lanes' objects, and the lanes that may go on.
fn objects(cx: &mut Cx, i: &Inst, mask: u32, action: Action) -> ([u32; 32], u32) {
    let mut a = [0u64; 32];
    // SAFETY: the decoder has made `a` a row of 32 or 64 bits as the flag says.
    unsafe {
        if i.flags & SHORT_ADDRESS != 0 {
            let row = cx.row::<u32>(i.a);
            lanes(mask, |l| {
                a[l] = u64::from(row[l].wrapping_add(i.imm as u32))
            });
        } else {
            let row = cx.row::<u64>(i.a);
            lanes(mask, |l| a[l] = row[l].wrapping_add(i.imm as u64));
        }
    }
    let mut ok = mask;
    if i.flags & GENERIC_ADDRESS != 0 {
        let mut outside = 0;
        lanes(mask, |l| {
            a[l] = a[l].wrapping_sub(SHARED_WINDOW);
            outside |= u32::from(a[l] >= WINDOW) << l;
        });
        if outside != 0 {
            let place = cx.whereabouts(i, outside.trailing_zeros());
            let text = format!("{place}: an mbarrier object must lie in shared memory");
            cx.fault(Fault::IllegalAddress(text));
            return ([0; 32], 0);
        }
    }
    fill(&mut a, ok);
    if cx.watch {
        let kind = match action {
            Action::Init | Action::Invalidate => Kind::Store,
            _ => Kind::Atomic,
        };
        ok = watch::mbarrier::access(cx, i, &a, ok, kind);
        if ok == 0 {
            return ([0; 32], 0);
        }
        fill(&mut a, ok);
    }
    // SAFETY: `place` checks the offsets against the block's shared memory.
    let found = unsafe { place::<Plain, SHARED>(cx, i, &a, ok, 8) };
    (found.offsets, found.mask)
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
                let sign = if action == Action::ExpectTransactions {
                    1
                } else {
                    -1
                };
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

/// A mistake with an object.
fn misuse(cx: &mut Cx, i: &Inst, lane: u32, message: &str) {
    if cx.launch().opts.sync {
        watch::report(cx, FindingKind::BarrierMisuse, i, lane, message);
    } else {
        let place = cx.whereabouts(i, lane);
        cx.fault(Fault::IllegalInstruction(format!("{place}: {message}")));
    }
}

/// Writes an object's bits to shared memory.
fn write(cx: &mut Cx, at: u32, bits: u64) {
    // SAFETY: the offset was found inside shared memory.
    unsafe {
        cx.shared
            .add(at as usize)
            .cast::<u64>()
            .write_unaligned(bits)
    };
}

fn init(cx: &mut Cx, i: &Inst, lane: u32, at: u32, count: u32) {
    if count == 0 || count > MOST {
        let message = format!("mbarrier.init with a count of {count}; 1 to {MOST} are possible");
        misuse(cx, i, lane, &message);
        return;
    }
    if cx.block().mbarriers.contains_key(&at) {
        let message =
            "mbarrier.init of an object that is in use; invalidate it first (mbarrier.inval)";
        misuse(cx, i, lane, message);
    }
    let object = Mbarrier::new(count);
    write(cx, at, object.bits());
    cx.block().mbarriers.insert(at, object);
}

/// The object at an offset, if there is a sound one.
fn live(cx: &mut Cx, i: &Inst, lane: u32, at: u32) -> Option<*mut Mbarrier> {
    // SAFETY: the offset was found inside shared memory.
    let there = unsafe { cx.shared.add(at as usize).cast::<u64>().read_unaligned() };
    let Some(object) = cx.block().mbarriers.get_mut(&at) else {
        let message = format!(
            "shared offset {at} holds no mbarrier object; mbarrier.init comes first, and a barrier between it and the others' use"
        );
        misuse(cx, i, lane, &message);
        return None;
    };
    if object.bits() != there {
        let bits = object.bits();
        write(cx, at, bits);
        let message =
            format!("the mbarrier object at shared offset {at} was overwritten by a store");
        misuse(cx, i, lane, &message);
    }
    cx.block().mbarriers.get_mut(&at).map(std::ptr::from_mut)
}

fn expect(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier, bytes: i64) {
    let sum = i64::from(object.transactions) + bytes;
    if sum.abs() > i64::from(MOST) {
        let message = format!("{sum} bytes of transactions; an mbarrier counts at most {MOST}");
        misuse(cx, i, lane, &message);
        return;
    }
    object.transactions = sum as i32;
}

fn arrive(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier, count: u32) {
    if count == 0 || count > object.pending {
        let message = format!(
            "{count} arrivals at an mbarrier that waits for {} in this phase",
            object.pending
        );
        misuse(cx, i, lane, &message);
        return;
    }
    if i.flags & DROP != 0 {
        object.expected -= count.min(object.expected);
    }
    if cx.launch().opts.race && i.flags & RELAXED == 0 {
        let arrival = watch::mbarrier::arrival(cx, 1 << lane);
        object.remember(arrival);
    }
    object.pending -= count;
    if object.advance() {
        cx.progress += 1;
        if i.flags & NO_COMPLETE != 0 {
            let message = "an arrival with .noComplete ended the phase: its effect is undefined";
            misuse(cx, i, lane, message);
        }
    }
}

/// True when the phase that the operand names has ended.
fn wait(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier) -> bool {
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
        let message = "a wait for a phase that is neither the current nor the one before: its token is too old or not of this object";
        misuse(cx, i, lane, message);
        return true;
    }
    if !done && object.waits_for_copies() {
        if object.polled {
            while !object.copies.is_empty() && !done {
                let c = object.copies.remove(0);
                land_prior(cx, c.warp, c.lane, c.serial, c.clock);
                if cx.launch().opts.race {
                    object.remember(Arrival {
                        warp: c.warp,
                        lanes: 1 << c.lane,
                        clock: c.clock,
                        known: Vec::new(),
                    });
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

/// `cp.async.mbarrier.arrive`: an arrival when the lane's copies so far have landed.
fn promise(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier) {
    if i.flags & PLAIN == 0 {
        if object.pending == MOST {
            misuse(cx, i, lane, "the pending count of the mbarrier overflows");
            return;
        }
        object.pending += 1;
    } else if object.copies.len() >= object.pending as usize {
        let message = format!(
            "more arrivals at an mbarrier than the {} that it waits for in this phase",
            object.pending
        );
        misuse(cx, i, lane, &message);
        return;
    }
    let warp = cx.warp();
    object.copies.push(CopyArrival {
        warp: warp.number,
        lane,
        serial: warp.copies.issued,
        clock: warp.clock,
    });
}

/// Lanes that waited with success are ordered behind the arrivals of the phases.
fn learn(cx: &mut Cx, at: &[u32; 32], complete: u32) {
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
