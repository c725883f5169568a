//! The state of a running machine. It knows no instruction's meaning and runs nothing.
//!
//! The rooms of this crate, each of which uses only those before it: `check`, `counters`, `numerics`, `ptx`, `profile`
//! and `memory` know nothing of each other; `kernel` (what a program sees of kernels and launches), `shadow` (what
//! checks remember), `machine`, `watch` (checks and counters), `isa` (instructions), `load` (modules), `engine`
//! (launches).
//!
//! From the bottom up: `row` (a register: 32 lanes), `place` (where lanes' accesses lie), `access` (spaces and kinds of
//! memory accesses), `fixed` (lists that never move), `draw` (numbers drawn from a seed), `operand` (of instructions),
//! `program` (what is known of a module's code), `mbarrier` and `warp` (objects of a block), `launch` (what all host
//! threads share), `block`, `cx` (what a host thread works on), `control`, `inst` and `op` (instructions and what they
//! do, functions of a context).

pub mod access;
pub mod block;
pub mod control;
pub mod cx;
pub mod draw;
pub mod fixed;
pub mod inst;
pub mod launch;
pub mod mbarrier;
pub mod op;
pub mod operand;
pub mod place;
pub mod program;
pub mod row;
pub mod warp;
