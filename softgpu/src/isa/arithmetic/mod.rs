//! Arithmetic on registers.

pub mod alu;
pub mod bits;
pub mod carry;
pub mod float;
pub mod integer;
pub mod integers;
pub mod scalar;
pub mod video;
