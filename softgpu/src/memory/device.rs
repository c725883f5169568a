//! The memory of a device.

use crate::memory::error::MemoryError;
use crate::memory::region::Region;
use crate::memory::table::{Allocation, GAP, Table};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Address of the first device's memory; each further [`Memory`] lies 2^40 bytes higher.
pub const FIRST_BASE: u64 = 0x0200_0000_0000;

/// Launches that the race shadow tells apart.
pub(crate) const LAUNCHES: u64 = 0x3fff;

/// Wider gaps that there is room for at least.
const GAPS: u64 = 256;

static MEMORIES: AtomicU64 = AtomicU64::new(0);

/// The memory of one device. All methods may be called from any thread.
pub struct Memory {
    base: u64,
    data: Region,
    /// One byte for each byte of `data`: 1 when something was written there.
    written: OnceLock<Region>,
    /// Two 64-bit words for each four bytes of `data`: the last writer and the last reader of a launch.
    access: OnceLock<Region>,
    table: Mutex<Table>,
    launches: AtomicU64,
    tracked: AtomicBool,
}

impl Memory {
    /// Reserves the address range of a device with that much memory. Pages cost nothing until touched.
    pub fn new(limit_bytes: u64) -> Memory {
        Memory::with_gaps(limit_bytes, GAP)
    }

    /// The same with so many bytes at least between allocations, so that a long overrun meets no neighbour.
    pub fn with_gaps(limit_bytes: u64, gap: u64) -> Memory {
        let gap = gap.clamp(GAP, 1 << 30).next_multiple_of(GAP);
        let base = FIRST_BASE + ((MEMORIES.fetch_add(1, Ordering::Relaxed) % 64) << 40);
        let mut limit = limit_bytes.clamp(1 << 20, 1 << 38);
        let data = loop {
            match Region::reserve((limit * 2 + (64 << 20) + (gap - GAP) * GAPS) as usize) {
                Some(region) => break region,
                None if limit > 1 << 20 => limit /= 2,
                None => panic!("the system gives no address space for device memory"),
            }
        };
        let size = data.len() as u64;
        Memory {
            base,
            data,
            written: OnceLock::new(),
            access: OnceLock::new(),
            table: Mutex::new(Table::new(base, size, limit, gap)),
            launches: AtomicU64::new(0),
            tracked: AtomicBool::new(true),
        }
    }

    /// Allocates memory; the address is a multiple of 512. Its bytes count as not initialised.
    pub fn alloc(&self, bytes: u64, label: &str) -> Result<u64, MemoryError> {
        let allocation = self.table().insert(bytes, label, false)?;
        self.mark(allocation.base, allocation.size, 0);
        Ok(allocation.base)
    }

    /// Keeps an address for an allocation that [`wake`](Memory::wake) makes and [`free`](Memory::free) ends, as often
    /// as wanted, until it is [forgotten](Memory::forget).
    pub(crate) fn reserve(&self, bytes: u64, label: &str) -> Result<u64, MemoryError> {
        self.table().reserve(bytes, label)
    }

    /// Makes the allocation of a reserved address; its bytes count as not initialised.
    pub(crate) fn wake(&self, addr: u64) -> Result<(), MemoryError> {
        let allocation = self.table().wake(addr)?;
        self.mark(allocation.base, allocation.size, 0);
        Ok(())
    }

    /// Ends a reservation.
    pub(crate) fn forget(&self, addr: u64) {
        self.table().forget(addr);
    }

    /// The allocation that holds an address, or will when it is woken.
    pub(crate) fn find_reserved(&self, addr: u64) -> Option<Allocation> {
        self.table().find_reserved(addr)
    }

    /// Allocates memory that the host reads and writes at the same address (managed memory), filled with zeros. Its
    /// bytes count as initialised: what the host writes isn't seen.
    pub fn alloc_managed(&self, bytes: u64, label: &str) -> Result<u64, MemoryError> {
        let allocation = self.table().insert(bytes, label, true)?;
        let (address, pages) = (allocation.base, self.pages(&allocation));
        if !self.data.share(pages.start, pages.len(), address) {
            self.table().remove(address)?;
            return Err(MemoryError::NotShared { address, bytes });
        }
        self.mark(address, allocation.size, 1);
        Ok(address)
    }

    /// The whole pages of managed memory, as offsets.
    fn pages(&self, allocation: &Allocation) -> std::ops::Range<usize> {
        let start = (allocation.base - self.base) as usize;
        start..start + allocation.size.next_multiple_of(allocation.unit()) as usize
    }

    /// Frees an allocation by its first address.
    pub fn free(&self, addr: u64) -> Result<(), MemoryError> {
        let allocation = self.table().remove(addr)?;
        let pages = self.pages(&allocation);
        if allocation.managed {
            // SAFETY: `alloc_managed` has shared them; the program has freed them.
            unsafe { self.data.unshare(pages.start, pages.len(), addr) };
        } else {
            self.data.give_back(pages.start, allocation.size as usize);
        }
        Ok(())
    }

    /// True when so many bytes from an address on lie in one piece of managed memory.
    pub fn is_managed(&self, addr: u64, bytes: u64) -> bool {
        self.find(addr).is_some_and(|a| a.managed && bytes <= a.size - (addr - a.base))
    }

    /// The live allocation that holds the address.
    pub fn find(&self, addr: u64) -> Option<Allocation> {
        self.table().find(addr)
    }

