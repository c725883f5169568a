//! Device memory, memory pools and pinned host memory.

use super::handle::{Handle, object};
use crate::driver::abi::errors::*;
use std::collections::HashMap;

/// An allocation in device memory.
#[derive(Clone)]
pub struct Linear {
    pub context: Handle,
    pub bytes: u64,
    /// From a pool: freed in stream order, and `cuMemFree` does not wait for it.
    pub pool: Option<Handle>,
    /// A stream-ordered free is queued.
    pub freeing: bool,
    /// An allocation node of a graph made it.
    pub of_graph: bool,
    /// The call that made it, for messages.
    pub label: String,
}

/// Host memory that asynchronous copies may use late.
pub struct Pinned {
    pub context: Handle,
    pub bytes: u64,
    /// The memory itself; `None` where the program registered its own.
    pub pages: Option<Vec<Page>>,
    pub flags: u32,
}

/// A page of host memory.
#[derive(Clone)]
#[repr(align(4096))]
pub struct Page(pub [u8; 4096]);

#[derive(Default)]
pub struct Pool {
    pub default: bool,
    pub attributes: HashMap<i32, u64>,
    pub used: u64,
    pub high: u64,
}

object!(Pool, INVALID_VALUE, "is no memory pool, or a destroyed one");
