//! Moves, comparisons and conversions.

pub mod address;
pub mod compare;
pub mod convert;
pub mod convert_lanes;
pub mod mov;
pub mod pairs;
pub mod vectors;
