//! Instructions: how they are written (decoders) and what they do (executors), a room for each family.

pub mod arithmetic;
pub mod decoder;
pub mod flow;
pub mod mbarrier;
pub mod memory;
pub mod moves;
pub mod operands;
pub mod tensor;
pub mod warp;
