//! warp19: VGG19 trained from scratch.

pub mod data;
pub mod error;
pub mod image;

pub use error::{Error, Result};
