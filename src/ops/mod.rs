//! One file an operation: its shape arithmetic, work and traffic, mathematics, and a slow f64 reference.
//!
//! The references are written for reading and are what every backend is checked against.

pub mod batch;
pub mod conv;
pub mod dropout;
pub mod linear;
pub mod loss;
pub mod optimizer;
pub mod philox;
pub mod pool;
pub mod relu;
