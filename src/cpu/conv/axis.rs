//! Which pixels a tap sees along one axis of a map.
//!
//! A kernel of 3 has a padding of 1. On a map of 5 pixels, its taps 0, 1 and 2 see:
//!
//! ```text
//!   output   0 1 2 3 4     0 1 2 3 4     0 1 2 3 4
//!            |/|/|/|/|     | | | | |     |\|\|\|\|
//!   input  - 0 1 2 3 4     0 1 2 3 4     0 1 2 3 4 -
//!   tap          0             1             2
//! ```
//!
//! Output pixel i takes input pixel `i + tap - padding`, where there is one.

/// The input pixel that output pixel `i` sees through a tap, if it is not in the padding.
pub fn input(i: usize, tap: usize, pad: usize, size: usize) -> Option<usize> {
    (i + tap).checked_sub(pad).filter(|&x| x < size)
}

/// The output pixels that see inside through a tap: a range `from..to`, and the input pixel of its first.
pub fn alive(tap: usize, pad: usize, size: usize) -> (usize, usize, usize) {
    let from = pad.saturating_sub(tap).min(size);
    let to = (size + pad).saturating_sub(tap).min(size);
    (from, to.max(from), (from + tap).saturating_sub(pad).min(size))
}
