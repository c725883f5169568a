//! What instructions do to mbarrier objects.

use crate::isa::mbarrier::object::{keep, misuse, places, take, write};
use crate::isa::memory::place::Address;
use crate::isa::tensor::copies::land_prior;
use crate::machine::access::Kind;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::mbarrier::{Arrival, CopyArrival, MOST, Mbarrier, PHASE};
use crate::machine::op::{Frame, Op};
use crate::machine::operand::{AnySrc, Dst, Operands, PredDst, Slot, Src, Width, operands};
use crate::machine::row::{Isa, lanes};
use crate::watch;

/// What an instruction does to an object.
#[derive(Clone, Copy)]
pub enum Action {
    Init {
        count: Src<u32>,
    },
    Invalidate,
    Arrive(Arriving),
    /// More or, where it isn't to `expect`, fewer bytes are to come in the phase.
    Transactions {
        bytes: Src<u32>,
        expect: bool,
    },
    Wait(Waiting),
    /// An arrival when the lane's copies so far have landed.
    CopyArrive {
        /// The pending count isn't raised.
        noinc: bool,
    },
}

/// An arrival.
#[derive(Clone, Copy)]
pub struct Arriving {
    /// Where the object's state before goes.
    pub token: Option<Dst<u64>>,
    /// How many, 1 where nothing is said.
    pub count: Option<Src<u32>>,
    /// Bytes that are expected before the arrival.
    pub expect: Option<Src<u32>>,
    /// Later phases expect fewer arrivals.
    pub drop: bool,
    /// The phase must not end by it.
    pub no_complete: bool,
    /// No memory ordering comes with it.
    pub relaxed: bool,
}

/// A test for the end of a phase.
#[derive(Clone, Copy)]
pub struct Waiting {
    pub done: PredDst,
    /// The phase: its parity in 32 bits, or a token in 64.
    pub phase: AnySrc,
    /// No memory ordering comes with it.
    pub relaxed: bool,
}

/// The data of [`Operate`].
#[derive(Clone, Copy)]
pub struct Operation {
    pub at: Address,
    /// The address is generic.
    pub generic: bool,
    pub action: Action,
}
operands!(Arriving { token, count, expect, drop, no_complete, relaxed });
operands!(Waiting { done, phase, relaxed });
operands!(Operation { at, generic, action });

// SAFETY: the operands of each kind are visited.
unsafe impl Operands for Action {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        match self {
            Action::Init { count } => count.visit(f),
            Action::Arrive(arriving) => arriving.visit(f),
            Action::Transactions { bytes, expect: _ } => bytes.visit(f),
            Action::Wait(waiting) => waiting.visit(f),
            Action::Invalidate | Action::CopyArrive { noinc: _ } => {}
        }
    }
}

/// Everything but `mbarrier.pending_count`.
pub struct Operate;

impl Op for Operate {
    type Data = Operation;
    const VECTORS: bool = false;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Operation, mask: u32) {
        cx.polls += 1;
        let inst = cx.inst();
        let kind = match i.action {
            Action::Init { .. } | Action::Invalidate => Kind::Store,
            _ => Kind::Atomic,
        };
        let (at, mask) = places(cx, i.at, i.generic, mask, kind);
        match i.action {
            Action::Init { count } => {
                let counts = *cx.read(count);
                lanes(mask, |l| init(cx, inst, l as u32, at[l], counts[l]));
            }
            Action::Invalidate => lanes(mask, |l| {
                if take(cx, inst, l as u32, at[l]).is_some() {
                    write(cx, at[l], 0);
                }
            }),
            Action::Arrive(arriving) => arrive_all(cx, &arriving, &at, mask),
            Action::Transactions { bytes, expect: more } => {
                let bytes = *cx.read(bytes);
                on_each(cx, inst, &at, mask, |cx, l, object| {
                    expect(cx, inst, l as u32, object, if more { 1 } else { -1 } * i64::from(bytes[l]));
                    cx.progress += u64::from(object.advance());
                });
            }
            Action::Wait(waiting) => {
                let phases = cx.bits(waiting.phase);
                let parity = matches!(waiting.phase.width(), Width::Single(_));
                let mut complete = 0u32;
                on_each(cx, inst, &at, mask, |cx, l, object| {
                    complete |= u32::from(wait(cx, inst, l as u32, object, phases[l], parity)) << l;
                });
                cx.set_predicate(waiting.done, complete, mask);
                if !waiting.relaxed {
                    learn(cx, &at, complete);
                }
            }
            Action::CopyArrive { noinc } => {
                let promised = on_each(cx, inst, &at, mask, |cx, l, object| promise(cx, inst, l as u32, object, noinc));
                pass(cx, promised);
            }
        }
    }
}

/// Does something to the object of each lane of a mask; true when there was any.
fn on_each(
    cx: &mut Cx,
    inst: &Inst,
    at: &[u32; 32],
    mask: u32,
    mut f: impl FnMut(&mut Cx, usize, &mut Mbarrier),
) -> bool {
    let mut any = false;
    lanes(mask, |l| {
        if let Some(mut object) = take(cx, inst, l as u32, at[l]) {
            f(cx, l, &mut object);
            keep(cx, at[l], object);
            any = true;
        }
    });
    any
}

