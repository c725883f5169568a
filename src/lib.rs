//! warp19: VGG19 trained from scratch.

pub mod cli;
pub mod cpu;
pub mod data;
pub mod device;
pub mod error;
pub mod image;
pub mod model;
pub mod network;
pub mod ops;
pub mod train;

pub use error::{Error, Result};
