//! Kernels written in PTX, so that every instruction of them is known: what is refused, what single
//! instructions do to a block, and what the counters say.

mod counters;
mod documented;
mod flow;
mod limits;
mod mbarrier;
mod memory;
mod refusals;
mod repeatable;
mod support;
mod used_bytes;
