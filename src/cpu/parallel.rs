//! Splitting work over rayon's threads where the pieces write disjoint parts of one array.

use rayon::prelude::*;

/// A pointer that may cross threads; whoever uses it keeps the written ranges disjoint.
#[derive(Clone, Copy)]
pub struct Shared(pub *mut f32);

unsafe impl Send for Shared {}
unsafe impl Sync for Shared {}

impl Shared {
    /// The pointer `offset` elements on. A method, so that closures capture the wrapper and not the bare pointer.
    pub fn add(self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// Runs `body(i)` for each `i` below `count`, spread over the threads.
pub fn for_each(count: usize, body: impl Fn(usize) + Sync + Send) {
    (0..count).into_par_iter().with_max_len(1).for_each(body);
}

/// Elements in a piece of an elementwise pass: small enough to balance, large enough to hide the splitting.
pub const CHUNK: usize = 1 << 15;
