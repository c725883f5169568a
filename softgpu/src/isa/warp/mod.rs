//! Instructions across the lanes of a warp.

pub mod exchange;
pub mod syntax;
