//! softgpu: a CUDA device in software.
//!
//! `ptx` parses what NVRTC emits, `load` makes a module of it with the decoders of `isa`, `engine` runs its kernels a
//! warp at a time. `machine` is the state of warps and blocks, `shadow` what checks remember, `watch` does the checks
//! and counts. `memory` is the device's memory with its shadow state, `check` holds the findings of the checks,
//! `counters` what a profiler would show, `numerics` the arithmetic of single values, `profile` the modelled devices.

// Loops over the 32 lanes of a warp index several arrays by the lane; an iterator over one of them would hide that.
#![allow(clippy::needless_range_loop)]

pub mod check;
pub mod command;
pub mod counters;
pub mod driver;
mod engine;
mod isa;
pub mod kernel;
pub mod library;
mod limits;
mod load;
mod machine;
pub mod memory;
pub mod numerics;
pub mod nvrtc;
pub mod profile;
pub mod ptx;
pub mod ptxas;
mod shadow;
mod watch;

pub use check::{Finding, FindingKind, Source};
pub use counters::{Counters, Executed, Occupancy, Traffic};
pub use engine::launch;
pub use kernel::{Fault, KernelInfo, LaunchConfig, LaunchReport, LoadError, Options, ParamInfo, Registers};
pub use library::{Library, LibraryError, library_path};
pub use load::Module;
pub use memory::{Allocation, Memory, MemoryError};
pub use profile::Profile;
