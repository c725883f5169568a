//! Device memory: one reserved address range, a table of allocations, and shadow state beside it.
//!
//! A device address is an offset into the range plus a fixed base that no host pointer can have. The
//! range is twice the device's memory (address space costs nothing), so that freed addresses are reused as
//! late as possible and a use after free meets no newer allocation. Between two allocations lie at
//! least `table::GAP` bytes that belong to nobody.

mod device;
mod error;
mod region;
mod table;

pub(crate) use device::LAUNCHES;
pub use device::Memory;
pub use error::MemoryError;
pub(crate) use region::{all_set, mark};
pub use table::Allocation;
