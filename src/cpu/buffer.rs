//! Memory for numbers: aligned for vectors, in huge pages where it is large.

use bytemuck::Pod;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;

/// One allocation, initialised and owned. Large ones start on a 2 MiB boundary and ask for huge pages, which the
/// strided walks over weights need: with 4 KiB pages they miss the address-translation cache at every row.
pub struct Buffer {
    at: *mut u8,
    layout: Layout,
}

// SAFETY: the allocation is owned.
unsafe impl Send for Buffer {}
// SAFETY: by shared reference only its place and size can be read.
unsafe impl Sync for Buffer {}

const HUGE_PAGE: usize = 2 << 20;
const LINE: usize = 64;

impl Buffer {
    /// Zeroed memory of that many bytes, at least one; none where there is not so much.
    pub fn zeroed(bytes: usize) -> Option<Buffer> {
        let align = if bytes >= HUGE_PAGE { HUGE_PAGE } else { LINE };
        let layout = Layout::from_size_align(bytes.max(1), align).ok()?;
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

    /// Where it begins.
    pub fn address(&self) -> *mut u8 {
        self.at
    }

    /// Bytes of it.
    pub fn len(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: made by `alloc_zeroed` with this layout.
        unsafe { dealloc(self.at, self.layout) }
    }
}

/// Memory kept from use to use; it grows where it is too small.
#[derive(Default)]
pub struct Room(Option<Buffer>);

impl Room {
    /// Room for no number yet.
    pub const fn new() -> Room {
        Room(None)
    }

    /// `len` numbers, whatever was left in them.
    pub fn of<T: Pod>(&mut self, len: usize) -> &mut [T] {
        let bytes = len * size_of::<T>();
        if self.0.as_ref().is_none_or(|buffer| buffer.len() < bytes) {
            // The old one is given back first.
            self.0 = None;
            let layout = Layout::array::<T>(len).unwrap_or(Layout::new::<T>());
            self.0 = Some(Buffer::zeroed(bytes).unwrap_or_else(|| handle_alloc_error(layout)));
        }
        match &self.0 {
            // SAFETY: as many initialised bytes, borrowed with the room; the boundary suits every type of number.
            Some(buffer) => unsafe { std::slice::from_raw_parts_mut(buffer.address().cast(), len) },
            None => &mut [],
        }
    }
}

thread_local! {
    static SCRATCH: RefCell<Room> = const { RefCell::new(Room::new()) };
}

/// Runs `body` with `len` numbers of the thread's own memory, whatever was left in them. Not to be called inside of
/// itself.
pub fn with_scratch<R>(len: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    SCRATCH.with_borrow_mut(|room| body(room.of(len)))
}
