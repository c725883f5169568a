//! The border to C: entry points, their arguments, error codes, and what the environment asks.

pub mod config;
pub mod entry;
pub mod errors;
pub mod listed;
pub mod pointers;

pub use entry::*;
pub use errors::*;
pub use pointers::*;
