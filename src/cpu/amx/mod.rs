//! Layers in 16 bits on Intel's AMX: bfloat16 as it is, halves as sums of two bfloat16.
//!
//! `tiles` has the instructions and the right to them, `runs` how pixels are taken 32 at a time, `pack` the order in which
//! tiles take them, `layer` the three passes, `finish` what follows a sum.

mod finish;
mod layer;
mod numbers;
mod pack;
mod patches;
mod runs;
mod tiles;

pub use layer::{Scratch, backward_data, backward_weight, forward};
pub use tiles::Tiles;
