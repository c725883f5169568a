//! What is computed: one file an operation, with its sizes, operands, work and traffic, mathematics, and a slow f64
//! reference. [`operation::Operation`] is one of them on views of a device's memory.
//!
//! The references are written for reading and are what every backend is checked against.

pub mod batch;
pub mod cast;
pub mod conv;
pub mod description;
pub mod dropout;
pub mod layer;
pub mod linear;
pub mod loss;
pub mod operation;
pub mod optimizer;
pub mod philox;
pub mod pool;
pub mod relu;
pub mod scaling;
pub mod view;
