//! Everything that looks at a running kernel: checks and counters.
//!
//! Executors and the engine call in here with what happens; findings go to the launch, counts to the host thread's
//! tally. `access` sees each access to memory and asks the others: `tally` (counters), `init` (initcheck), `global`
//! (racecheck between blocks), `shared` with `words` and `judge` (racecheck inside a block). `sync` sees barriers,
//! `asynchronous` copies and mbarriers, `report` makes the findings.

pub mod access;
pub mod asynchronous;
pub mod global;
pub mod init;
pub mod judge;
pub mod report;
pub mod shared;
pub mod sync;
pub mod tally;
pub mod words;

pub use access::{bad_local, discarded, observe};
pub use asynchronous::{arrived, copy_landed, copy_source, copy_target, object, waited};
pub use init::observe_local;
pub use report::{Access, report};
pub use sync::*;
