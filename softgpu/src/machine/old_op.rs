//! Operations and their handlers.

use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Inst};
use crate::machine::row::{Avx2, Avx512, Isa, Plain, host_level};

/// The list of rows that an instruction's `aux` names.
pub fn table<'l>(cx: &Cx<'l>, inst: &Inst) -> &'l [u32] {
    &cx.launch().program.tables[inst.aux as usize]
}

/// An operation that can be compiled for every kind of host.
pub trait OldOp {
    /// Executes it for the lanes of `mask`.
    ///
    /// # Safety
    /// The instruction's rows and predicates belong to the current frame.
    unsafe fn exec<I: Isa>(cx: &mut Cx, inst: &Inst, mask: u32);
}

/// The handler of an operation for this host.
pub fn handler<O: OldOp>() -> Handler {
    match host_level() {
        #[cfg(target_arch = "x86_64")]
        3 => on_avx512::<O>,
        #[cfg(target_arch = "x86_64")]
        2 => on_avx2::<O>,
        _ => on_plain::<O>,
    }
}

/// The handler of an operation that gains nothing from vectors.
pub fn plain_handler<O: OldOp>() -> Handler {
    on_plain::<O>
}

unsafe fn on_plain<O: OldOp>(cx: &mut Cx, inst: &Inst, mask: u32) {
    unsafe { O::exec::<Plain>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx2<O: OldOp>(cx: &mut Cx, inst: &Inst, mask: u32) {
    unsafe { O::exec::<Avx2>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx512<O: OldOp>(cx: &mut Cx, inst: &Inst, mask: u32) {
    unsafe { O::exec::<Avx512>(cx, inst, mask) }
}
