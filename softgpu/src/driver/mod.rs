//! The CUDA driver API in the C ABI, over the engine.
//!
//! Every entry point that the headers of CUDA 12 and 13 name is exported (`symbols.txt`); those that
//! softgpu does not have answer `CUDA_ERROR_NOT_SUPPORTED` and log their name once. `entry` is the frame
//! around each, `state` what the driver knows, `queue` when queued work runs, `capture` and `graph` what
//! becomes of it in graphs.

#![allow(non_snake_case)]
// The C ABI: pointers come from the caller, who promises what the CUDA driver API says of them; every one is
// checked for null. The argument lists are CUDA's.
#![allow(clippy::not_unsafe_ptr_arg_deref, clippy::too_many_arguments)]

mod capture;
pub mod config;
mod context;
mod copy;
mod device;
mod entry;
pub mod errors;
mod event;
mod graph;
mod launch;
mod library;
mod link;
mod memory;
mod module;
mod proc_address;
mod queue;
mod report;
mod state;
mod stream;
mod transfer;

/// The entry points softgpu does not have, made by `build.rs` from `symbols.txt`.
mod refused {
    include!(concat!(env!("OUT_DIR"), "/refused.rs"));
}
