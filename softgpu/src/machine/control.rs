//! Instructions that decide where lanes go on; the engine executes them itself.

use crate::machine::operand::{Dst, Operands, Pred, PredDst, Slot, Src, operands};

/// What an instruction does to the flow of a warp.
#[derive(Clone, Copy, Debug)]
pub enum Control {
    /// Lanes that diverged meet here.
    Reconverge,
    Branch(Branch),
    /// `brx.idx`.
    Table(Table),
    Call(Call),
    Return,
    Exit,
    /// `bar` in its forms.
    Barrier(BlockBarrier),
    /// `trap`.
    Trap,
    /// `brkpt`: what NVIDIA's debugger API calls a hard-coded trap; nobody is there to go on from it.
    Breakpoint,
    /// Lets another warp run.
    Yield,
}

/// A direct branch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Branch {
    pub target: u32,
    /// Where lanes that go different ways meet again.
    pub meet: Option<u32>,
}

/// A branch to one of a list of targets.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub index: Src<u32>,
    /// The list of targets in the program.
    pub targets: u32,
    /// As in a [`Branch`].
    pub meet: Option<u32>,
}

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// The place among the program's calls.
    pub site: u32,
    /// The address of the function, where it isn't known before.
    pub target: Option<Src<u64>>,
}

/// A barrier of some or all threads of the block.
#[derive(Clone, Copy, Debug)]
pub struct BlockBarrier {
    pub number: Src<u32>,
    /// How many threads it waits for; all of them where it is missing.
    pub count: Option<Src<u32>>,
    /// Every thread of the warp must execute it together.
    pub aligned: bool,
    pub form: BarrierForm,
}

/// What comes of a barrier.
#[derive(Clone, Copy, Debug)]
pub enum BarrierForm {
    Sync,
    /// The thread doesn't wait.
    Arrive,
    /// How many threads' predicate holds.
    Count(Dst<u32>, Pred),
    /// Whether all threads' predicate holds.
    And(PredDst, Pred),
    /// Whether any thread's predicate holds.
    Or(PredDst, Pred),
}

operands!(unsafe Branch);
operands!(Table { index, targets, meet });
operands!(Call { site, target });
operands!(BlockBarrier { number, count, aligned, form });

// SAFETY: the operands of each kind are visited.
unsafe impl Operands for Control {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        match self {
            Control::Table(table) => table.visit(f),
            Control::Call(call) => call.visit(f),
            Control::Barrier(barrier) => barrier.visit(f),
            Control::Branch(branch) => branch.visit(f),
            Control::Reconverge | Control::Return | Control::Exit => {}
            Control::Trap | Control::Breakpoint | Control::Yield => {}
        }
    }
}

// SAFETY: only a count has a row.
unsafe impl Operands for BarrierForm {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        match self {
            BarrierForm::Count(d, _) => d.visit(f),
            BarrierForm::Sync | BarrierForm::Arrive | BarrierForm::And(..) | BarrierForm::Or(..) => {}
        }
    }
}
