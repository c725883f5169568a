//! What a host thread counts.

use crate::counters::Counters;
use std::collections::HashMap;

/// Bytes of global memory that one map of touched bytes covers.
const PAGE: u64 = 4096;

/// A host thread's share of the counters.
#[derive(Default)]
pub struct Tally {
    /// For each instruction how often warps and lanes executed it.
    pub executed: Vec<(u64, u64)>,
    /// Accesses of global, shared and local memory; the other counts are made of `executed` at the end.
    pub counts: Counters,
    /// By page of global memory one bit for each byte that was touched.
    pub touched: HashMap<u64, Box<[u64; 64]>>,
}

impl Tally {
    /// For a program of so many instructions, or 0 when nothing is counted.
    pub fn new(instructions: usize) -> Tally {
        Tally { executed: vec![(0, 0); instructions], ..Tally::default() }
    }

    /// A warp executes an instruction with these lanes.
    #[inline(always)]
    pub fn count(&mut self, id: u32, mask: u32) {
        let e = &mut self.executed[id as usize];
        e.0 += 1;
        e.1 += u64::from(mask.count_ones());
    }

    /// Notes that the bytes of a range of addresses were touched.
    pub fn touch(&mut self, from: u64, to: u64) {
        for at in from..to {
            let page = self.touched.entry(at / PAGE).or_insert_with(|| Box::new([0; 64]));
            page[(at % PAGE / 64) as usize] |= 1 << (at % 64);
        }
    }
}
