//! Arithmetic on registers.

pub mod add;
pub mod alu;
pub mod bits;
pub mod carry;
pub mod fields;
pub mod float;
pub mod halves;
pub mod integer;
pub mod integers;
pub mod logic;
pub mod multiply;
pub mod real;
pub mod scalar;
pub mod video;
