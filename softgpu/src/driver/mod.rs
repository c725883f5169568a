//! The CUDA driver API in the C ABI.
//!
//! Every entry point that the headers of CUDA 12 and 13 name is exported (`symbols.txt`); those that
//! softgpu does not have answer `CUDA_ERROR_NOT_SUPPORTED` and log their name once. `abi` is the border to C, `objects`
//! what the driver knows, `engine` what it does with it (when queued work runs, what a capture keeps), and `calls` the
//! entry points by subject. Each uses only those named before it.

#![allow(non_snake_case)]
// The names and the argument lists are CUDA's.
#![allow(clippy::too_many_arguments)]

pub mod abi;
mod calls;
mod engine;
mod objects;
