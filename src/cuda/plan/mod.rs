//! Choosing tiles, parts and algorithms by a count of cycles (`count`).
//!
//! What changes the order of a sum is chosen from shapes alone, for a device that never was ([`Machine::reference`]),
//! so that results are the same bits on every device: the parts of an inner dimension, Winograd's algorithm, and the
//! tiles of implicit convolutions, whose blocks leave out taps that none of their rows sees. Other tiles follow the
//! device.

mod count;
mod footprint;
mod layers;
pub mod predict;
mod product;

pub use count::Machine;
pub use footprint::{Footprint, WINOGRAD, footprint};
pub use layers::{SHARED_LIMIT, Way, convolution, gathered, linear, winograd_blocks};
pub use product::{COUNTERS, Divisor, Plan, Product, WORKSPACE_FLOATS, group};
