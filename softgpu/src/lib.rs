//! softgpu: a CUDA device in software.
//!
//! `ptx` parses what NVRTC emits, `exec` decodes it and runs it a warp at a time, `memory` is the
//! device's memory with its shadow state, `check` holds the findings of the checks, `counters` what a
//! profiler would show, `numerics` the arithmetic of single values, `profile` the modelled devices.

// Loops over the 32 lanes of a warp index several arrays by the lane; an iterator over one of them would hide that.
#![allow(clippy::needless_range_loop)]

pub mod check;
pub mod counters;
pub mod driver;
pub mod exec;
pub mod library;
pub mod memory;
pub mod numerics;
pub mod profile;
pub mod ptx;
pub mod ptxas;
pub mod run;

pub use check::{Finding, FindingKind, Source};
pub use counters::{Counters, Executed, Occupancy, Traffic};
pub use exec::{
    Fault, KernelInfo, LaunchConfig, LaunchReport, LoadError, Module, Options, ParamInfo, Registers, launch,
};
pub use library::{Library, LibraryError, library_path};
pub use memory::{Allocation, Memory, MemoryError};
pub use profile::Profile;
