//! Operations that move, compare and convert.

use crate::isa::moves::cut::Cut;
use crate::machine::cx::Cx;
use crate::machine::inst::Inst;
use crate::machine::op::Op;
use crate::machine::row::Isa;
use std::marker::PhantomData;

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
