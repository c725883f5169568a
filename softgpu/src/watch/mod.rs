//! Everything that looks at a running kernel: checks and counters.

pub mod access;
pub mod copies;
pub mod global;
pub mod init;
pub mod judge;
pub mod mbarrier;
pub mod report;
pub mod shared;
pub mod sync;
pub mod tally;
pub mod words;

pub use access::{bad_local, discarded, observe};
pub use copies::{copy_landed, copy_source, copy_target};
pub use init::observe_local;
pub use report::report;
pub use sync::*;
