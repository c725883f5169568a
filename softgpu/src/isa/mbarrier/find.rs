//! Objects in shared memory: where they are, whether they are sound, their start.

use crate::isa::mbarrier::action::{Action, GENERIC_ADDRESS, misuse};
use crate::isa::memory::place::place;
use crate::kernel::Fault;
use crate::machine::access::{Kind, SHARED, SHORT_ADDRESS};
use crate::machine::cx::{Cx, SHARED_WINDOW, WINDOW};
use crate::machine::inst::Inst;
use crate::machine::mbarrier::{MOST, Mbarrier};
use crate::machine::row::{Plain, fill, lanes};
use crate::watch;

/// The shared offsets of the lanes' objects, and the lanes that may go on.
pub fn objects(cx: &mut Cx, i: &Inst, mask: u32, action: Action) -> ([u32; 32], u32) {
    let mut a = [0u64; 32];
    // SAFETY: the decoder has made `a` a row of 32 or 64 bits as the flag says.
    unsafe {
        if i.flags & SHORT_ADDRESS != 0 {
            let row = cx.row::<u32>(i.a);
            lanes(mask, |l| a[l] = u64::from(row[l].wrapping_add(i.imm as u32)));
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
            let place = cx.whereabouts(i.id, outside.trailing_zeros());
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

/// The object at an offset, if there is a sound one.
pub fn live(cx: &mut Cx, i: &Inst, lane: u32, at: u32) -> Option<*mut Mbarrier> {
    // SAFETY: the offset was found inside shared memory.
    let there = unsafe { cx.shared.add(at as usize).cast::<u64>().read_unaligned() };
    let Some(object) = cx.block().mbarriers.get_mut(&at) else {
        let message = format!(
            "shared offset {at} holds no mbarrier object; mbarrier.init comes first, and a barrier between it and the \
             others' use"
        );
        misuse(cx, i, lane, &message);
        return None;
    };
    if object.bits() != there {
        let bits = object.bits();
        write(cx, at, bits);
        let message = format!("the mbarrier object at shared offset {at} was overwritten by a store");
        misuse(cx, i, lane, &message);
    }
    cx.block().mbarriers.get_mut(&at).map(std::ptr::from_mut)
}

pub fn init(cx: &mut Cx, i: &Inst, lane: u32, at: u32, count: u32) {
    if count == 0 || count > MOST {
        let message = format!("mbarrier.init with a count of {count}; 1 to {MOST} are possible");
        misuse(cx, i, lane, &message);
        return;
    }
    if cx.block().mbarriers.contains_key(&at) {
        let message = "mbarrier.init of an object that is in use; invalidate it first (mbarrier.inval)";
        misuse(cx, i, lane, message);
    }
    let object = Mbarrier::new(count);
    write(cx, at, object.bits());
    cx.block().mbarriers.insert(at, object);
}

/// Writes an object's bits to shared memory.
pub fn write(cx: &mut Cx, at: u32, bits: u64) {
    // SAFETY: the offset was found inside shared memory.
    unsafe { cx.shared.add(at as usize).cast::<u64>().write_unaligned(bits) };
}
