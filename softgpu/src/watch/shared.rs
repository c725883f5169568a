//! initcheck and racecheck of shared memory.
//!
//! Each 32-bit word remembers its last write and its last reads with the clock of the warp that made
//! them. A barrier of the whole block raises the floor: what is older is ordered before everything that
//! follows. Barriers of some warps join those warps' knowledge of each other's clocks (vector clocks);
//! `bar.warp.sync` orders lanes of one warp. Two accesses of different threads to the same bytes, one of
//! them a plain write, that none of these orders are a hazard.

use crate::machine::access::Kind;
use crate::machine::cx::Cx;
use crate::machine::row::lanes;
use crate::memory::all_set;
use crate::shadow::shared::PENDING;
use crate::watch::init::{report_uninitialised, unwritten};
use crate::watch::judge::judge;
use crate::watch::report::Access;
use crate::watch::words::{read_words, write_words};

/// Looks at an access to shared memory that lies inside it.
pub fn access(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32) {
    let (race, init) = (cx.launch().opts.race, cx.launch().opts.init);
    if race {
        hazards(cx, access, a, mask);
    }
    if init {
        initialised(cx, access, a, mask);
    }
}

fn initialised(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32) {
    let size = access.size as usize;
    if access.kind == Kind::Store {
        let shadow = &mut cx.block().shadow;
        lanes(mask, |l| shadow.mark_written(a[l] as usize, size));
        return;
    }
    let shadow = &cx.block_ref().shadow;
    if shadow.unwritten == 0 {
        return;
    }
    let bytes = &shadow.written[..];
    let (fours, eights) = (bytes.as_chunks::<4>().0, bytes.as_chunks::<8>().0);
    // accesses are aligned
    let written = |l: usize, from: usize, count: usize| match (a[l] as usize + from, count) {
        (at, 4) => fours.get(at / 4) == Some(&[1; 4]),
        (at, 8) => eights.get(at / 8) == Some(&[1; 8]),
        (at, _) => all_set(&bytes[at..][..count]),
    };
    let missing = unwritten(cx, access, mask, written);
    if missing != 0 {
        // words that a copy is about to write are another mistake, and reported as that
        let pending = |l: usize| shadow.writes.get(a[l] as usize / 4).is_some_and(|w| w & PENDING != 0);
        let missing = (0..32).fold(0u32, |m, l| m | (missing & u32::from(!pending(l)) << l));
        let message = "the thread reads shared memory that no thread of the block has written";
        report_uninitialised(cx, *access, a, missing, "shared", message);
    }
}

/// Looks for hazards with earlier accesses.
#[inline(never)]
pub fn hazards(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32) {
    let meetings =
        if access.kind == Kind::Load { read_words(cx, access, a, mask) } else { write_words(cx, access, a, mask) };
    for m in meetings {
        judge(cx, *access, a[m.lane], &m);
    }
}
