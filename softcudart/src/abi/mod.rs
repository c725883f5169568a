//! The border to C.

pub mod entry;
pub mod errors;
pub mod name;
pub mod pointers;

pub use entry::*;
pub use errors::*;
pub use name::*;
pub use pointers::*;
