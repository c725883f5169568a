//! Where the lanes of an access lie.
//!
//! An access first finds a memory and an offset for each lane. Global accesses remember for each instruction the
//! allocation they met last, so that bounds are checked by one vector comparison. Lanes that lie elsewhere (another
//! allocation, another space behind generic addresses) are done in further rounds.

use crate::kernel::Fault;
use crate::machine::access::{GENERIC, GLOBAL, Kind, SHARED, space_name};
use crate::machine::cx::{Cx, PARAM_WINDOW, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::op::Frame;
use crate::machine::operand::{AnySrc, Width, operands};
use crate::machine::place::Place;
use crate::machine::row::{Isa, fill, plus};

/// An address: a register of 32 or 64 bits and an offset.
#[derive(Clone, Copy)]
pub struct Address {
    pub base: AnySrc,
    pub offset: i64,
}
operands!(Address { base, offset });

impl Address {
    /// The lanes' addresses; lanes outside the mask get that of the first lane inside.
    #[inline(always)]
    pub fn of<I: Isa>(self, cx: &Frame<I>, mask: u32) -> [u64; 32] {
        let mut t = match self.base.width() {
            Width::Single(base) => cx.read(base).map(|v| u64::from(v.wrapping_add(self.offset as u32))),
            Width::Double(base) => plus(cx.host(), cx.read(base), self.offset as u64),
        };
        fill(&mut t, mask);
        t
    }
}

/// Finds where the lanes of an access lie; `None` where no lane may go on.
#[inline(always)]
pub fn place<I: Isa, const SPACE: u8, const BYTES: usize>(
    cx: &mut Frame<I>,
    a: &[u64; 32],
    mask: u32,
    kind: Kind,
) -> Option<Place<I, BYTES>> {
    let (span, low) = if SPACE == SHARED { (cx.shared(), 0) } else { cx.known(cx.inst().head.id) };
    span.all(cx.host(), a, low, mask).or_else(|| place_slowly(cx, a, mask, kind, SPACE))
}

#[cold]
#[inline(never)]
fn place_slowly<I: Isa, const BYTES: usize>(
    cx: &mut Frame<I>,
    a: &[u64; 32],
    mask: u32,
    kind: Kind,
    space: u8,
) -> Option<Place<I, BYTES>> {
    let inst = cx.inst();
    let ok = if cx.watch { mask } else { faults(cx, inst, a, mask, BYTES as u64, kind, space) };
    let first = *a.get(ok.trailing_zeros() as usize)?;
    let (span, low) = if space == SHARED {
        (cx.shared(), 0)
    } else if space == GENERIC && first.wrapping_sub(SHARED_WINDOW) < WINDOW {
        (cx.shared(), SHARED_WINDOW)
    } else if space == GENERIC && first.wrapping_sub(PARAM_WINDOW) < WINDOW {
        (cx.params(), PARAM_WINDOW)
    } else {
        cx.meet(inst.head.id, first, BYTES as u64);
        cx.known(inst.head.id)
    };
    span.some(cx.host(), a, low, ok)
}

/// Without memcheck only what would leave the device's memory, or is misaligned, is a fault. Gives the
/// lanes that may go on.
fn faults(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u64, kind: Kind, space: u8) -> u32 {
    let (shared, params) = (cx.shared().bytes(), cx.params().bytes());
    let memory = cx.launch().memory;
    let mut ok = 0;
    for l in (0..32).filter(|l| mask >> l & 1 != 0) {
        let at = a[l];
        let room = |low: u64, bytes: u64| at.wrapping_sub(low) <= bytes.wrapping_sub(size) && bytes >= size;
        let allocated =
            || !cx.launch().opts.guard || cx.launch().allocation(at).is_some_and(|a| at + size <= a.base + a.size);
        let global = room(memory.base(), memory.size()) && allocated();
        let inside = match space {
            SHARED => room(0, shared),
            GLOBAL => global,
            _ => global || room(SHARED_WINDOW, shared) || kind == Kind::Load && room(PARAM_WINDOW, params),
        };
        if !inside {
            let message = format!("{size} bytes at {at:#x} lie outside {} memory", space_name(space));
            cx.fail(Fault::IllegalAddress, i.head.id, l as u32, &message);
        } else if at & (size - 1) != 0 {
            let message = format!("address {at:#x} is not a multiple of the access size, {size} bytes");
            cx.fail(Fault::MisalignedAddress, i.head.id, l as u32, &message);
        } else {
            ok |= 1 << l;
        }
    }
    ok
}
