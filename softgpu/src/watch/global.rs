//! racecheck of global memory between the blocks of a launch.
//!
//! Each 32-bit word remembers the block that wrote it last and one that read it in this launch, and
//! which bytes; further writers of other bytes, and in kernels that can order blocks further readers, are
//! kept in tables beside (`shadow::marks`). When another block comes, the two are ordered if a chain of
//! synchronisations leads from one to the other: a release (an atomic or volatile store after a fence,
//! or with `.release`) and a later acquire (an atomic or volatile load) of the same address.

use crate::check::FindingKind;
use crate::machine::access::{Kind, RELEASE, STRONG};
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::row::lanes;
use crate::shadow::global::{BlockSync, FOLLOWED, GlobalRaces};
use crate::shadow::marks::{BYTES, EPOCH, EPOCHS, FLAG, LAUNCH, MORE, bytes_of, epoch_of};
use crate::watch::report::{self, Spot};
use std::sync::atomic::{Ordering, fence};

/// Looks at an access to global memory that lies inside an allocation.
pub fn access(cx: &mut Cx, i: &Inst, a: &[u64; 32], mask: u32, size: u32, kind: Kind) {
    let launch = unsafe { &*cx.launch };
    let races = &launch.races;
    let block = unsafe { &mut *cx.block };
    let me = block.linear as u32;
    let strong = kind == Kind::Atomic || i.flags & STRONG != 0;
    if strong {
        if kind != Kind::Load && (block.sync.fenced || i.flags & RELEASE != 0) {
            release(a, mask, races, &mut block.sync, me);
        }
    } else if kind == Kind::Store {
        block.sync.fenced = false;
    }
    if launch.grid == [1, 1, 1] {
        return;
    }
    let arena = cx.arena;
    let stamp = races.launch << LAUNCH | (u64::from(block.sync.epoch) & EPOCHS) << EPOCH | u64::from(me);
    let words = u64::from(size.div_ceil(4));
    let mut conflicts: Vec<(usize, u64, bool)> = Vec::new();
    let writes = kind != Kind::Load;
    // first leave a mark, then look: of two blocks that come together one sees the other
    let mut swapped = [0u64; 32 * 4];
    lanes(mask, |l| {
        let first = a[l] - arena;
        let bytes = match size {
            1 => 1 << (first & 3),
            2 => 3 << (first & 3),
            _ => 15,
        };
        let mark = stamp | bytes << BYTES;
        for w in 0..words {
            let word = first / 4 + w;
            if writes {
                let mark = mark | if strong { FLAG } else { 0 };
                swapped[l * 4 + w as usize] = if size < 4 {
                    races.mark_part(word, mark)
                } else {
                    races.cell(word, 0).swap(mark, Ordering::Relaxed)
                };
            } else if !strong {
                let cell = races.cell(word, 1);
                let old = cell.load(Ordering::Relaxed);
                if old >> LAUNCH != races.launch {
                    cell.store(mark, Ordering::Relaxed);
                } else if old | FLAG != mark | FLAG
                    && (races.exact || old & FLAG == 0 || mark & !old & 15 << BYTES != 0)
                {
                    races.mark_reader(word, old, mark);
                }
            }
        }
    });
    fence(Ordering::SeqCst);
    lanes(mask, |l| {
        let first = a[l] - arena;
        let bytes = match size {
            1 => 1 << (first & 3),
            2 => 3 << (first & 3),
            _ => 15,
        };
        for w in 0..words {
            let word = first / 4 + w;
            let write = if writes { swapped[l * 4 + w as usize] } else { races.cell(word, 0).load(Ordering::Relaxed) };
            if write >> LAUNCH == races.launch
                && (write as u32 != me && bytes_of(write) & bytes != 0 || write & MORE != 0)
            {
                let all = std::iter::once(write).chain(races.writers.of(word, write & MORE != 0));
                conflicts.extend(
                    all.filter(|&m| m as u32 != me && bytes_of(m) & bytes != 0 && !(strong && m & FLAG != 0))
                        .map(|m| (l, m, true)),
                );
            }
            if writes && !strong {
                let read = races.cell(word, 1).load(Ordering::Relaxed);
                if read >> LAUNCH == races.launch
                    && bytes_of(read) & bytes != 0
                    && (read as u32 != me || read & FLAG != 0)
                {
                    if read & FLAG != 0 && races.exact {
                        let all = races.readers.of(word, true);
                        conflicts
                            .extend(all.filter(|&m| m as u32 != me && bytes_of(m) & bytes != 0).map(|m| (l, m, false)));
                    } else {
                        conflicts.push((l, read, false));
                    }
                }
            }
        }
    });
    for (l, old, written) in conflicts {
        let spot = Spot { address: a[l], space: "global", bytes: size };
        judge(cx, i, l as u32, spot, kind, old, written);
    }
}

/// Notes a release, before the access is made: whoever sees its effect comes later.
fn release(a: &[u64; 32], mask: u32, races: &GlobalRaces, sync: &mut BlockSync, me: u32) {
    let mut history = races.history();
    for address in sync.fresh.drain() {
        history.acquired(me, address, sync.acquired[&address]);
    }
    if sync.lost {
        history.lost(me);
    }
    lanes(mask, |l| {
        let time = races.time.fetch_add(1, Ordering::SeqCst);
        history.released(me, a[l], time, sync.epoch);
    });
    sync.epoch += 1;
}

/// Notes an acquire (an atomic or a strong load), after the access was made: the releases whose effect it
/// saw came before.
pub fn acquired(cx: &mut Cx, a: &[u64; 32], mask: u32) {
    // SAFETY: launch and block outlive the call.
    let (launch, block) = unsafe { (&*cx.launch, &mut *cx.block) };
    if !launch.opts.race {
        return;
    }
    let (arena, bytes) = (cx.arena, cx.arena_bytes);
    let sync = &mut block.sync;
    lanes(mask, |l| {
        if a[l].wrapping_sub(arena) >= bytes {
            return;
        }
        if sync.acquired.len() >= FOLLOWED {
            sync.lost = true;
        } else {
            let time = launch.races.time.fetch_add(1, Ordering::SeqCst);
            sync.acquired.insert(a[l], time);
            sync.fresh.insert(a[l]);
        }
    });
}

#[cold]
#[inline(never)]
fn judge(cx: &mut Cx, i: &Inst, lane: u32, spot: Spot, kind: Kind, old: u64, written: bool) {
    let address = spot.address;
    let what = if written { "wrote" } else { "read" };
    let launch = unsafe { &*cx.launch };
    let sync = unsafe { &(*cx.block).sync };
    let other = old as u32;
    // without readers one by one, nothing in the kernel could order them
    let many = !written && old & FLAG != 0;
    // an atomic of the other block and one of this block on the same word are ordered by the word
    if written && old & FLAG != 0 && sync.acquired.contains_key(&address) {
        return;
    }
    if many && sync.lost {
        return;
    }
    if !many && launch.races.ordered(other, epoch_of(old) as u32, sync) {
        return;
    }
    let [gx, gy, _] = launch.grid;
    let index = [other % gx, other / gx % gy, other / (gx * gy)];
    let does = match kind {
        Kind::Load => "reads",
        Kind::Store => "writes",
        Kind::Atomic => "updates",
    };
    let who = if many {
        "several blocks read".to_string()
    } else {
        format!("block ({}, {}, {}) {what}", index[0], index[1], index[2])
    };
    let message = format!(
        "blocks of one launch conflict: this block {does} a word that {who} in the same launch, and nothing orders the two"
    );
    report::at(cx, FindingKind::GlobalRace, i, lane, spot, &message);
}
