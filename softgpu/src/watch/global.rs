//! racecheck of global memory between the blocks of a launch.
//!
//! Each 32-bit word remembers the block that wrote it last and one that read it in this launch, and
//! which bytes; further writers of other bytes, and in kernels that can order blocks further readers, are
//! kept in tables beside (`shadow::marks`). When another block comes, the two are ordered if a chain of
//! synchronisations leads from one to the other: a release (an atomic or volatile store after a fence,
//! or with `.release`) and a later acquire (an atomic or volatile load) of the same address.

use crate::check::FindingKind;
use crate::machine::access::{Kind, Order};
use crate::machine::cx::Cx;
use crate::machine::program::Expected;
use crate::machine::row::lanes;
use crate::shadow::global::{BlockSync, FOLLOWED, GlobalRaces};
use crate::shadow::latest::{Latest, open};
use crate::shadow::marks::{BYTES, EPOCH, EPOCHS, FLAG, LAUNCH, MORE, bytes_of, bytes_touched, epoch_of};
use crate::watch::report::{self, Access, Spot};
use std::sync::atomic::{Ordering, fence};

/// What one access does to the words of global memory.
struct Marking<'a> {
    races: &'a GlobalRaces<'a>,
    /// Addresses of the lanes, from the start of the device's memory.
    offsets: [u64; 32],
    mask: u32,
    size: u32,
    kind: Kind,
    /// It may synchronise: atomic, volatile, relaxed or stronger.
    strong: bool,
    /// The mark of this block now, without bytes.
    stamp: u64,
}

/// An access of another block that a lane's conflicts with, unless something orders the two.
struct Conflict {
    lane: usize,
    /// By its number in the device's memory.
    word: u64,
    mark: u64,
    written: bool,
}

/// Looks at an access to global memory that lies inside an allocation.
pub fn access(cx: &mut Cx, access: &Access, a: &[u64; 32], mask: u32) {
    let Access { inst, kind, size, .. } = *access;
    let launch = cx.launch();
    let races = &launch.races;
    let base = launch.memory.base();
    let block = cx.block();
    let me = block.linear as u32;
    let order = inst.head.order;
    let strong = kind == Kind::Atomic || order != Order::Weak;
    if strong {
        if kind != Kind::Load && (block.sync.fenced || order == Order::Release) {
            release(a, mask, races, &mut block.sync, me);
        }
    } else if kind == Kind::Store {
        block.sync.fenced = false;
    }
    if launch.grid == [1, 1, 1] {
        return;
    }
    let stamp = races.launch << LAUNCH | (u64::from(block.sync.epoch) & EPOCHS) << EPOCH | u64::from(me);
    let offsets = a.map(|v| v.wrapping_sub(base));
    if access.element != 0 {
        let bytes = std::array::from_fn(|l| access.bytes(cx, l));
        *open(&cx.latest) = Latest { block: me, at: *a, mask, size, bytes };
    }
    let marking = Marking { races, offsets, mask, size, kind, strong, stamp };
    if kind == Kind::Load && !strong && marking.knows_all() {
        return;
    }
    // first leave a mark, then look: of two blocks that come together one sees the other
    let before = marking.leave_marks();
    fence(Ordering::SeqCst);
    for conflict in marking.conflicts(&before) {
        let spot = Spot { address: a[conflict.lane], space: "global", bytes: size };
        judge(cx, access, spot, &conflict);
    }
}

