//! The dense form of instructions, and the code made of them.

use crate::machine::access::Order;
use crate::machine::control::Control;
use crate::machine::cx::Cx;
use crate::machine::operand::{Operands, Pred, Src};
use crate::machine::program::Large;
use std::mem::MaybeUninit;
use std::ops::Deref;

/// Executes one instruction for the lanes of a mask, which is never empty.
pub type Handler = unsafe fn(&mut Cx, &Inst, u32);

/// How the engine goes about an instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// Calls its handler and goes on to the next one.
    #[default]
    Straight,
    /// Needs its members together (`shfl.sync`, `vote.sync`, ...), then runs like a straight one.
    Together,
    /// Executes it itself: it has a [`Control`] and no handler.
    Control,
}

/// Words of an instruction's data that lie in the instruction itself.
const WORDS: usize = 5;

/// What the lanes of an instruction need besides its data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// Number in the program.
    pub id: u32,
    /// The member masks of a `*.sync` instruction.
    pub members: Option<Src<u32>>,
    /// Predicate that guards it.
    pub guard: Pred,
    /// How it orders memory accesses.
    pub order: Order,
    pub flow: Flow,
}

/// An instruction, one cache line.
#[repr(C, align(64))]
pub struct Inst {
    run: Handler,
    data: [MaybeUninit<u64>; WORDS],
    pub head: Head,
    /// How many instructions from here on are straight and unguarded, this one included.
    pub streak: u32,
}

const _: () = assert!(size_of::<Inst>() == 64);

impl Inst {
    /// An instruction of a handler and the data that it reads; large data goes to `large`. The head's flow is found
    /// out.
    ///
    /// # Safety
    /// The handler reads the data as a `D`, and `large` outlives the instruction.
    pub unsafe fn new<D: Operands>(run: Handler, data: D, head: Head, large: &mut Vec<Large>) -> Inst {
        let flow = if head.members.is_some() { Flow::Together } else { Flow::Straight };
        let mut inst = Inst { run, data: [MaybeUninit::uninit(); WORDS], head: Head { flow, ..head }, streak: 0 };
        const { assert!(align_of::<D>() <= align_of::<u64>()) };
        let place = inst.data.as_mut_ptr();
        if size_of::<D>() <= size_of_val(&inst.data) {
            // SAFETY: it fits, and the alignment was checked.
            unsafe { place.cast::<D>().write(data) };
        } else {
            let kept = Box::new(data);
            // SAFETY: a pointer fits. The box is kept, and what it holds does not move.
            unsafe { place.cast::<*const D>().write(&raw const *kept) };
            large.push(kept);
        }
        inst
    }

    /// An instruction of the flow of control.
    ///
    /// # Safety
    /// Its rows, predicates, targets, tables and calls are those of its function.
    pub unsafe fn of_control(control: Control, head: Head) -> Inst {
        const { assert!(size_of::<Control>() <= 8 * WORDS) };
        // SAFETY: nothing of this size goes to the list, and no handler reads the data.
        let mut inst = unsafe { Inst::new(no_handler, control, head, &mut Vec::new()) };
        inst.head.flow = Flow::Control;
        inst
    }

    /// Executes it for the lanes of a mask, which is not empty.
    ///
    /// # Safety
    /// The context stands in a frame of the function that the instruction belongs to.
    #[inline(always)]
    pub unsafe fn execute(&self, cx: &mut Cx, mask: u32) {
        // SAFETY: the caller's promise is what handlers ask for.
        unsafe { (self.run)(cx, self, mask) }
    }

    /// What it does to the flow of control, if it is of that kind.
    #[inline(always)]
    pub fn control(&self) -> Option<&Control> {
        // SAFETY: only `of_control` makes instructions of this flow.
        (self.head.flow == Flow::Control).then(|| unsafe { self.data() })
    }

    /// The data.
    ///
    /// # Safety
    /// It was made of a `D`.
    #[inline(always)]
    pub unsafe fn data<D: Operands>(&self) -> &D {
        let place = self.data.as_ptr();
        if size_of::<D>() <= size_of_val(&self.data) {
            // SAFETY: `new` has written a `D` here.
            unsafe { &*place.cast::<D>() }
        } else {
            // SAFETY: `new` has written the place of a `D` that is kept.
            unsafe { &**place.cast::<*const D>() }
        }
    }
}

/// A handler that is never called.
unsafe fn no_handler(_: &mut Cx, _: &Inst, _: u32) {}

/// Instructions that may be executed: what they name exists.
pub struct Code(Vec<Inst>);

impl Code {
    /// Instructions as code.
    ///
    /// # Safety
    /// The rows, predicates, tables and calls that an instruction names belong to its function in the
    /// [`Program`](crate::machine::program::Program) that goes with the code, and have the widths that its handler
    /// takes them for.
    pub unsafe fn new(instructions: Vec<Inst>) -> Code {
        Code(instructions)
    }
}

impl Deref for Code {
    type Target = [Inst];

    fn deref(&self) -> &[Inst] {
        &self.0
    }
}
