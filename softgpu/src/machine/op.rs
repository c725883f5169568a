//! How an instruction is written.
//!
//! 1. Its data is one `Copy` struct of operands and plain values: `struct Sum { d: Dst<u32>, a: Src<u32>, sat: bool }`;
//!    `operands!(Sum { d, a, sat });` names all its fields. Operands: [`Src`], [`Dst`] (rows of `u32` or `u64`),
//!    `AnySrc`, `AnyDst` (either width), [`Pred`], [`PredDst`]; `Option` and arrays of them take no more room. Data of
//!    any size will do; up to 40 bytes lie in the instruction.
//! 2. What it does is an [`Op`] whose `Data` is that struct: `cx.read(data.a)`, `cx.write(data.d, &lanes, mask)`,
//!    `cx.predicate(p)`, `cx.set_predicate(p, bits, mask)`. `VECTORS = false` where vectors gain nothing; `APART =
//!    true`
//!    where a result is written before the last operand is read (also across rounds): they never share a row then.
//! 3. Its decoder makes the operands by `self.src(&o, ty)?.read()?`, `self.dst(&o, ty)?.write()?`,
//!    `self.pred_src(&o)?`, `self.word(0).read()?` and so on, and appends it by `self.straight::<TheOp>(class, data)`,
//!    or by `self.together::<TheOp>(class, members, data)` for what the lanes of a member mask execute together. Rows,
//!    liveness and lookups follow from the data alone.

use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Head, Inst, Large};
use crate::machine::operand::{Dst, Operands, Pred, PredDst, Slot, Src};
use crate::machine::row::{Avx2, Avx512, Isa, Lane, Plain, host_level, mask_of};
use std::ops::{Deref, DerefMut};

/// A warp that executes an instruction: the machine's context, and the registers of the frame.
pub struct Frame<'a, 'l> {
    cx: &'a mut Cx<'l>,
    inst: &'a Inst,
}

impl<'a, 'l> Frame<'a, 'l> {
    /// # Safety
    /// The context stands in a frame of the function that the instruction belongs to.
    #[inline(always)]
    pub unsafe fn new(cx: &'a mut Cx<'l>, inst: &'a Inst) -> Frame<'a, 'l> {
        Frame { cx, inst }
    }

    /// The instruction, for messages and checks.
    #[inline(always)]
    pub fn inst(&self) -> &'a Inst {
        self.inst
    }

    /// The lanes of a register.
    #[inline(always)]
    pub fn read<T: Lane>(&self, row: Src<T>) -> &[T; 32] {
        // SAFETY: an instruction's operands are rows of its function, which this frame belongs to.
        unsafe { self.cx.row(row.row()) }
    }

    /// Writes the lanes of a mask.
    #[inline(always)]
    pub fn write<T: Lane>(&mut self, row: Dst<T>, lanes: &[T; 32], mask: u32) {
        // SAFETY: as for `read`.
        unsafe { self.cx.put(row.row(), lanes, mask) }
    }

    /// The lanes that are not zero, as an operation executed as `I` finds them.
    #[inline(always)]
    pub fn mask_of<I: Isa>(&self, lanes: &[u32; 32]) -> u32 {
        // SAFETY: operations are executed as what the host has.
        unsafe { mask_of::<I>(lanes) }
    }

    /// The lanes for which a predicate holds.
    #[inline(always)]
    pub fn predicate(&self, p: Pred) -> u32 {
        // SAFETY: an instruction's predicates belong to its function.
        unsafe { self.cx.pred(p.slot()) ^ p.inversion() }
    }

    /// Writes the lanes of a mask of a predicate.
    #[inline(always)]
    pub fn set_predicate(&mut self, p: PredDst, value: u32, mask: u32) {
        // SAFETY: as for `predicate`.
        unsafe { self.cx.put_pred(p.slot(), value, mask) }
    }
}

impl<'l> Deref for Frame<'_, 'l> {
    type Target = Cx<'l>;

    #[inline(always)]
    fn deref(&self) -> &Cx<'l> {
        self.cx
    }
}

impl<'l> DerefMut for Frame<'_, 'l> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Cx<'l> {
        self.cx
    }
}

/// What an instruction does, compiled for every kind of host.
pub trait Op: 'static {
    /// What the decoder knows of the instruction.
    type Data: Operands;
    /// Vectors make it faster; else it is compiled for the plain target alone.
    const VECTORS: bool = true;
    /// Results must not share a row with operands.
    const APART: bool = false;
    /// Executes it for the lanes of `mask`, which is never empty.
    fn exec<I: Isa>(cx: &mut Frame, data: &Self::Data, mask: u32);
}

/// An instruction whose operands are virtual registers.
pub trait Draft {
    /// Calls a function for every operand.
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>));
    /// See [`Op::APART`].
    fn apart(&self) -> bool;
    /// The instruction.
    ///
    /// # Safety
    /// All operands have become rows of the instruction's function, and `large` outlives the instruction.
    unsafe fn instruction(&self, head: Head, large: &mut Vec<Large>) -> Inst;
}

/// The draft of an operation.
pub struct Of<O: Op>(pub O::Data);

impl<O: Op> Draft for Of<O> {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        self.0.visit(f);
    }

    fn apart(&self) -> bool {
        O::APART
    }

    unsafe fn instruction(&self, head: Head, large: &mut Vec<Large>) -> Inst {
        let run: Handler = match if O::VECTORS { host_level() } else { 0 } {
            #[cfg(target_arch = "x86_64")]
            3 => on_avx512::<O>,
            #[cfg(target_arch = "x86_64")]
            2 => on_avx2::<O>,
            _ => on_plain::<O>,
        };
        // SAFETY: each of these functions reads the data as `O::Data`; the caller keeps `large`.
        unsafe { Inst::new(run, self.0, head, large) }
    }
}

/// Executes an instruction on whatever host.
///
/// # Safety
/// The instruction was made of a draft of `O`, and the context stands in a frame of its function.
#[inline(always)]
unsafe fn execute<O: Op, I: Isa>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: as the caller says.
    let (mut frame, data) = unsafe { (Frame::new(cx, inst), inst.data::<O::Data>()) };
    O::exec::<I>(&mut frame, data, mask);
}

unsafe fn on_plain<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: only instructions made of a draft of `O` hold this function.
    unsafe { execute::<O, Plain>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx2<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: as above.
    unsafe { execute::<O, Avx2>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx512<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: as above.
    unsafe { execute::<O, Avx512>(cx, inst, mask) }
}
