//! The state of a running machine: registers, warps, blocks, a launch.

pub mod access;
pub mod barrier;
pub mod block;
pub mod code;
pub mod control;
pub mod cx;
pub mod draw;
pub mod inst;
pub mod launch;
pub mod mbarrier;
pub mod old_op;
pub mod op;
pub mod operand;
pub mod program;
pub mod row;
pub mod warp;
