//! The conformance suite: every operation of a device against the f64 references of [`crate::ops`].
//!
//! One list of cases ([`cases::all`]) for every backend, used by the tests and by `verify`. An operand lies between two
//! guard regions, and is filled with NaN before where it is overwritten; every input is drawn from a fixed stream and
//! scaled so that results are about as large as 1. A result passes when every element has
//! `|a - b| <= max(1e-5, 1e-4 max(|a|, |b|))` and the whole has `sum (a - b)^2 <= 1e-7 sum b^2`.

pub mod cases;
mod compare;
pub mod full;
mod memory;
mod run;

pub use cases::Case;
pub use compare::{Bound, Comparison, compare, compare_within, values};
pub use memory::{example, upload};
pub use run::run;
