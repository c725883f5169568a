//! Why memory operations are refused.

/// Why a memory operation was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryError {
    #[error(
        "out of device memory: {wanted} bytes asked for, {used} of {limit} in use; free something or raise the limit"
    )]
    OutOfMemory { wanted: u64, used: u64, limit: u64 },
    #[error("an allocation of zero bytes")]
    ZeroSize,
    #[error("address {address:#x} was freed before ({label}, {size} bytes): a double free")]
    DoubleFree { address: u64, size: u64, label: String },
    #[error("address {address:#x} is not the start of an allocation ({near})")]
    NotAnAllocation { address: u64, near: String },
    #[error("{bytes} bytes at {address:#x} don't lie inside one allocation ({near})")]
    OutOfBounds { address: u64, bytes: u64, near: String },
    #[error(
        "{bytes} bytes of managed memory can't be shown to the host at {address:#x}: no memory, or something is there"
    )]
    NotShared { address: u64, bytes: u64 },
    #[error("a fill pattern of {0} bytes; 1, 2 or 4 are possible")]
    Pattern(usize),
}
