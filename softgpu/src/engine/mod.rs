//! Running kernels: a launch's blocks over host threads, a block's warps, a warp's instructions.
//!
//! `launch` is the way in; `warp` is the loop over instructions. Instructions by which lanes part or wait are done
//! here: `branch`, `call` (with `builtin` and `printf` for the functions that the driver has), `barrier`, `together`
//! (`*.sync`).

pub mod barrier;
pub mod branch;
pub mod builtin;
pub mod call;
pub mod launch;
pub mod printf;
pub mod together;
pub mod warp;

pub use launch::launch;
