//! Allocations of the CPU backend.

use bytemuck::Pod;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};

/// One allocation, initialised and owned. Large ones start on a 2 MiB boundary and ask for huge pages, which strided
/// walks over weights need: with 4 KiB pages they miss the address-translation cache at every row.
pub struct Buffer {
    at: *mut u8,
    layout: Layout,
}

// SAFETY: the allocation is owned, and lent out as its borrow allows.
unsafe impl Send for Buffer {}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: made by `alloc_zeroed` with this layout.
        unsafe { dealloc(self.at, self.layout) }
    }
}

const HUGE_PAGE: usize = 2 << 20;

/// The layout of so many bytes, if they can be one allocation.
fn layout(bytes: usize) -> Option<Layout> {
    Layout::from_size_align(bytes.max(1), if bytes >= HUGE_PAGE { HUGE_PAGE } else { 64 }).ok()
}

impl Buffer {
    /// So many zeros; nothing where there is not as much memory.
    pub fn new(bytes: usize) -> Option<Buffer> {
        let layout = layout(bytes)?;
        // SAFETY: the layout is not empty.
        let at = unsafe { alloc_zeroed(layout) };
        if at.is_null() {
            return None;
        }
        #[cfg(target_os = "linux")]
        if bytes >= HUGE_PAGE {
            // SAFETY: the range is an allocation of this process. Advice only: a refusal changes nothing but speed.
            unsafe { libc::madvise(at.cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        Some(Buffer { at, layout })
    }

    /// Its first byte; as many as [`Buffer::size`] are readable and writable as far as borrows of it allow.
    pub fn at(&self) -> *mut u8 {
        self.at
    }

    /// Its bytes.
    pub fn size(&self) -> usize {
        self.layout.size()
    }
}

/// Memory that is kept from call to call, on a boundary of 64 bytes; it grows where it is too small.
#[derive(Default)]
pub struct Room(Option<Buffer>);

impl Room {
    /// The first `len` numbers; they hold whatever was there.
    pub fn of<T: Pod>(&mut self, len: usize) -> &mut [T] {
        let bytes = len * size_of::<T>();
        if self.0.as_ref().is_none_or(|buffer| buffer.size() < bytes) {
            // The old one is given back first.
            self.0 = None;
            let new = Buffer::new(bytes);
            self.0 =
                Some(new.unwrap_or_else(|| handle_alloc_error(Layout::array::<T>(len).unwrap_or(Layout::new::<T>()))));
        }
        match &self.0 {
            // SAFETY: as many initialised bytes, borrowed with the room; the boundary suits every type of number.
            Some(buffer) => unsafe { std::slice::from_raw_parts_mut(buffer.at().cast(), len) },
            None => &mut [],
        }
    }
}
