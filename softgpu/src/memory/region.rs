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
        (start != libc::MAP_FAILED).then_some(Region { start: start.cast(), len })
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

/// Bytes of a page; [`Region::share`] deals in whole ones.
pub const PAGE: usize = 4096;

impl Region {
    /// Makes whole pages of the range appear at another address, too; what they held is lost. False when the system
    /// has no memory, or something is at that address.
    #[cfg(target_os = "linux")]
    pub fn share(&self, offset: usize, len: usize, address: u64) -> bool {
        debug_assert!(offset.is_multiple_of(PAGE) && len.is_multiple_of(PAGE));
        let map = |at: *mut libc::c_void, flags: i32, file: i32| {
            // SAFETY: either pages of this range, or with MAP_FIXED_NOREPLACE pages that nobody has.
            unsafe {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                libc::mmap(at, len, access, libc::MAP_SHARED | flags, file, 0) == at
            }
        };
        // SAFETY: the descriptor is closed once; mappings outlive it.
        unsafe {
            let file = libc::memfd_create(c"softgpu".as_ptr(), libc::MFD_CLOEXEC);
            if file < 0 {
                return false;
            }
            let alias = address as *mut libc::c_void;
            let shared = libc::ftruncate(file, len as libc::off_t) == 0 && map(alias, libc::MAP_FIXED_NOREPLACE, file);
            let both = shared && map(self.at(offset).cast(), libc::MAP_FIXED, file);
            libc::close(file);
            if shared && !both {
                libc::munmap(alias, len);
            }
            both
        }
    }

    #[cfg(not(target_os = "linux"))]
    pub fn share(&self, _offset: usize, _len: usize, _address: u64) -> bool {
        false
    }

    /// Ends [`Region::share`]: the pages are the range's own again and zero, and nothing is at the other address.
    pub fn unshare(&self, offset: usize, len: usize, address: u64) {
        // SAFETY: the pages were mapped by `share` with the same numbers.
        unsafe {
            libc::munmap(address as *mut libc::c_void, len);
            libc::mmap(
                self.at(offset).cast(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED,
                -1,
                0,
            );
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}
