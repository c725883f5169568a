//! What is remembered of global memory: who touched each word, and how blocks synchronised.

use crate::memory::{LAUNCHES, Memory};
use crate::shadow::history::History;
use crate::shadow::marks::{BYTES, FLAG, LAUNCH, MORE, Others, bytes_of};
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

    /// Another block, epoch or part of the word than the mark tells: remembers this reader, too.
    #[inline(never)]
    pub fn mark_reader(&self, word: u64, old: u64, mark: u64) {
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
