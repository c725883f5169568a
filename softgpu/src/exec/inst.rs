//! The dense form of an instruction.

use super::cx::Cx;
use super::row::{Avx2, Avx512, Isa, Plain, host_level};

/// Executes one instruction for the lanes of a mask, which is never empty.
pub type Handler = unsafe fn(&mut Cx, &Inst, u32);

/// No row, no label, no table entry.
pub const NONE: u32 = u32::MAX;

/// The list of rows that an instruction's `aux` names.
pub fn table(cx: &Cx, inst: &Inst) -> &'static [u32] {
    // the program outlives every launch of it
    unsafe { &(&(*cx.launch).program.tables)[inst.aux as usize] }
}

/// What an instruction does to the flow of a warp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flow {
    /// Goes on to the next instruction.
    Straight,
    /// Lanes that diverged meet here.
    Reconverge,
    Branch,
    /// Indexed branch; targets in a table.
    BranchTable,
    Call,
    CallIndirect,
    /// A function of the driver, such as `vprintf`.
    CallBuiltin,
    Return,
    Exit,
    /// `bar` in its forms.
    Barrier,
    /// Needs its members together (`shfl.sync`, `vote.sync`, ...), then runs like a straight one.
    WarpSync,
    Trap,
    /// Lets another warp run.
    Yield,
}

/// An instruction, one cache line. Rows are numbers of rows of the current frame.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Inst {
    pub run: Handler,
    /// Offset of an address, a constant, whatever the handler wants.
    pub imm: i64,
    pub d: u32,
    pub a: u32,
    pub b: u32,
    pub c: u32,
    pub e: u32,
    /// Target, table index, or whatever the handler wants.
    pub aux: u32,
    /// Exclusive-or for the guard's predicate.
    pub negate: u32,
    /// Number in the function.
    pub id: u32,
    /// Predicate that guards it; 0 is always true.
    pub guard: u16,
    pub p: u16,
    pub q: u16,
    pub flow: Flow,
    pub flags: u8,
    /// How many instructions from here on are straight and unguarded, this one included.
    pub streak: u32,
}

/// An operation that can be compiled for every kind of host.
pub trait Op {
    /// Executes it for the lanes of `mask`.
    ///
    /// # Safety
    /// The instruction's rows and predicates belong to the current frame.
    unsafe fn exec<I: Isa>(cx: &mut Cx, inst: &Inst, mask: u32);
}

/// The handler of an operation for this host.
pub fn handler<O: Op>() -> Handler {
    match host_level() {
        #[cfg(target_arch = "x86_64")]
        3 => on_avx512::<O>,
        #[cfg(target_arch = "x86_64")]
        2 => on_avx2::<O>,
        _ => on_plain::<O>,
    }
}

/// The handler of an operation that gains nothing from vectors.
pub fn plain_handler<O: Op>() -> Handler {
    on_plain::<O>
}

unsafe fn on_plain<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    unsafe { O::exec::<Plain>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx2<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    unsafe { O::exec::<Avx2>(cx, inst, mask) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx2,fma,bmi1,bmi2,lzcnt,popcnt,f16c")]
unsafe fn on_avx512<O: Op>(cx: &mut Cx, inst: &Inst, mask: u32) {
    unsafe { O::exec::<Avx512>(cx, inst, mask) }
}
