//! What checks and counters remember.

pub mod global;
pub mod history;
pub mod marks;
pub mod shared;
pub mod tally;
