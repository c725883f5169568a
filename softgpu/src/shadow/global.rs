//! What is remembered of global memory: who touched each word, and how blocks synchronised.

use crate::memory::{LAUNCHES, Memory};
use crate::shadow::history::History;
use crate::shadow::latest::AllLatest;
use crate::shadow::marks::{BYTES, EPOCH, FLAG, LAUNCH, MORE, Others, bytes_of, read_by_several};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Addresses a block may synchronise on before it is no longer followed.
pub const FOLLOWED: usize = 4096;

/// What a block has done to synchronise.
#[derive(Default)]
pub struct BlockSync {
    /// A fence came after the last plain write.
    pub fenced: bool,
    pub epoch: u32,
    /// Address and time of the latest acquire there.
    pub acquired: HashMap<u64, u64>,
    /// Addresses acquired since the block's latest release.
    pub fresh: HashSet<u64>,
    /// It synchronised on more addresses than are followed: no races are reported for it.
    pub lost: bool,
}

/// The shadow and the synchronisations of a launch.
pub struct GlobalRaces<'a> {
    shadow: &'a [AtomicU64],
    pub launch: u64,
    pub time: AtomicU64,
    history: Mutex<History>,
    /// The kernel can order its blocks: readers are remembered one by one.
    pub exact: bool,
    pub writers: Others,
    pub readers: Others,
    pub latest: AllLatest,
}

impl<'a> GlobalRaces<'a> {
    /// For a launch of that number; `orders` when the kernel has fences or releases.
    pub fn new(memory: &'a Memory, number: u64, on: bool, orders: bool) -> GlobalRaces<'a> {
        let shadow = if on { memory.access_shadow() } else { &[] };
        GlobalRaces {
            shadow,
            launch: number % LAUNCHES + 1,
            time: AtomicU64::new(1),
            history: Mutex::default(),
            exact: orders,
            writers: Others::default(),
            readers: Others::default(),
            latest: AllLatest::default(),
        }
    }

    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(|p| p.into_inner())
    }

    /// Whether what block `from` did in its `epoch` comes before what a block does that has synchronised so far.
    pub fn ordered(&self, from: u32, epoch: u32, sync: &BlockSync) -> bool {
        sync.lost || {
            let acquired = sync.acquired.iter().map(|(&a, &t)| (a, t));
            self.history().leads(from, epoch, acquired.collect())
        }
    }

    /// The mark of a word's last writer (0) or reader (1).
    #[inline(always)]
    pub fn cell(&self, word: u64, which: usize) -> &AtomicU64 {
        &self.shadow[word as usize * 2 + which]
    }

    /// Marks a write of some of a word's bytes; gives the mark before. Marks of other bytes are kept.
    pub fn mark_part(&self, word: u64, mark: u64) -> u64 {
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

    /// Whether a read of a word needs no new mark and meets no other block's write.
    #[inline(always)]
    pub fn knows_read(&self, word: u64, mark: u64) -> bool {
        let [write, read] = [0, 1].map(|which| self.cell(word, which).load(Ordering::Relaxed));
        let alone = write >> LAUNCH != self.launch || write as u32 == mark as u32 && write & MORE == 0;
        let known = if self.exact {
            (read ^ mark) & !FLAG == 0
        } else if read as u32 == mark as u32 {
            bytes_of(mark) & !bytes_of(read) == 0
        } else {
            bytes_of(mark) & !read_by_several(read) == 0
        };
        alone && known && read >> LAUNCH == self.launch
    }

    /// Marks a read of a word, or of some of its bytes. Blocks that come at once must not lose each other's mark.
    #[inline(always)]
    pub fn mark_read(&self, word: u64, mark: u64) {
        let cell = self.cell(word, 1);
        let mut old = cell.load(Ordering::Relaxed);
        if old >> LAUNCH != self.launch {
            match cell.compare_exchange(old, mark, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
        if self.exact {
            if old | FLAG != mark | FLAG {
                self.mark_reader(word, old, mark);
            }
        } else {
            let known = if old as u32 == mark as u32 { bytes_of(old) } else { read_by_several(old) };
            if bytes_of(mark) & !known != 0 {
                self.mark_bytes_read(word, mark);
            }
        }
    }

    /// In a kernel that can't order its blocks: remembers of each byte which block has read it, or that several have.
    #[inline(never)]
    fn mark_bytes_read(&self, word: u64, mark: u64) {
        let (cell, bytes) = (self.cell(word, 1), bytes_of(mark));
        let others = |m: &u64| *m as u32 != mark as u32;
        let mut old = cell.load(Ordering::Relaxed);
        loop {
            let all = std::iter::once(old).chain(self.readers.of(word, old & MORE != 0));
            let shared = all.filter(others).fold(0, |all, m| all | bytes_of(m)) & bytes;
            let several = read_by_several(old) | shared;
            let new = if !others(&old) {
                old | bytes << BYTES | shared << EPOCH
            } else if bytes & !several == 0 {
                old | shared << EPOCH
            } else if bytes_of(old) & !several == 0 {
                mark | old & MORE | several << EPOCH
            } else {
                self.readers.add(word, old & !MORE);
                mark | MORE | several << EPOCH
            };
            match cell.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }

    /// The blocks other than `me` that have read some of these bytes, or one mark of many (with [`FLAG`]).
    pub fn readers_of(&self, word: u64, bytes: u64, me: u32) -> Vec<u64> {
        let read = self.cell(word, 1).load(Ordering::Relaxed);
        let of_others = |m: &u64| *m as u32 != me && bytes_of(*m) & bytes != 0;
        if read >> LAUNCH != self.launch {
            Vec::new()
        } else if self.exact && read & FLAG == 0 {
            Vec::from_iter(Some(read).filter(of_others))
        } else if self.exact {
            self.readers.of(word, true).filter(of_others).collect()
        } else if read_by_several(read) & bytes != 0 {
            vec![read | FLAG]
        } else {
            let all = std::iter::once(read).chain(self.readers.of(word, read & MORE != 0));
            all.filter(of_others).map(|m| m & !(15 << EPOCH)).collect()
        }
    }

    /// In a kernel that can order its blocks, for another block, epoch or part of the word than the mark tells:
    /// remembers this reader, too.
    #[inline(never)]
    fn mark_reader(&self, word: u64, mut old: u64, mark: u64) {
        let cell = self.cell(word, 1);
        loop {
            let new = if old as u32 == mark as u32 && old & FLAG == 0 {
                mark | bytes_of(old) << BYTES
            } else {
                if old & FLAG == 0 {
                    self.readers.add(word, old);
                }
                self.readers.add(word, mark);
                old | FLAG | mark & 15 << BYTES
            };
            if new == old {
                return;
            }
            match cell.compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
    }
}
