//! Why memory operations are refused.

/// Why a memory operation was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    /// More than is left.
    #[error(
        "out of device memory: {wanted} bytes asked for, {used} of {limit} in use; free something or raise the limit"
    )]
    OutOfMemory {
        /// Bytes asked for.
        wanted: u64,
        /// Bytes in use.
        used: u64,
        /// Bytes there are.
        limit: u64,
    },
    /// An allocation needs a size.
    #[error("an allocation of zero bytes")]
    ZeroSize,
    /// The allocation is freed already.
    #[error("address {address:#x} was freed before ({label}, {size} bytes): a double free")]
    DoubleFree {
        /// Where.
        address: u64,
        /// Bytes it had.
        size: u64,
        /// What it was called.
        label: String,
    },
    /// Only the start of an allocation can be freed.
    #[error("address {address:#x} is not the start of an allocation ({near})")]
    NotAnAllocation {
        /// Where.
        address: u64,
        /// What lies there, in words.
        near: String,
    },
    /// The range is not inside one allocation.
    #[error("{bytes} bytes at {address:#x} don't lie inside one allocation ({near})")]
    OutOfBounds {
        /// Where.
        address: u64,
        /// How many.
        bytes: u64,
        /// What lies there, in words.
        near: String,
    },
    /// The host cannot have it at that address.
    #[error(
        "{bytes} bytes of managed memory can't be shown to the host at {address:#x}: no memory, or something is there"
    )]
    NotShared {
        /// Where.
        address: u64,
        /// How many.
        bytes: u64,
    },
    /// So many bytes are no pattern of a fill.
    #[error("a fill pattern of {0} bytes; 1, 2 or 4 are possible")]
    Pattern(usize),
}
