//! Marks that blocks leave on words of global memory: their bits, and those for which a word has no room.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

// launch 14 | more 1 | flag (a strong write, many readers) 1 | bytes 4 | epoch 12 | block 32; where blocks can't be
// ordered, the epoch's place has the bytes that several blocks have read
pub const LAUNCH: u32 = 50;
/// There are further marks of the word in [`Others`].
pub const MORE: u64 = 1 << 49;
pub const FLAG: u64 = 1 << 48;
pub const BYTES: u32 = 44;
pub const EPOCH: u32 = 32;
pub const EPOCHS: u64 = 0xfff;

/// Which bytes of its word a mark is about.
pub fn bytes_of(mark: u64) -> u64 {
    mark >> BYTES & 15
}

/// Which bytes of its word several blocks have read, of a reader's mark in a kernel that can't order its blocks.
pub fn read_by_several(mark: u64) -> u64 {
    mark >> EPOCH & 15
}

/// The epoch of the block that left a mark.
pub fn epoch_of(mark: u64) -> u64 {
    mark >> EPOCH & EPOCHS
}

/// Which bytes of a 32-bit word an access of `size` bytes at an offset touches, bit 0 the first.
pub fn bytes_touched(offset: u64, size: u32) -> u64 {
    if size >= 4 { 15 } else { ((1 << size) - 1) << (offset & 3) }
}

/// Marks that a word has room for.
const MOST: usize = 256;
const SHARDS: u64 = 64;

type Table = HashMap<u64, Vec<u64>>;

/// Marks by word, in shards so that host threads seldom wait for each other.
pub struct Others([Mutex<Table>; SHARDS as usize]);

impl Default for Others {
    fn default() -> Others {
        Others(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Others {
    fn shard(&self, word: u64) -> MutexGuard<'_, Table> {
        // neighbours are touched together: by groups of eight words
        let shard = &self.0[(word / 8 % SHARDS) as usize];
        shard.lock().unwrap_or_else(|p| p.into_inner())
    }

    /// Adds a mark; a later one of the same block and bytes takes the place of the earlier.
    pub fn add(&self, word: u64, mark: u64) {
        let mut table = self.shard(word);
        let list = table.entry(word).or_default();
        let same = |m: &u64| *m as u32 == mark as u32 && bytes_of(*m) == bytes_of(mark);
        match list.iter().position(same) {
            Some(at) => list[at] = mark,
            None if list.len() < MOST => list.push(mark),
            None => {}
        }
    }

    /// The marks of a word, if there can be any.
    pub fn of(&self, word: u64, any: bool) -> impl Iterator<Item = u64> {
        let list = any.then(|| self.shard(word).get(&word).cloned()).flatten();
        list.unwrap_or_default().into_iter()
    }
}
