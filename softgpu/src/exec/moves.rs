//! Operations that move, compare and convert.

pub mod address;
pub mod compare;
pub mod convert;
pub mod vectors;

use super::cx::Cx;
use super::inst::{Inst, Op};
use super::row::{Isa, Lane};
use std::marker::PhantomData;

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

/// Instructions executed, as a clock.
pub struct Clock<D>(PhantomData<D>);
impl<D: Cut> Op for Clock<D> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let now = if i.aux != 0 { cx.clock >> 32 } else { cx.clock };
        unsafe { cx.put(i.d, &[D::cut(now); 32], mask) };
    }
}

/// Nanoseconds of the host.
pub struct Timer<D>(PhantomData<D>);
impl<D: Cut> Op for Timer<D> {
    #[inline(always)]
    unsafe fn exec<I: Isa>(cx: &mut Cx, i: &Inst, mask: u32) {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = since.map_or(0, |d| d.as_nanos() as u64);
        let now = if i.aux != 0 { now >> 32 } else { now };
        unsafe { cx.put(i.d, &[D::cut(now); 32], mask) };
    }
}
