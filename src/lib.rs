//! warp19: VGG19 trained from scratch.

pub mod cpu;
pub mod data;
pub mod device;
pub mod error;
pub mod image;
pub mod model;
pub mod network;
pub mod ops;

pub use error::{Error, Result};
