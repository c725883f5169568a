//! The CUDA runtime API, as far as it is documented, over the CUDA driver API.
//!
//! `libsoftcudart.so`, found by programs as `libcudart.so.13` or `libcudart.so.12`, translates each runtime call into
//! driver calls and holds no engine. The driver is found at run time: softgpu, or any other. README.md says how it is
//! used and what is not there.
//!
//! `abi` is the border to C: the frame around an entry point, error codes, the pointers that programs pass. `driver` is
//! the table of the driver's functions, `context` what is current to a thread, `program` the code that a program has
//! registered. `calls` are the entry points by subject. Each uses only those named before it.

#![allow(non_snake_case)]
// The names and the argument lists are CUDA's.
#![allow(clippy::too_many_arguments)]

mod abi;
mod calls;
mod context;
mod driver;
mod program;
