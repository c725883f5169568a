//! Instructions: how they are written (rows of forms, `form` and `decoder`) and what they do (executors), a room for
//! each family. `list` holds the rows of all.

pub mod arithmetic;
pub mod decoder;
pub mod flow;
pub mod form;
pub mod list;
pub mod mbarrier;
pub mod memory;
pub mod moves;
pub mod operands;
pub mod tensor;
pub mod warp;
