//! The state of a running machine. It knows no instruction's meaning and runs nothing.
//!
//! The rooms of this crate, each of which uses only those before it: `check`, `counters`, `numerics`, `ptx`, `profile`
//! and `memory` know nothing of each other; `kernel` (what a program sees of kernels and launches), `shadow` (what
//! checks remember), `machine`, `watch` (checks and counters), `isa` (instructions), `load` (modules), `engine`
//! (launches).
//!
//! From the bottom up: `row` (a register: 32 lanes), `access` (spaces and kinds of memory accesses), `draw` (numbers
//! drawn from a seed), `program` (what is known of a module's code), `mbarrier`, `barrier` and `warp` (objects of a
//! block), `launch` (what all host threads share), `block`, `cx` (what a host thread works on), `inst` and `op`
//! (instructions and their handlers, functions of a context), `code` (a module's instructions).

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
