//! Products by tensor cores on every architecture that softgpu has, each kernel launched by itself: against the f64
//! reference, and bit by bit against a replay of its own order of additions.

mod bits;
mod bounds;
#[path = "../common/mod.rs"]
mod common;
mod kernels;
