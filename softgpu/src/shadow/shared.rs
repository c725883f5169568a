//! What is remembered of shared memory: accesses of each word, and what warps know of each other.

use crate::memory::mark;
use std::collections::HashMap;

// write: clock 22 | bytes 4 | atomic 1 | pending 1 | thread 10 | instruction 26
// reads: clock 22 | bytes 4 | many 1 | warp 5 | lanes or warps 32
pub const CLOCK: u32 = 42;
pub const BYTES: u32 = 38;
pub const ATOMIC: u64 = 1 << 37;
pub const PENDING: u64 = 1 << 36;
pub const THREAD: u32 = 26;
pub const INST: u64 = (1 << 26) - 1;
pub const MANY: u64 = 1 << 37;
pub const WARP: u32 = 32;

/// A warp's read of shared memory.
pub struct Read {
    pub warp: u32,
    pub clock: u32,
    /// The first thread of the warp.
    pub first: u32,
    pub offsets: [u32; 32],
    pub mask: u32,
    /// Bytes of a lane.
    pub size: u32,
    /// It may synchronise.
    pub strong: bool,
    /// Its value is only what a compare-and-swap expects.
    pub expected: bool,
}

/// Reads that are kept before they are marked.
const KEPT: usize = 1024;

/// Shadow of a block's shared memory.
#[derive(Default)]
pub struct SharedShadow {
    pub writes: Vec<u64>,
    pub reads: Vec<u64>,
    pub written: Vec<u8>,
    warps: usize,
    /// What warp `w` knows of the clock of `v`, at `w * warps + v`.
    known: Vec<u32>,
    pub warp_floors: Vec<u32>,
    pub floor: u32,
    /// Warps' clocks drift apart (barriers of some threads): readers of a word are remembered one by one.
    pub exact: bool,
    /// The clock of the newest write, the latest there is while an asynchronous copy may be under way.
    newest: u32,
    /// Reads since the last barrier of the whole block, as long as nothing was written since: they meet nothing, and
    /// what they leave behind matters only if a write comes before the next barrier.
    kept: Vec<Read>,
    /// Bytes that nothing has written.
    pub unwritten: u32,
    /// Warps that read a word and their clocks, where there is more than one.
    pub readers: HashMap<u32, Vec<(u32, u32)>>,
}

impl SharedShadow {
    /// Everything is unknown again: a block starts. `exact` when its warps' clocks can drift apart.
    pub fn restart(&mut self, race: bool, init: bool, exact: bool, bytes: u32, warps: usize) {
        let words = if race { bytes.div_ceil(4) as usize } else { 0 };
        reset(&mut self.writes, words);
        reset(&mut self.reads, words);
        reset(&mut self.written, if init { bytes as usize } else { 0 });
        self.warps = warps;
        reset(&mut self.known, warps * warps);
        reset(&mut self.warp_floors, warps);
        self.floor = 1;
        self.exact = exact;
        self.readers.clear();
        self.newest = 0;
        self.kept.clear();
        self.unwritten = bytes;
    }

    /// Whether a read meets nothing now, so that it can be kept.
    pub fn can_keep(&self) -> bool {
        self.newest < self.floor && self.kept.len() < KEPT
    }

    /// Keeps a read, to be marked later.
    pub fn keep(&mut self, read: Read) {
        self.kept.push(read);
    }

    /// The reads kept so far, to be marked now.
    pub fn take_kept(&mut self) -> Vec<Read> {
        std::mem::take(&mut self.kept)
    }

    /// Something is written at a clock.
    pub fn wrote(&mut self, clock: u32) {
        self.newest = self.newest.max(clock);
    }

    /// All that was done before a clock is ordered before what follows.
    pub fn raise_floor(&mut self, floor: u32) {
        self.floor = floor;
        self.kept.clear();
    }

    /// Bytes are written.
    pub fn mark_written(&mut self, offset: usize, len: usize) {
        let bytes = &mut self.written[offset..][..len];
        if self.unwritten > 0 {
            self.unwritten -= bytes.iter().filter(|b| **b == 0).count() as u32;
            mark(bytes);
        }
    }

    /// All lanes of a warp have synchronised.
    pub fn warp_floor(&mut self, warp: usize, clock: u32) {
        if let Some(f) = self.warp_floors.get_mut(warp) {
            *f = clock;
        }
    }

    /// Everything a warp's lanes did before a clock is ordered.
    pub fn raise_warp_floor(&mut self, warp: usize, clock: u32) {
        if let Some(f) = self.warp_floors.get_mut(warp) {
            *f = (*f).max(clock);
        }
    }

    /// A warp learns another one's clock.
    pub fn learn_one(&mut self, warp: usize, other: usize, clock: u32) {
        if let Some(k) = self.known.get_mut(warp * self.warps + other) {
            *k = (*k).max(clock);
        }
    }

    /// What a warp knows, its own clock included.
    pub fn view(&self, warp: usize, clock: u32) -> Vec<u32> {
        let mut own = self.known[warp * self.warps..(warp + 1) * self.warps].to_vec();
        own[warp] = clock;
        own
    }

    /// A warp learns other warps' clocks.
    pub fn learn(&mut self, warp: usize, clocks: &[u32]) {
        for (v, &c) in clocks.iter().enumerate() {
            let k = &mut self.known[warp * self.warps + v];
            *k = (*k).max(c);
        }
    }

    /// True when something `other` did at a clock is ordered before what `warp` does now.
    pub fn knows(&self, warp: usize, other: usize, clock: u32) -> bool {
        clock < self.floor || self.known[warp * self.warps + other] >= clock
    }

    /// Marks words an asynchronous copy will write, or has written.
    pub fn copied(&mut self, offset: u32, bytes: u32, clock: u32, thread: u32, inst: u32, pending: bool) {
        if !pending && !self.written.is_empty() {
            self.mark_written(offset as usize, bytes as usize);
        }
        self.wrote(if pending { u32::MAX } else { clock });
        for word in offset / 4..(offset + bytes).div_ceil(4) {
            if let Some(w) = self.writes.get_mut(word as usize) {
                // no barrier orders a copy in flight: its clock is later than all
                *w = if pending {
                    entry((1 << 22) - 1, 15, thread, inst) | PENDING
                } else {
                    entry(clock, 15, thread, inst)
                };
            }
        }
    }
}

/// Makes a list so many zeros.
fn reset<T: Clone + Default>(list: &mut Vec<T>, len: usize) {
    list.clear();
    list.resize(len, T::default());
}

/// What a word remembers of a write.
pub fn entry(clock: u32, bytes: u64, thread: u32, inst: u32) -> u64 {
    u64::from(clock) << CLOCK | bytes << BYTES | u64::from(thread) << THREAD | u64::from(inst) & INST
}
