//! Objects in shared memory: where they are, whether they are sound.

use crate::check::FindingKind;
use crate::isa::memory::place::{Address, place};
use crate::kernel::Fault;
use crate::machine::access::{Kind, SHARED};
use crate::machine::cx::{Cx, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::mbarrier::Mbarrier;
use crate::machine::op::Frame;
use crate::machine::row::{Isa, fill, lanes};
use crate::watch::{self, Access};

/// A mistake with an object.
pub fn misuse(cx: &mut Cx, i: &Inst, lane: u32, message: &str) {
    if cx.launch().opts.sync {
        watch::report(cx, FindingKind::BarrierMisuse, i, lane, message);
    } else {
        cx.fail(Fault::IllegalInstruction, i.head.id, lane, message);
    }
}

/// The shared offsets of the lanes' objects, and the lanes that may go on.
pub fn places<I: Isa>(cx: &mut Frame<I>, at: Address, generic: bool, mask: u32, kind: Kind) -> ([u32; 32], u32) {
    let (inst, mut ok) = (cx.inst(), mask);
    let mut a = at.of(cx, mask);
    if generic {
        let mut outside = 0;
        lanes(mask, |l| {
            a[l] = a[l].wrapping_sub(SHARED_WINDOW);
            outside |= u32::from(a[l] >= WINDOW) << l;
        });
        if outside != 0 {
            let lane = outside.trailing_zeros();
            cx.fail(Fault::IllegalAddress, inst.head.id, lane, "an mbarrier object must lie in shared memory");
            return ([0; 32], 0);
        }
        fill(&mut a, ok);
    }
    if cx.watch {
        ok = watch::object(cx, Access::of(inst, kind, 8), &a, ok);
        if ok == 0 {
            return ([0; 32], 0);
        }
        fill(&mut a, ok);
    }
    let found = place::<I, SHARED, 8>(cx, &a, ok, kind);
    found.map_or(([0; 32], 0), |p| (*p.offsets(), p.mask()))
}

/// Takes the object at an offset out of the block's list, if there is a sound one; [`keep`] puts it back.
pub fn take(cx: &mut Cx, i: &Inst, lane: u32, at: u32) -> Option<Mbarrier> {
    let Some(object) = cx.block().mbarriers.remove(&at) else {
        let message = format!(
            "shared offset {at} holds no mbarrier object; mbarrier.init comes first, and a barrier between it and the \
             others' use"
        );
        misuse(cx, i, lane, &message);
        return None;
    };
    if cx.shared_bytes()[at as usize..][..8] != object.bits().to_le_bytes() {
        let message = format!("the mbarrier object at shared offset {at} was overwritten by a store");
        misuse(cx, i, lane, &message);
    }
    Some(object)
}

/// Puts an object into the block's list, and its bits into shared memory.
pub fn keep(cx: &mut Cx, at: u32, object: Mbarrier) {
    write(cx, at, object.bits());
    cx.block().mbarriers.insert(at, object);
}

/// Writes 64 bits of shared memory.
pub fn write(cx: &mut Cx, at: u32, bits: u64) {
    cx.shared_bytes()[at as usize..][..8].copy_from_slice(&bits.to_le_bytes());
}
