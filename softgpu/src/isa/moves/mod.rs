//! Moves, comparisons and conversions.

pub mod address;
pub mod address_syntax;
pub mod compare;
pub mod compare_syntax;
pub mod convert;
pub mod convert_lanes;
pub mod convert_syntax;
pub mod cut;
pub mod registers;
pub mod syntax;
pub mod vectors;
pub mod vectors_syntax;
