//! How an instruction is written.
//!
//! 1. Its data is one `Copy` struct of operands and plain values: `struct Sum { d: Dst<u32>, a: Src<u32>, sat: bool }`;
//!    `operands!(Sum { d, a, sat });` names all its fields. Operands: [`Src`], [`Dst`] (rows of `u32` or `u64`),
//!    `AnySrc`, `AnyDst` (either width), [`Pred`], [`PredDst`]; `Option` and arrays of them take no more room. Data of
//!    any size will do; up to 40 bytes lie in the instruction.
//! 2. What it does is an [`Op`] whose `Data` is that struct: `cx.read(data.a)`, `cx.write(data.d, &lanes, mask)`,
//!    `cx.predicate(p)`, `cx.set_predicate(p, bits, mask)`. `VECTORS = false` where vectors gain nothing;
//!    `APART = true` where a result is written before the last operand is read (also across rounds): they never share
//!    a row then.
//! 3. The row of its form makes the operands, by `c.registers(x)?` or one by one (`c.src(o, ty)?.read()?`,
//!    `c.dst(o, ty)?.write()?`, `c.pred_src(o)?`, `c.word(0).read()?`), and appends it by
//!    `c.straight::<TheOp>(class, data)`, or by `c.together::<TheOp>(class, members, data)` for what the lanes of a
//!    member mask execute together. Rows, liveness and lookups follow from the data alone.

use crate::machine::cx::Cx;
use crate::machine::inst::{Handler, Head, Inst};
use crate::machine::operand::{AnyDst, AnySrc, Dst, Operands, Pred, PredDst, Slot, Src, Width};
use crate::machine::program::Large;
use crate::machine::row::{Avx2, Avx512, Isa, Lane, Plain, mask_of};
use std::ops::{Deref, DerefMut};

/// A warp that executes an instruction on a host of a kind: the machine's context, and the registers of the frame.
pub struct Frame<'a, 'l, I> {
    cx: &'a mut Cx<'l>,
    inst: &'a Inst,
    host: I,
}

impl<'a, 'l, I: Isa> Frame<'a, 'l, I> {
    /// # Safety
    /// The context stands in a frame of the function that the instruction belongs to.
    #[inline(always)]
    pub unsafe fn new(cx: &'a mut Cx<'l>, inst: &'a Inst, host: I) -> Frame<'a, 'l, I> {
        Frame { cx, inst, host }
    }

    /// The instruction, for messages and checks.
    #[inline(always)]
    pub fn inst(&self) -> &'a Inst {
        self.inst
    }

    /// The kind of host.
    #[inline(always)]
    pub fn host(&self) -> I {
        self.host
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

    /// The lanes of a register of either width, zeros above 32 bits.
    pub fn bits(&self, row: AnySrc) -> [u64; 32] {
        match row.width() {
            Width::Single(row) => self.read(row).map(u64::from),
            Width::Double(row) => *self.read(row),
        }
    }

    /// Writes the lanes of a mask of a register of either width.
    pub fn write_bits(&mut self, row: AnyDst, lanes: &[u64; 32], mask: u32) {
        match row.width() {
            Width::Single(row) => self.write(row, &lanes.map(|v| v as u32), mask),
            Width::Double(row) => self.write(row, lanes, mask),
        }
    }

    /// The lanes that are not zero.
    #[inline(always)]
    pub fn mask_of(&self, lanes: &[u32; 32]) -> u32 {
        mask_of(self.host, lanes)
    }

    /// The lanes for which a predicate holds.
    #[inline(always)]
    pub fn predicate(&self, p: Pred) -> u32 {
        // SAFETY: an instruction's predicates belong to its function.
        unsafe { self.cx.pred(p) }
    }

    /// Writes the lanes of a mask of a predicate.
    #[inline(always)]
    pub fn set_predicate(&mut self, p: PredDst, value: u32, mask: u32) {
        // SAFETY: as for `predicate`.
        unsafe { self.cx.put_pred(p, value, mask) }
    }
}

impl<'l, I> Deref for Frame<'_, 'l, I> {
    type Target = Cx<'l>;

    #[inline(always)]
    fn deref(&self) -> &Cx<'l> {
        self.cx
    }
}

impl<'l, I> DerefMut for Frame<'_, 'l, I> {
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
    fn exec<I: Isa>(cx: &mut Frame<I>, data: &Self::Data, mask: u32);
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
pub fn draft<O: Op>(data: O::Data) -> Box<dyn Draft> {
    Box::new(Of::<O>(data))
}

struct Of<O: Op>(O::Data);

impl<O: Op> Draft for Of<O> {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        self.0.visit(f);
    }

    fn apart(&self) -> bool {
        O::APART
    }

    unsafe fn instruction(&self, head: Head, large: &mut Vec<Large>) -> Inst {
        let run: Handler = match if O::VECTORS { crate::host::level() } else { 0 } {
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

/// Executes an instruction on a host of kind `I`.
///
/// # Safety
/// The host is one, the instruction was made of a draft of `O`, and the context stands in a frame of its function.
#[inline(always)]
unsafe fn execute<O: Op, I: Isa>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: as the caller says.
    let (mut frame, data) = unsafe { (Frame::new(cx, inst, I::assume()), inst.data::<O::Data>()) };
    O::exec(&mut frame, data, mask);
}

unsafe fn on_plain<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: only instructions made of a draft of `O` hold this function.
    unsafe { execute::<O, Plain>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx2<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: as above, and it is chosen for such hosts.
    unsafe { execute::<O, Avx2>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx512<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    // SAFETY: as above.
    unsafe { execute::<O, Avx512>(cx, inst, mask) }
}
