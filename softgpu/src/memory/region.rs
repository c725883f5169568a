//! A reserved range of host address space.

use std::sync::atomic::AtomicU64;

/// Bytes of a page; [`Region::share`] deals in whole ones.
pub const PAGE: usize = 4096;

/// Zero-filled pages that exist once touched.
///
/// From `start` on, `len` bytes are mapped for reading and writing as long as the region lives. Host threads may touch
/// the same bytes at once, as blocks on a device do.
pub struct Region {
    start: *mut u8,
    len: usize,
}

// SAFETY: the pointer is an address of memory that belongs to no thread.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    /// Reserves `len` bytes, or `None` when the system refuses.
    pub fn reserve(len: usize) -> Option<Region> {
        // SAFETY: new pages.
        unsafe { map(std::ptr::null_mut(), len, 0) }.map(|start| Region { start, len })
    }

    /// Bytes reserved.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Address of a byte of the range, or of its end.
    pub fn at(&self, offset: usize) -> *mut u8 {
        debug_assert!(offset <= self.len);
        self.start.wrapping_add(offset)
    }

    /// Address of a part of the range.
    fn part(&self, offset: usize, len: usize) -> *mut u8 {
        assert!(offset <= self.len && len <= self.len - offset);
        self.at(offset)
    }

    /// Copies bytes into the range.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        // SAFETY: the part lies in the range, and `bytes` outside.
        unsafe { self.part(offset, bytes.len()).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// Copies bytes out of the range.
    pub fn read(&self, offset: usize, out: &mut [u8]) {
        // SAFETY: as in `write`.
        unsafe { self.part(offset, out.len()).copy_to_nonoverlapping(out.as_mut_ptr(), out.len()) };
    }

    /// Copies bytes within the range.
    pub fn copy(&self, from: usize, to: usize, len: usize) {
        // SAFETY: both parts lie in the range.
        unsafe { self.part(from, len).copy_to(self.part(to, len), len) };
    }

    /// Sets bytes to a value.
    pub fn fill(&self, offset: usize, len: usize, value: u8) {
        // SAFETY: the part lies in the range.
        unsafe { self.part(offset, len).write_bytes(value, len) };
    }

    /// Writes a pattern so many times.
    pub fn repeat(&self, offset: usize, pattern: &[u8], count: usize) {
        let at = self.part(offset, pattern.len() * count);
        for i in 0..count {
            // SAFETY: inside the part, and `pattern` outside the range.
            unsafe { at.add(i * pattern.len()).copy_from_nonoverlapping(pattern.as_ptr(), pattern.len()) };
        }
    }

    /// Sets bytes to 1.
    #[inline]
    pub fn mark(&self, offset: usize, len: usize) {
        // SAFETY: the part lies in the range.
        unsafe { mark_at(self.part(offset, len), len) };
    }

    /// True when bytes are 1, each of which is 0 or 1.
    #[inline]
    pub fn all_set(&self, offset: usize, len: usize) -> bool {
        // SAFETY: the part lies in the range.
        unsafe { all_set_at(self.part(offset, len), len) }
    }

    /// The range as 64-bit words.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the range begins with a page, and lives as long as `self`; zeros and whatever was stored are words.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.len / 8) }
    }

    /// Returns whole pages inside a part to the system; the part reads as zero afterwards, also its
    /// first and last bytes that share a page with others.
    pub fn give_back(&self, offset: usize, len: usize) {
        let first = offset.next_multiple_of(PAGE);
        let last = (offset + len) / PAGE * PAGE;
        if first >= last {
            self.fill(offset, len, 0);
            return;
        }
        self.fill(offset, first - offset, 0);
        // SAFETY: whole pages of the range, which read as zero afterwards.
        unsafe { libc::madvise(self.part(first, last - first).cast(), last - first, libc::MADV_DONTNEED) };
        self.fill(last, offset + len - last, 0);
    }

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
    ///
    /// # Safety
    /// The pages were mapped by `share` with the same numbers, and nobody uses them at the other address.
    pub unsafe fn unshare(&self, offset: usize, len: usize, address: u64) {
        // SAFETY: the caller's promise.
        unsafe {
            libc::munmap(address as *mut libc::c_void, len);
            map(self.part(offset, len).cast(), len, libc::MAP_FIXED);
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping of `reserve`; nobody has the region any more.
        unsafe { libc::munmap(self.start.cast(), self.len) };
    }
}

/// Maps zero-filled pages, at an address with `MAP_FIXED` among the flags; `None` when the system refuses.
///
/// # Safety
/// With `MAP_FIXED` what lies there is the caller's.
unsafe fn map(at: *mut libc::c_void, len: usize, flags: i32) -> Option<*mut u8> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | flags;
    // SAFETY: the caller's promise; without `MAP_FIXED` nothing is replaced.
    let start = unsafe { libc::mmap(at, len, access, flags, -1, 0) };
    (start != libc::MAP_FAILED).then_some(start.cast())
}

/// Sets bytes to 1.
#[inline]
pub fn mark(bytes: &mut [u8]) {
    // SAFETY: the slice's bytes.
    unsafe { mark_at(bytes.as_mut_ptr(), bytes.len()) };
}

/// True when bytes are 1, each of which is 0 or 1.
#[inline]
pub fn all_set(bytes: &[u8]) -> bool {
    // SAFETY: the slice's bytes.
    unsafe { all_set_at(bytes.as_ptr(), bytes.len()) }
}

/// # Safety
/// So many bytes may be written.
#[inline(always)]
unsafe fn mark_at(at: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match len {
            4 => at.cast::<[u8; 4]>().write([1; 4]),
            8 => at.cast::<[u8; 8]>().write([1; 8]),
            _ => at.write_bytes(1, len),
        }
    }
}

/// # Safety
/// So many bytes may be read.
#[inline(always)]
unsafe fn all_set_at(at: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe {
        match len {
            4 => at.cast::<[u8; 4]>().read() == [1; 4],
            8 => at.cast::<[u8; 8]>().read() == [1; 8],
            16 => at.cast::<[u8; 16]>().read() == [1; 16],
            _ => (0..len).all(|i| at.add(i).read() != 0),
        }
    }
}
