//! racecheck of global memory between the blocks of a launch.
//!
//! Each 32-bit word remembers the block that wrote it last and one that read it in this launch, and
//! which bytes; further writers of other bytes, and in kernels that can order blocks further readers, are
//! kept in tables beside (`others`). When another block comes, the two are ordered if a chain of
//! synchronisations leads from one to the other: a release (an atomic or volatile store after a fence,
//! or with `.release`) and a later acquire (an atomic or volatile load) of the same address.

mod history;
mod others;

use super::super::access::{RELEASE, STRONG, lanes};
use super::super::cx::Cx;
use super::super::inst::Inst;
use super::Kind;
use super::report::{self, Spot};
use crate::check::FindingKind;
use crate::memory::{LAUNCHES, Memory};
use history::History;
use others::Others;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Mutex, MutexGuard};

// launch 14 | more 1 | flag (a strong write, many readers) 1 | bytes 4 | epoch 12 | block 32
const LAUNCH: u32 = 50;
/// There are further marks of the word in [`Others`].
const MORE: u64 = 1 << 49;
const FLAG: u64 = 1 << 48;
const BYTES: u32 = 44;
const EPOCH: u32 = 32;
const EPOCHS: u64 = 0xfff;
/// Addresses a block may synchronise on before it is no longer followed.
const FOLLOWED: usize = 4096;

fn bytes_of(mark: u64) -> u64 {
    mark >> BYTES & 15
}

fn epoch_of(mark: u64) -> u64 {
    mark >> EPOCH & EPOCHS
}

/// What a block has done to synchronise.
#[derive(Default)]
pub struct BlockSync {
    /// A fence came after the last plain write.
    pub fenced: bool,
    epoch: u32,
    /// Address and time of the latest acquire there.
    acquired: HashMap<u64, u64>,
    /// Addresses acquired since the block's latest release.
    fresh: HashSet<u64>,
    /// It synchronised on more addresses than are followed: no races are reported for it.
    lost: bool,
}

/// The shadow and the synchronisations of a launch.
pub struct GlobalRaces {
    shadow: *mut u64,
    launch: u64,
    time: AtomicU64,
    history: Mutex<History>,
    /// The kernel can order its blocks: readers are remembered one by one.
    exact: bool,
    writers: Others,
    readers: Others,
}

// The shadow is only touched through atomics.
unsafe impl Send for GlobalRaces {}
unsafe impl Sync for GlobalRaces {}

impl GlobalRaces {
    /// For a launch of that number; `orders` when the kernel has fences or releases.
    pub fn new(memory: &Memory, number: u64, on: bool, orders: bool) -> GlobalRaces {
        let shadow = if on { memory.access_shadow().cast() } else { std::ptr::null_mut() };
        GlobalRaces {
            shadow,
            launch: number % LAUNCHES + 1,
            time: AtomicU64::new(1),
            history: Mutex::default(),
            exact: orders,
            writers: Others::default(),
            readers: Others::default(),
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(|p| p.into_inner())
    }

    /// Whether what block `from` did in its `epoch` comes before what a block does that has synchronised so far.
    fn ordered(&self, from: u32, epoch: u32, sync: &BlockSync) -> bool {
        sync.lost || {
            let acquired = sync.acquired.iter().map(|(&a, &t)| (a, t));
            self.history().leads(from, epoch, acquired.collect())
        }
    }
}

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

impl GlobalRaces {
    /// The mark of a word's last writer (0) or reader (1).
    #[inline(always)]
    fn cell(&self, word: u64, which: usize) -> &AtomicU64 {
        // SAFETY: the shadow covers every word of the arena and is only touched through atomics.
        unsafe { AtomicU64::from_ptr(self.shadow.add(word as usize * 2 + which)) }
    }

    /// Marks a write of some of a word's bytes; gives the mark before. Marks of other bytes are kept.
    fn mark_part(&self, word: u64, mark: u64) -> u64 {
        let cell = self.cell(word, 0);
        let mut old = cell.load(Ordering::Relaxed);
        loop {
            let here = old >> LAUNCH == self.launch;
            let apart = !(15 << BYTES | MORE);
            let new = if here && (old ^ mark) & apart == 0 {
                // the same block goes on
                old | mark
            } else if here && bytes_of(old) & !bytes_of(mark) != 0 {
                self.writers.add(word, old & !MORE);
                mark | MORE
            } else if here {
                mark | old & MORE
            } else {
                mark
            };
            match cell.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return old,
                Err(now) => old = now,
            }
        }
    }

    /// Another block, epoch or part of the word than the mark tells: remembers this reader, too.
    #[inline(never)]
    fn mark_reader(&self, word: u64, old: u64, mark: u64) {
        let cell = self.cell(word, 1);
        if old as u32 == mark as u32 && old & FLAG == 0 {
            let bytes = (bytes_of(old) | bytes_of(mark)) << BYTES;
            cell.store(mark | bytes, Ordering::Relaxed);
            return;
        }
        if self.exact {
            if old & FLAG == 0 {
                self.readers.add(word, old);
            }
            self.readers.add(word, mark);
        }
        let many = old | FLAG | mark & 15 << BYTES;
        if many != old {
            cell.store(many, Ordering::Relaxed);
        }
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
