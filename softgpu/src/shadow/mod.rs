//! What checks and counters remember, as plain data: `watch` reads and writes it, `machine` holds it.
//!
//! `tally` counts what a host thread executed, `shared` remembers accesses of a block's shared memory, `marks`,
//! `history` and `global` those of global memory by the blocks of a launch, `latest` the stores under way.

pub mod global;
pub mod history;
pub mod latest;
pub mod marks;
pub mod shared;
pub mod tally;
