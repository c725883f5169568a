//! A launch: what all its host threads share.

use crate::check::Finding;
use crate::kernel::{Fault, Options};
use crate::machine::draw::mix;
use crate::machine::program::Program;
use crate::memory::{Allocation, Memory};
use crate::shadow::global::GlobalRaces;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// What all host threads of a launch share.
pub struct Launch<'a> {
    pub program: &'a Program,
    pub function: u32,
    pub kernel_name: &'a str,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub params: &'a [u8],
    pub dynamic_shared: u32,
    /// Static and dynamic shared memory of a block.
    pub own_shared: u32,
    /// Where the system's part of shared memory begins, in kernels that ask for it.
    pub reserved_shared: u32,
    /// All of a block's shared memory.
    pub shared_bytes: u32,
    /// Between static and dynamic shared memory, and before the system's part: bytes of no variable.
    pub shared_gaps: [std::ops::Range<u64>; 2],
    pub sm_count: u32,
    /// Rows a kernel's instructions may write; the rows behind hold constants.
    pub variable_rows: u32,
    pub stack_rows: u32,
    pub stack_preds: u32,
    pub stack_local: u32,
    pub seed: u64,
    pub number: u64,
    pub watch: bool,
    pub count: bool,
    pub opts: &'a Options,
    pub memory: &'a Memory,
    pub allocations: &'a [Allocation],
    pub races: GlobalRaces<'a>,
    pub findings: Mutex<Findings>,
    pub printed: Mutex<Vec<(u64, String)>>,
    pub fault: Mutex<Option<Fault>>,
    pub stop: AtomicBool,
}

/// Findings of a launch; the same place and kind is one finding with a count.
#[derive(Default)]
pub struct Findings {
    pub list: Vec<Finding>,
    pub beyond: u64,
}

impl Launch<'_> {
    /// The first fault stays.
    pub fn set_fault(&self, fault: Fault) {
        let mut slot = self.fault.lock().unwrap_or_else(|p| p.into_inner());
        slot.get_or_insert(fault);
        self.stop.store(true, Ordering::Relaxed);
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The place of a block in the grid.
    pub fn block_index(&self, linear: u64) -> [u32; 3] {
        let [x, y, _] = self.grid.map(u64::from);
        [linear % x, linear / x % y, linear / (x * y)].map(|i| i as u32)
    }

    /// The allocation that holds an address as a range of at most 2^31 bytes around it, or, where
    /// nothing is allocated, a range of the device's memory.
    pub fn window(&self, at: u64, size: u64) -> (u64, u64) {
        let (mut low, mut high) = match self.allocation(at) {
            Some(a) if at + size <= a.base + a.size => (a.base, a.base + a.size),
            _ => (self.memory.base(), self.memory.base() + self.memory.size()),
        };
        if high - low > 1 << 31 {
            low = low.max(at.saturating_sub(1 << 30) & !511);
            high = high.min(low + (1 << 31));
        }
        (low, high)
    }

    /// The allocation that holds an address.
    pub fn allocation(&self, at: u64) -> Option<&Allocation> {
        let n = self.allocations.partition_point(|a| a.base <= at);
        let a = &self.allocations[n.checked_sub(1)?];
        (at - a.base < a.size).then_some(a)
    }

    /// A coin drawn from the seed for a warp's so many-th divergent branch.
    pub fn flip(&self, block: u64, warp: u32, divergence: u64) -> bool {
        let warp = mix(self.seed ^ mix(block << 5 | u64::from(warp)));
        mix(warp ^ divergence) & 1 != 0
    }
}