/// What lanes that arrived do from now on was not before their arrival.
fn pass(cx: &mut Cx, arrived: bool) {
    if arrived && cx.launch().opts.race {
        cx.warp().clock += 1;
    }
}

fn init(cx: &mut Cx, i: &Inst, lane: u32, at: u32, count: u32) {
    if count == 0 || count > MOST {
        misuse(cx, i, lane, &format!("mbarrier.init with a count of {count}; 1 to {MOST} are possible"));
        return;
    }
    if cx.block().mbarriers.contains_key(&at) {
        let message = "mbarrier.init of an object that is in use; invalidate it first (mbarrier.inval)";
        misuse(cx, i, lane, message);
    }
    keep(cx, at, Mbarrier::new(count));
}

fn arrive_all<I: Isa>(cx: &mut Frame<I>, i: &Arriving, at: &[u32; 32], mask: u32) {
    let inst = cx.inst();
    let counts = i.count.map_or([1; 32], |row| *cx.read(row));
    let bytes = i.expect.map(|row| *cx.read(row));
    let mut tokens = [0u64; 32];
    let arrived = on_each(cx, inst, at, mask, |cx, l, object| {
        tokens[l] = object.bits();
        if let Some(bytes) = bytes {
            expect(cx, inst, l as u32, object, i64::from(bytes[l]));
        }
        arrive(cx, inst, l as u32, object, counts[l], i);
    });
    if let Some(d) = i.token {
        cx.write(d, &tokens, mask);
    }
    pass(cx, arrived);
}

fn arrive(cx: &mut Cx, inst: &Inst, lane: u32, object: &mut Mbarrier, count: u32, i: &Arriving) {
    if count == 0 || count > object.pending {
        let message = format!("{count} arrivals at an mbarrier that waits for {} in this phase", object.pending);
        misuse(cx, inst, lane, &message);
        return;
    }
    if i.drop {
        object.expected -= count.min(object.expected);
    }
    if cx.launch().opts.race && !i.relaxed {
        object.remember(watch::arrived(cx, 1 << lane));
    }
    object.pending -= count;
    if object.advance() {
        cx.progress += 1;
        if i.no_complete {
            misuse(cx, inst, lane, "an arrival with .noComplete ended the phase: its effect is undefined");
        }
    }
}

/// `cp.async.mbarrier.arrive`: an arrival when the lane's copies so far have landed.
fn promise(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier, noinc: bool) {
    if !noinc {
        if object.pending == MOST {
            misuse(cx, i, lane, "the pending count of the mbarrier overflows");
            return;
        }
        object.pending += 1;
    } else if object.copies.len() >= object.pending as usize {
        let message =
            format!("more arrivals at an mbarrier than the {} that it waits for in this phase", object.pending);
        misuse(cx, i, lane, &message);
        return;
    }
    let warp = cx.warp();
    object.copies.push(CopyArrival { warp: warp.number, lane, serial: warp.copies.issued, clock: warp.clock });
}

fn expect(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier, bytes: i64) {
    let sum = i64::from(object.transactions) + bytes;
    if sum.abs() > i64::from(MOST) {
        misuse(cx, i, lane, &format!("{sum} bytes of transactions; an mbarrier counts at most {MOST}"));
    } else {
        object.transactions = sum as i32;
    }
}

/// True when a phase has ended, which is named by its parity or by a token.
fn wait(cx: &mut Cx, i: &Inst, lane: u32, object: &mut Mbarrier, phase: u64, parity: bool) -> bool {
    let behind = |object: &Mbarrier| match parity {
        true => (object.phase ^ phase) & 1,
        false => object.phase.wrapping_sub(phase >> PHASE) & 7,
    };
    if behind(object) > 1 {
        let message = "a wait for a phase that is neither the current nor the one before: its token is too old or \
                       not of this object";
        misuse(cx, i, lane, message);
        return true;
    }
    if behind(object) == 0 && object.waits_for_copies() {
        if object.polled {
            while !object.copies.is_empty() && behind(object) == 0 {
                let c = object.copies.remove(0);
                land_prior(cx, c.warp, c.lane, c.serial, c.clock);
                if cx.launch().opts.race {
                    object.remember(Arrival { warp: c.warp, lanes: 1 << c.lane, clock: c.clock, known: Vec::new() });
                }
                object.pending -= 1;
                object.advance();
            }
        }
        object.polled = true;
        cx.progress += 1;
    }
    behind(object) != 0
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
        if let Some(object) = cx.block().mbarriers.get(&at[first]) {
            let arrivals = object.completed.clone();
            watch::waited(cx, &arrivals, same);
        }
    }
}

#[derive(Clone, Copy)]
pub struct Pending {
    pub d: Dst<u32>,
    pub token: Src<u64>,
}
operands!(Pending { d, token });

/// `mbarrier.pending_count` of a token.
pub struct PendingCount;

impl Op for PendingCount {
    type Data = Pending;
    const VECTORS: bool = false;
    const APART: bool = true;
    fn exec<I: Isa>(cx: &mut Frame<I>, i: &Pending, mask: u32) {
        let counts = cx.read(i.token).map(|t| t as u32 & MOST);
        cx.write(i.d, &counts, mask);
    }
}
