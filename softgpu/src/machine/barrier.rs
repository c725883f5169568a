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
