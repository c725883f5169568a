//! The barriers of a block.

/// One of a block's sixteen barriers.
#[derive(Clone, Debug, Default)]
pub struct Barrier {
    /// Threads that have arrived.
    pub arrived: u32,
    /// Threads it waits for; 0 for all that are alive.
    pub expected: u32,
    pub and: bool,
    pub or: bool,
    pub count: u32,
    /// Instruction of the first arrival.
    pub inst: u32,
    pub open: bool,
    /// Clocks of the warps that arrived, joined (hazard checks).
    pub clocks: Vec<u32>,
}

/// In `Inst::flags`: arrives without waiting.
pub const ARRIVE: u8 = 1;
/// Every thread of the warp must execute it together.
pub const ALIGNED: u8 = 2;
/// Reductions over the threads' predicate.
pub const POPC: u8 = 4;
pub const AND: u8 = 8;
pub const OR: u8 = 16;
/// The predicate is negated.
pub const NEGATED: u8 = 32;
