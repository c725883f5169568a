//! Arithmetic on registers.

pub mod add_syntax;
pub mod alu;
pub mod bits;
pub mod carry;
pub mod carry_syntax;
pub mod fields_syntax;
pub mod float_syntax;
pub mod halves;
pub mod integer_syntax;
pub mod logic_syntax;
pub mod multiply_syntax;
pub mod real;
pub mod scalar;
pub mod video;
pub mod video_syntax;
