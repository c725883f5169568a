//! Lists that never move.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// So many items; as long as it lives they lie where [`start`](Fixed::start) says.
pub struct Fixed<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: it owns its items.
unsafe impl<T: Send> Send for Fixed<T> {}

impl<T: Copy> Fixed<T> {
    /// Copies of an item.
    pub fn new(item: T, len: usize) -> Fixed<T> {
        // a pointer from which all others are made, so that a slice of the items takes no other's place
        let start = Box::leak(vec![item; len].into_boxed_slice()).as_mut_ptr();
        Fixed { start: NonNull::new(start).unwrap_or(NonNull::dangling()), len }
    }

    /// Where the items lie.
    pub fn start(&self) -> *mut T {
        self.start.as_ptr()
    }
}

impl<T> Deref for Fixed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the items of `new`, which nobody else has.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Fixed<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Fixed<T> {
    fn drop(&mut self) {
        // SAFETY: the box of `new`.
        drop(unsafe { Box::from_raw(&raw mut **self) });
    }
}
