//! Marks of words that more than one block has touched.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

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
        let same = |m: &u64| *m as u32 == mark as u32 && super::bytes_of(*m) == super::bytes_of(mark);
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
