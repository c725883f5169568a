//! What the driver knows: contexts and everything in them, as data.

pub mod code;
pub mod copy;
pub mod graph;
pub mod handle;
pub mod memory;
pub mod state;
pub mod stream;
pub mod work;
