//! The arithmetic of single values and of `mma`, against yardsticks that share no code with softgpu.

#[path = "../common/mod.rs"]
mod common;
mod mma_engine;
mod mma_vectors;
#[path = "../common/random.rs"]
mod random;
mod values;
mod wmma;
