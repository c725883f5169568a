//! The table of allocations: next-fit placement, so that addresses are reused late.

use crate::memory::error::MemoryError;
use crate::memory::region::PAGE;
use std::collections::{BTreeMap, VecDeque};

/// Bytes between allocations that belong to nobody, at least.
pub const GAP: u64 = 512;
/// Alignment of every allocation.
pub const ALIGN: u64 = 512;

/// How many freed allocations are remembered for messages about use after free.
const REMEMBERED: usize = 4096;

/// One allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// Its address.
    pub base: u64,
    /// In bytes.
    pub size: u64,
    /// What it was called when it was made.
    pub label: String,
    /// The host sees it at the same address.
    pub managed: bool,
}

impl Allocation {
    /// It and what comes after it don't share a unit of so many bytes.
    pub fn unit(&self) -> u64 {
        unit(self.managed)
    }
}

/// Managed memory has pages of its own.
fn unit(managed: bool) -> u64 {
    if managed { PAGE as u64 } else { ALIGN }
}

struct Entry {
    allocation: Allocation,
    /// A launch that tracked no writes ran while this was live.
    assumed_written: bool,
}

pub struct Table {
    base: u64,
    end: u64,
    next: u64,
    /// Bytes between allocations.
    gap: u64,
    live: BTreeMap<u64, Entry>,
    gone: VecDeque<Allocation>,
    pub used: u64,
    pub limit: u64,
}

impl Table {
    pub fn new(base: u64, size: u64, limit: u64, gap: u64) -> Table {
        Table {
            base,
            end: base + size,
            next: base + ALIGN,
            gap,
            live: BTreeMap::new(),
            gone: VecDeque::new(),
            used: 0,
            limit,
        }
    }

    pub fn insert(&mut self, bytes: u64, label: &str, managed: bool) -> Result<Allocation, MemoryError> {
        if bytes == 0 {
            return Err(MemoryError::ZeroSize);
        }
        let refused = MemoryError::OutOfMemory { wanted: bytes, used: self.used, limit: self.limit };
        if bytes > self.limit - self.used {
            return Err(refused);
        }
        let unit = unit(managed);
        let room = bytes.next_multiple_of(unit) + self.gap;
        let place = self.gap_after(self.next, room, unit).or_else(|| self.gap_after(self.base + ALIGN, room, unit));
        let Some(base) = place else {
            return Err(refused);
        };
        self.next = base + room;
        self.used += bytes;
        let allocation = Allocation { base, size: bytes, label: label.to_string(), managed };
        let entry = Entry { allocation: allocation.clone(), assumed_written: false };
        self.live.insert(base, entry);
        Ok(allocation)
    }

    fn gap_after(&self, from: u64, room: u64, unit: u64) -> Option<u64> {
        let mut at = from.next_multiple_of(unit);
        if let Some((_, e)) = self.live.range(..from).next_back() {
            at = at.max(self.after(&e.allocation).next_multiple_of(unit));
        }
        for (start, e) in self.live.range(from..) {
            if at + room <= *start {
                break;
            }
            at = self.after(&e.allocation).next_multiple_of(unit);
        }
        (at + room <= self.end).then_some(at)
    }

    /// Where the next one can begin.
    fn after(&self, a: &Allocation) -> u64 {
        (a.base + a.size).next_multiple_of(a.unit()) + self.gap
    }

    pub fn remove(&mut self, addr: u64) -> Result<Allocation, MemoryError> {
        if let Some(entry) = self.live.remove(&addr) {
            self.used -= entry.allocation.size;
            if self.gone.len() == REMEMBERED {
                self.gone.pop_front();
            }
            self.gone.push_back(entry.allocation.clone());
            return Ok(entry.allocation);
        }
        if let Some(a) = self.gone.iter().rev().find(|a| a.base == addr)
            && self.find(addr).is_none()
        {
            return Err(MemoryError::DoubleFree { address: addr, size: a.size, label: a.label.clone() });
        }
        Err(MemoryError::NotAnAllocation { address: addr, near: self.describe(addr) })
    }

    pub fn find(&self, addr: u64) -> Option<Allocation> {
        let (_, e) = self.live.range(..=addr).next_back()?;
        (addr - e.allocation.base < e.allocation.size).then(|| e.allocation.clone())
    }

    pub fn freed(&self, addr: u64) -> Option<Allocation> {
        if self.find(addr).is_some() {
            return None;
        }
        let holds = |a: &&Allocation| addr >= a.base && addr - a.base < a.size;
        self.gone.iter().rev().find(holds).cloned()
    }

    pub fn live(&self) -> Vec<Allocation> {
        self.live.values().map(|e| e.allocation.clone()).collect()
    }

    pub fn assume_written(&mut self) {
        for e in self.live.values_mut() {
            e.assumed_written = true;
        }
    }

    pub fn take_assumed(&mut self) -> Vec<Allocation> {
        let mut taken = Vec::new();
        for e in self.live.values_mut() {
            if std::mem::take(&mut e.assumed_written) {
                taken.push(e.allocation.clone());
            }
        }
        taken
    }

    pub fn describe(&self, addr: u64) -> String {
        if let Some(a) = self.find(addr) {
            return format!("byte {} of {}", addr - a.base, name(&a));
        }
        if let Some(a) = self.freed(addr) {
            return format!("byte {} of {}, which was freed", addr - a.base, name(&a));
        }
        let before = self.live.range(..=addr).next_back().map(|(_, e)| &e.allocation);
        let after = self.live.range(addr..).next().map(|(_, e)| &e.allocation);
        match (before, after) {
            (Some(a), Some(b)) if b.base - addr < addr - (a.base + a.size) + 1 => {
                format!("{} bytes before {}", b.base - addr, name(b))
            }
            (Some(a), _) => format!("{} bytes past the end of {}", addr - (a.base + a.size), name(a)),
            (None, Some(b)) => format!("{} bytes before {}", b.base - addr, name(b)),
            (None, None) => "nothing is allocated".to_string(),
        }
    }
}

fn name(a: &Allocation) -> String {
    format!("{} ({} bytes at {:#x})", a.label, a.size, a.base)
}
