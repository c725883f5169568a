//! What an instruction does to an mbarrier object, and mistakes with one.

use crate::check::FindingKind;
use crate::kernel::Fault;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::watch;

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

pub const ACTIONS: [Action; 7] = [
    Action::Init,
    Action::Invalidate,
    Action::Arrive,
    Action::ExpectTransactions,
    Action::CompleteTransactions,
    Action::Wait,
    Action::CopyArrive,
];

/// A mistake with an object.
pub fn misuse(cx: &mut Cx, i: &Inst, lane: u32, message: &str) {
    if cx.launch().opts.sync {
        watch::report(cx, FindingKind::BarrierMisuse, i, lane, message);
    } else {
        let place = cx.whereabouts(i.id, lane);
        cx.fault(Fault::IllegalInstruction(format!("{place}: {message}")));
    }
}
