//! Loading a module: a PTX text to instructions, variables and kernels.

pub mod allot;
pub mod contents;
pub mod finish;
pub mod flowgraph;
pub mod module;
pub mod shared;

pub use module::Module;
