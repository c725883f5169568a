//! initcheck and racecheck of shared memory.
//!
//! Each 32-bit word remembers its last write and its last reads with the clock of the warp that made
//! them. A barrier of the whole block raises the floor: what is older is ordered before everything that
//! follows. Barriers of some warps join those warps' knowledge of each other's clocks (vector clocks);
//! `bar.warp.sync` orders lanes of one warp. Two accesses of different threads to the same bytes, one of
//! them a plain write, that none of these orders are a hazard.

use crate::machine::access::Kind;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::shadow::shared::PENDING;
use crate::watch::init::{mark_written, report_uninitialised, unwritten};
use crate::watch::judge::judge;
use crate::watch::words::{read_words, write_words};

/// Looks at an access to shared memory that lies inside it.
pub fn access(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let (race, init) = (cx.launch().opts.race, cx.launch().opts.init);
    if race {
        hazards(cx, i, a, mask, size, kind);
    }
    if init {
        initialised(cx, i, a, mask, size, kind);
    }
}

fn initialised(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let written = &mut cx.block().shadow.written;
    let (shadow, bytes) = (written.as_mut_ptr(), written.len());
    let at = |l: usize| {
        assert!(a[l] as usize + size as usize <= bytes);
        shadow.wrapping_add(a[l] as usize)
    };
    if kind == Kind::Store {
        // SAFETY: `at` has looked that they lie inside the shadow.
        unsafe { mark_written(mask, size, at) };
        return;
    }
    // SAFETY: as above.
    let missing = unsafe { unwritten(cx, i, mask, size, at) };
    if missing != 0 {
        // words that a copy is about to write are another mistake, and reported as that
        let writes = &cx.block().shadow.writes;
        let pending = |l: usize| writes.get(a[l] as usize / 4).is_some_and(|w| w & PENDING != 0);
        let missing = (0..32).fold(0u32, |m, l| m | (missing & u32::from(!pending(l)) << l));
        let message = "the thread reads shared memory that no thread of the block has written";
        report_uninitialised(cx, i, a, missing, size, "shared", message);
    }
}

#[inline(never)]
fn hazards(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let meetings =
        if kind == Kind::Load { read_words(cx, i, a, mask, size) } else { write_words(cx, i, a, mask, size, kind) };
    for m in meetings {
        judge(cx, i, &m, size, kind);
    }
}

/// The destination of an asynchronous copy: hazards with earlier accesses.
pub fn access_for_copy(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32) {
    hazards(cx, i, a, mask, size, Kind::Store);
}
