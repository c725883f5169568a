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
    /// Its address stays its own when it is freed, until it is forgotten.
    reserved: bool,
    /// It is reserved, and no allocation now.
    asleep: bool,
}

pub struct Table {
    base: u64,
    end: u64,
    next: u64,
    /// Bytes between allocations.
    gap: u64,
    entries: BTreeMap<u64, Entry>,
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
            entries: BTreeMap::new(),
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
        let entry = Entry { allocation: allocation.clone(), assumed_written: false, reserved: false, asleep: false };
        self.entries.insert(base, entry);
        Ok(allocation)
    }

    /// Keeps an address for an allocation that is made by `wake`, again and again.
    pub fn reserve(&mut self, bytes: u64, label: &str) -> Result<u64, MemoryError> {
        let base = self.insert(bytes, label, false)?.base;
        if let Some(entry) = self.entries.get_mut(&base) {
            (entry.reserved, entry.asleep) = (true, true);
        }
        self.used -= bytes;
        Ok(base)
    }

    /// Makes the allocation of a reserved address.
    pub fn wake(&mut self, base: u64) -> Result<Allocation, MemoryError> {
        let near = self.describe(base);
        let (used, limit) = (self.used, self.limit);
        let entry = self.entries.get_mut(&base).filter(|e| e.asleep);
        let entry = entry.ok_or(MemoryError::NotAnAllocation { address: base, near })?;
        let bytes = entry.allocation.size;
        if bytes > limit - used {
            return Err(MemoryError::OutOfMemory { wanted: bytes, used, limit });
        }
        (entry.asleep, entry.assumed_written) = (false, false);
        self.used += bytes;
        Ok(entry.allocation.clone())
    }

    /// Ends a reservation; an allocation that is there stays until it is freed.
    pub fn forget(&mut self, base: u64) {
        match self.entries.get_mut(&base) {
            Some(entry) if entry.asleep => drop(self.entries.remove(&base)),
            Some(entry) => entry.reserved = false,
            None => {}
        }
    }

    /// The allocation that holds the address or will.
    pub fn find_reserved(&self, addr: u64) -> Option<Allocation> {
        let (_, e) = self.entries.range(..=addr).next_back()?;
        (addr - e.allocation.base < e.allocation.size).then(|| e.allocation.clone())
    }

    fn gap_after(&self, from: u64, room: u64, unit: u64) -> Option<u64> {
        let mut at = from.next_multiple_of(unit);
        if let Some((_, e)) = self.entries.range(..from).next_back() {
            at = at.max(self.after(&e.allocation).next_multiple_of(unit));
        }
        for (start, e) in self.entries.range(from..) {
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

    /// Ends an allocation.
    fn take(&mut self, addr: u64) -> Option<Allocation> {
        let entry = self.entries.get_mut(&addr).filter(|e| !e.asleep)?;
        let allocation = entry.allocation.clone();
        if entry.reserved {
            entry.asleep = true;
        } else {
            self.entries.remove(&addr);
        }
        Some(allocation)
    }

    pub fn remove(&mut self, addr: u64) -> Result<Allocation, MemoryError> {
        if let Some(allocation) = self.take(addr) {
            self.used -= allocation.size;
            if self.gone.len() == REMEMBERED {
                self.gone.pop_front();
            }
            self.gone.push_back(allocation.clone());
            return Ok(allocation);
        }
        if let Some(a) = self.gone.iter().rev().find(|a| a.base == addr)
            && self.find(addr).is_none()
        {
            return Err(MemoryError::DoubleFree { address: addr, size: a.size, label: a.label.clone() });
        }
        Err(MemoryError::NotAnAllocation { address: addr, near: self.describe(addr) })
    }

    pub fn find(&self, addr: u64) -> Option<Allocation> {
        let (_, e) = self.entries.range(..=addr).next_back().filter(|(_, e)| !e.asleep)?;
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
        self.awake().map(|(_, e)| e.allocation.clone()).collect()
    }

    fn awake(&self) -> impl DoubleEndedIterator<Item = (&u64, &Entry)> {
        self.entries.iter().filter(|(_, e)| !e.asleep)
    }

    pub fn assume_written(&mut self) {
        for e in self.entries.values_mut() {
            e.assumed_written = true;
        }
    }

    pub fn take_assumed(&mut self) -> Vec<Allocation> {
        let mut taken = Vec::new();
        for e in self.entries.values_mut() {
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
        let before = self.awake().rfind(|(base, _)| **base <= addr).map(|(_, e)| &e.allocation);
        let after = self.awake().find(|(base, _)| **base >= addr).map(|(_, e)| &e.allocation);
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
