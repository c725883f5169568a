//! Instructions that the lanes of a member mask execute together.

use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::warp::{Split, Waiting};
use crate::watch;

/// An instruction that its members execute together: waits until all of them are here. True when the split goes on.
///
/// # Safety
/// The instruction belongs to the function whose frame was chosen.
pub unsafe fn together<const COUNT: bool>(cx: &mut Cx, inst: &Inst, s: &mut Split, mask: u32) -> bool {
    leave_others(cx, s, mask);
    let Some(members) = inst.head.members else { return true };
    let members = *cx.lanes(members);
    let first = members[mask.trailing_zeros() as usize & 31];
    let alive = cx.warp().alive;
    // the usual case: everybody alive is here and named
    let uniform = members.iter().fold(0, |x, m| x | (m ^ first)) == 0;
    if uniform && first & alive & !mask == 0 && mask & !first == 0 {
        // SAFETY: the caller's promise.
        unsafe { execute::<COUNT>(cx, inst, mask) };
        s.pc += 1;
        return true;
    }
    let mut here = s.clone();
    let mut others = Vec::new();
    let (pc, frame) = (s.pc, s.frame);
    cx.warp().waiting.retain(|w| {
        let same = w.split.pc == pc && w.split.frame == frame;
        if same {
            others.push(w.split.clone());
        }
        !same
    });
    let mut union = here.mask;
    for o in &others {
        union |= o.mask;
    }
    // each group of lanes with the same member mask runs when it is complete
    let mut done = 0;
    let mut rest = union;
    while rest != 0 {
        let first = rest.trailing_zeros() as usize;
        let named = members[first];
        let mut group = 0;
        for (l, m) in members.iter().enumerate() {
            group |= u32::from(*m == named) << l;
        }
        group &= rest;
        rest &= !group;
        if group & !named != 0 {
            watch::not_a_member(cx, inst, group & !named, named);
        }
        if named & alive & !group == 0 {
            // SAFETY: the caller's promise.
            unsafe { execute::<COUNT>(cx, inst, group) };
            done |= group;
        }
    }
    others.insert(0, here.clone());
    here.mask = 0;
    for o in others {
        let (on, wait) = (o.mask & done, o.mask & !done);
        if on != 0 {
            if here.mask == 0 || here.meeting == o.meeting {
                here = Split { pc: pc + 1, mask: here.mask | on, ..o.clone() };
            } else {
                cx.warp().ready.push(Split { pc: pc + 1, mask: on, ..o.clone() });
            }
        }
        if wait != 0 {
            let members = members[wait.trailing_zeros() as usize];
            cx.warp().waiting.push(Waiting { split: Split { mask: wait, ..o }, members });
        }
    }
    *s = here;
    s.mask != 0
}

/// # Safety
/// As for [`together`].
#[inline(always)]
unsafe fn execute<const COUNT: bool>(cx: &mut Cx, inst: &Inst, mask: u32) {
    if COUNT {
        cx.tally.count(inst.head.id, mask);
    }
    // SAFETY: the caller's promise.
    unsafe { inst.execute(cx, mask) };
    if cx.watch && mask == cx.warp().alive {
        watch::lanes_together(cx);
    }
}

/// Lanes of a split that an instruction leaves out go on behind it later.
#[inline]
pub fn leave_others(cx: &mut Cx, s: &mut Split, mask: u32) {
    let rest = s.mask & !mask;
    if rest != 0 {
        let other = Split { pc: s.pc + 1, mask: rest, ..s.clone() };
        cx.warp().ready.push(other);
        s.mask = mask;
    }
}
