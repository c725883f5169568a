//! Running kernels: a launch's blocks over host threads, a block's warps, a warp's instructions.

pub mod barrier;
pub mod branch;
pub mod builtin;
pub mod call;
pub mod exit;
pub mod launch;
pub mod printf;
pub mod together;
pub mod warp;

pub use launch::launch;
