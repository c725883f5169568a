//! The state of a running machine: registers, warps, blocks, a launch.

pub mod access;
pub mod barrier;
pub mod block;
pub mod code;
pub mod cx;
pub mod draw;
pub mod inst;
pub mod launch;
pub mod mbarrier;
pub mod op;
pub mod program;
pub mod row;
pub mod warp;