impl Marking<'_> {
    /// Calls a function for each lane and word: lane, number of the word in the access, the word, its bytes.
    #[inline(always)]
    fn words(&self, mut f: impl FnMut(usize, usize, u64, u64)) {
        lanes(self.mask, |l| {
            let first = self.offsets[l];
            let bytes = bytes_touched(first, self.size);
            for w in 0..u64::from(self.size.div_ceil(4)) {
                f(l, w as usize, first / 4 + w, bytes);
            }
        });
    }

    /// Whether a read of these words needs no new marks and meets no other block's writes: the usual case.
    #[inline(always)]
    fn knows_all(&self) -> bool {
        let mut before = u64::MAX;
        // lanes outside the mask have the address of one inside
        self.offsets.iter().all(|&first| {
            let again = first == before;
            before = first;
            let mark = self.stamp | bytes_touched(first, self.size) << BYTES;
            again || (0..u64::from(self.size.div_ceil(4))).all(|w| self.races.knows_read(first / 4 + w, mark))
        })
    }

    /// Marks the words; gives for each word that is written the mark of the writer before.
    fn leave_marks(&self) -> [u64; 32 * 4] {
        let races = self.races;
        let mut before = [0; 32 * 4];
        self.words(|l, w, word, bytes| {
            let mark = self.stamp | bytes << BYTES;
            if self.kind != Kind::Load {
                let mark = mark | if self.strong { FLAG } else { 0 };
                before[l * 4 + w] = if self.size < 4 {
                    races.mark_part(word, mark)
                } else {
                    races.cell(word, 0).swap(mark, Ordering::Relaxed)
                };
            } else if !self.strong {
                races.mark_read(word, mark);
            }
        });
        before
    }

    /// The accesses of other blocks to the same bytes.
    fn conflicts(&self, before: &[u64; 32 * 4]) -> Vec<Conflict> {
        let races = self.races;
        let me = self.stamp as u32;
        let writes = self.kind != Kind::Load;
        let mut found = Vec::new();
        self.words(|lane, w, word, bytes| {
            let of_others = |&m: &u64| m as u32 != me && bytes_of(m) & bytes != 0;
            let write = if writes { before[lane * 4 + w] } else { races.cell(word, 0).load(Ordering::Relaxed) };
            if write >> LAUNCH == races.launch && (of_others(&write) || write & MORE != 0) {
                let all = std::iter::once(write).chain(races.writers.of(word, write & MORE != 0));
                let open = all.filter(of_others).filter(|m| !(self.strong && m & FLAG != 0));
                found.extend(open.map(|mark| Conflict { lane, word, mark, written: true }));
            }
            if writes && !self.strong {
                let read = races.readers_of(word, bytes, me);
                found.extend(read.into_iter().map(|mark| Conflict { lane, word, mark, written: false }));
            }
        });
        found
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
    let launch = cx.launch();
    if !launch.opts.race {
        return;
    }
    let (base, bytes) = (launch.memory.base(), launch.memory.size());
    let sync = &mut cx.block().sync;
    lanes(mask, |l| {
        if a[l].wrapping_sub(base) >= bytes {
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
fn judge(cx: &mut Cx, access: &Access, spot: Spot, conflict: &Conflict) {
    let Access { inst: i, kind, element, .. } = *access;
    let Conflict { lane, mark: old, written, .. } = *conflict;
    let what = if written { "wrote" } else { "read" };
    let launch = cx.launch();
    let sync = &cx.block().sync;
    let other = old as u32;
    // without readers one by one, nothing in the kernel could order them
    let many = !written && old & FLAG != 0;
    // a stale value makes the swap fail
    let read = launch.program.info.get(i.head.id as usize).map_or(Expected::No, |info| info.expected);
    let swaps = kind == Kind::Load && old & FLAG != 0 && read != Expected::No;
    if swaps && read == Expected::Only {
        return;
    }
    // an atomic of the other block and one of this block on the same word are ordered by the word
    if written && old & FLAG != 0 && sync.acquired.contains_key(&spot.address) {
        return;
    }
    if many && sync.lost {
        return;
    }
    if !many && launch.races.ordered(other, epoch_of(old) as u32, sync) {
        return;
    }
    let index = launch.block_index(u64::from(other));
    let does = kind.verb();
    let who = if many {
        "several blocks read".to_string()
    } else {
        format!("block ({}, {}, {}) {what}", index[0], index[1], index[2])
    };
    let (finding, more) = if swaps {
        (FindingKind::SwapRead, "; the value read only decides whether there is a compare-and-swap")
    } else if written && element != 0 && old & FLAG == 0 && stores_again(cx, access, spot.address, conflict) {
        (FindingKind::SameValue, "; they write the same value")
    } else {
        (FindingKind::GlobalRace, "")
    };
    let message = format!(
        "blocks of one launch conflict: this block {does} a word that {who} in the same launch, and nothing orders \
         the two{more}"
    );
    report::at(cx, finding, i, lane as u32, spot, &message);
}

/// True when a lane stores to a word what another block has stored there, as far as their bytes are the same.
fn stores_again(cx: &Cx, access: &Access, at: u64, conflict: &Conflict) -> bool {
    let launch = cx.launch();
    let (mine, word) = (access.bytes(cx, conflict.lane), launch.memory.base() + 4 * conflict.word);
    (0..4).filter(|b| bytes_of(conflict.mark) >> b & 1 != 0).map(|b| word + b).all(|byte| {
        let Some(own) = byte.checked_sub(at).filter(|n| *n < access.size.into()) else { return true };
        let mut there = [0];
        // the other block's store is under way, or done
        match launch.races.latest.byte(conflict.mark as u32, byte) {
            Some(value) => there = [value],
            None => launch.memory.peek(byte, &mut there),
        }
        there[0] == mine[own as usize]
    })
}
