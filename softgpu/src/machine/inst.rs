//! The dense form of an instruction.

use crate::machine::cx::Cx;

/// Executes one instruction for the lanes of a mask, which is never empty.
pub type Handler = unsafe fn(&mut Cx, &Inst, u32);

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
