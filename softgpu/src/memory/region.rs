//! A reserved range of host address space.

/// Zero-filled pages that exist once touched.
pub struct Region {
    start: *mut u8,
    len: usize,
}

// The pointer is only an address; who may touch which byte is decided by the callers.
unsafe impl Send for Region {}
unsafe impl Sync for Region {}

impl Region {
    /// Reserves `len` bytes, or `None` when the system refuses.
    pub fn reserve(len: usize) -> Option<Region> {
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        (start != libc::MAP_FAILED).then_some(Region {
            start: start.cast(),
            len,
        })
    }

    /// Bytes reserved.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Address of a byte of the range.
    pub fn at(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset <= self.len);
        unsafe { self.start.add(offset) }
    }

    /// Returns whole pages inside a part to the system; the part reads as zero afterwards, also its
    /// first and last bytes that share a page with others.
    pub fn give_back(&self, offset: usize, len: usize) {
        let page = 4096;
        let first = offset.next_multiple_of(page);
        let last = (offset + len) / page * page;
        if first >= last {
            unsafe { std::ptr::write_bytes(self.at(offset), 0, len) };
            return;
        }
        unsafe {
            std::ptr::write_bytes(self.at(offset), 0, first - offset);
            libc::madvise(self.at(first).cast(), last - first, libc::MADV_DONTNEED);
            std::ptr::write_bytes(self.at(last), 0, offset + len - last);
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}