    /// Copies from the host; the bytes count as initialised.
    pub fn write(&self, addr: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        self.data.write(self.place(addr, bytes.len() as u64)?, bytes);
        self.mark(addr, bytes.len() as u64, 1);
        Ok(())
    }

    /// Copies to the host.
    pub fn read(&self, addr: u64, out: &mut [u8]) -> Result<(), MemoryError> {
        self.data.read(self.place(addr, out.len() as u64)?, out);
        Ok(())
    }

    /// Copies within the device (overlap allowed); which bytes are initialised travels along.
    pub fn copy(&self, dst: u64, src: u64, bytes: u64) -> Result<(), MemoryError> {
        let from = self.place(src, bytes)?;
        let to = self.place(dst, bytes)?;
        self.data.copy(from, to, bytes as usize);
        self.written().copy(from, to, bytes as usize);
        Ok(())
    }

    /// Fills `count` elements with a pattern of 1, 2 or 4 bytes; the bytes count as initialised.
    pub fn set(&self, addr: u64, pattern: &[u8], count: u64) -> Result<(), MemoryError> {
        if !matches!(pattern.len(), 1 | 2 | 4) {
            return Err(MemoryError::Pattern(pattern.len()));
        }
        let bytes = count.saturating_mul(pattern.len() as u64);
        let at = self.place(addr, bytes)?;
        if pattern.iter().all(|&b| b == pattern[0]) {
            self.data.fill(at, bytes as usize, pattern[0]);
        } else {
            self.data.repeat(at, pattern, count as usize);
        }
        self.mark(addr, bytes, 1);
        Ok(())
    }

    /// Bytes in use and the limit.
    pub fn usage(&self) -> (u64, u64) {
        let table = self.table();
        (table.used, table.limit)
    }

    /// Every live allocation, by address.
    pub fn live(&self) -> Vec<Allocation> {
        self.table().live()
    }

    /// True when the address belongs to this device's range, allocated or not.
    pub fn owns(&self, addr: u64) -> bool {
        addr >= self.base && addr - self.base < self.data.len() as u64
    }

    /// What lies at or near an address, in words.
    pub fn describe(&self, addr: u64) -> String {
        self.table().describe(addr)
    }

    /// The allocation freed last that held the address, when no live one does.
    pub fn freed(&self, addr: u64) -> Option<Allocation> {
        self.table().freed(addr)
    }

    /// True when every byte was written since it was allocated.
    pub fn is_initialised(&self, addr: u64, bytes: u64) -> bool {
        if !self.owns(addr) || !self.owns(addr + bytes.max(1) - 1) {
            return false;
        }
        self.written().all_set((addr - self.base) as usize, bytes as usize)
    }

    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    pub(crate) fn size(&self) -> u64 {
        self.data.len() as u64
    }

    pub(crate) fn host(&self) -> *mut u8 {
        self.data.at(0)
    }

    /// Copies bytes to the host that may be of several allocations, or of none.
    ///
    /// Panics when they lie outside the device's memory.
    pub(crate) fn peek(&self, addr: u64, out: &mut [u8]) {
        self.data.read(addr.wrapping_sub(self.base) as usize, out);
    }

    /// The race shadow: for each four bytes of memory a word for the last writer and one for a reader.
    pub(crate) fn access_shadow(&self) -> &[AtomicU64] {
        let size = self.data.len() * 4;
        self.access.get_or_init(|| Region::reserve(size).expect("address space for the race shadow")).words()
    }

    /// A launch begins: its number, and when it doesn't track writes, whatever is live counts as
    /// initialised from now on, since nobody will know what it wrote.
    pub(crate) fn begin_launch(&self, tracks_writes: bool) -> u64 {
        if !tracks_writes {
            self.table().assume_written();
            self.tracked.store(false, Ordering::Relaxed);
        } else if !self.tracked.swap(true, Ordering::Relaxed) {
            let unknown = self.table().take_assumed();
            for a in unknown {
                self.mark(a.base, a.size, 1);
            }
        }
        let number = self.launches.fetch_add(1, Ordering::Relaxed) + 1;
        if number.is_multiple_of(LAUNCHES)
            && let Some(access) = self.access.get()
        {
            // numbers come again: marks of old launches must not look like new ones
            access.give_back(0, access.len());
        }
        number
    }

    pub(crate) fn snapshot(&self) -> Arc<[Allocation]> {
        self.table().live().into()
    }

    /// One byte for each byte of the memory: 1 where something was written.
    pub(crate) fn written(&self) -> &Region {
        let size = self.data.len();
        self.written.get_or_init(|| Region::reserve(size).expect("address space for the init shadow"))
    }

    fn mark(&self, addr: u64, bytes: u64, value: u8) {
        let shadow = self.written();
        let offset = (addr - self.base) as usize;
        if value == 0 && bytes >= 1 << 20 {
            shadow.give_back(offset, bytes as usize);
        } else {
            shadow.fill(offset, bytes as usize, value);
        }
    }

    /// The offset of bytes that lie inside one allocation.
    fn place(&self, addr: u64, bytes: u64) -> Result<usize, MemoryError> {
        let table = self.table();
        let inside = table.find(addr).is_some_and(|a| bytes <= a.size - (addr - a.base));
        if inside {
            return Ok((addr - self.base) as usize);
        }
        Err(MemoryError::OutOfBounds { address: addr, bytes, near: table.describe(addr) })
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for a in self.live().iter().filter(|a| a.managed) {
            let pages = self.pages(a);
            // SAFETY: as in `free`.
            unsafe { self.data.unshare(pages.start, pages.len(), a.base) };
        }
    }
}
