//! 64-bit values cut to the width of a lane.

use crate::machine::row::Lane;

/// Integers that 64-bit values can be cut to.
pub trait Cut: Lane {
    fn cut(v: u64) -> Self;
    fn grow(self) -> u64;
}
impl Cut for u32 {
    #[inline(always)]
    fn cut(v: u64) -> u32 {
        v as u32
    }
    #[inline(always)]
    fn grow(self) -> u64 {
        u64::from(self)
    }
}
impl Cut for u64 {
    #[inline(always)]
    fn cut(v: u64) -> u64 {
        v
    }
    #[inline(always)]
    fn grow(self) -> u64 {
        self
    }
}
