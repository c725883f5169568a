//! warp19: VGG19 trained from scratch.
//!
//! One way through the house: [`data`] finds the images; [`train`] draws batches of them and drives the loop;
//! [`device`] is the contract every backend implements ([`cpu`] does); [`ops`] has each operation's mathematics and its
//! slow reference; [`model`] lists a network's layers, [`network`] lays it out on a device and runs it forward and
//! backward; [`image`] turns pictures into digits; [`report`] draws a
//! run's pictures; [`cli`] is the command line.

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
