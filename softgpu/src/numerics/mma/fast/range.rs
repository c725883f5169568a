//! Sizes of a tile, and the exponents that the fast path handles.

pub const ROWS: usize = 16;
pub const COLUMNS: usize = 8;
pub const MAX_K: usize = 16;

/// Exponent of a zero: below any sum of two real ones.
pub const ZERO: i32 = -1000;
/// Exponent of an element the fast path does not handle: above any sum, even with [`ZERO`].
pub const OUTSIDE: i32 = 3000;
/// Largest exponent of a factor: products then stay finite.
pub const LARGEST_FACTOR: i32 = 60;
/// Range of e_max in which scaling and result are normal f32 numbers.
pub const SMALLEST: i32 = -99;
pub const LARGEST: i32 = 120;
