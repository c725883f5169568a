//! Loading a module: a PTX text to instructions, variables and kernels.
//!
//! `module` goes through the text's functions; for each the decoders of `isa` make a list of instructions over
//! register numbers, and `finish` lays it out: `flowgraph` finds basic blocks and the places where diverged lanes meet,
//! `allot` gives registers their rows. `shared` places variables in shared memory, `contents` says what variables hold
//! at first, `expected` which loads only feed a compare-and-swap.

pub mod allot;
pub mod contents;
pub mod expected;
pub mod finish;
pub mod flowgraph;
pub mod module;
pub mod shared;

pub use module::Module;
