//! What is remembered of shared memory: accesses of each word, and what warps know of each other.

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
        for b in offset..offset + bytes {
            if let (Some(w), false) = (self.written.get_mut(b as usize), pending) {
                *w = 1;
            }
        }
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
