//! warp19: VGG19 trained from scratch.
//!
//! One way through the house:
//! - [`data`] finds the images; [`train`] draws batches of them and drives the loop;
//! - [`ops`] describes each operation, with its mathematics and its slow reference;
//! - [`device`] is the contract of the backends that run them, [`cpu`] and [`cuda`];
//! - [`model`] lists a network's layers, [`network`] lays it out on a device and plans its two passes;
//! - [`image`] turns pictures into digits; [`report`] draws a run's pictures; [`cli`] is the command line.

pub mod cli;
pub mod conformance;
pub mod cpu;
pub mod cuda;
pub mod data;
pub mod device;
pub mod error;
pub mod export;
pub mod image;
pub mod model;
pub mod network;
pub mod ops;
pub mod report;
pub mod train;

pub use error::{Error, Result};
