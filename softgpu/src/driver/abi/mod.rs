//! The border to C: entry points, their arguments, error codes, and what the environment asks.

pub mod config;
pub mod entry;
pub mod errors;
pub mod pointers;

pub use entry::*;
pub use errors::*;
pub use pointers::*;

/// A name for each entry point that softgpu has, made by `build.rs` from `symbols.txt`.
pub mod listed {
    include!(concat!(env!("OUT_DIR"), "/listed.rs"));
    // softgpu's own
    pub const fn softgpu_set() {}
    pub const fn softgpu_take() {}
}
