//! The dense form of an instruction.

use crate::machine::control::Control;
use crate::machine::cx::Cx;
use crate::machine::operand::{Operands, Src};
use crate::machine::row::NONE;
use std::any::Any;
use std::mem::MaybeUninit;

/// Executes one instruction for the lanes of a mask, which is never empty.
pub type Handler = unsafe fn(&mut Cx, &Inst, u32);

/// How the engine goes about an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flow {
    /// Calls its handler and goes on to the next one.
    Straight,
    /// Needs its members together (`shfl.sync`, `vote.sync`, ...), then runs like a straight one.
    Together,
    /// Executes it itself: it has a [`Control`] and no handler.
    Control,
}

/// Words of an instruction's data that lie in the instruction itself.
const WORDS: usize = 5;

/// Data too large for an instruction; it lives as long as the program.
pub type Large = Box<dyn Any + Send + Sync>;

/// What the lanes of an instruction need besides its data.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// Number in the program.
    pub id: u32,
    /// The member masks of a `*.sync` instruction.
    pub members: Option<Src<u32>>,
    /// How it orders memory accesses: `STRONG`, `ACQUIRE`, `RELEASE` of [`access`](crate::machine::access).
    pub order: u8,
}

/// An instruction, one cache line. Rows are numbers of rows of the current frame.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Inst {
    pub run: Handler,
    pub data: [MaybeUninit<u64>; WORDS],
    pub members: Option<Src<u32>>,
    /// See [`Head::order`].
    pub order: u8,
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

impl Inst {
    /// An instruction of a handler and the data that it reads; large data goes to `large`.
    ///
    /// # Safety
    /// The handler reads the data as a `D`, and `large` outlives the instruction.
    pub unsafe fn new<D: Operands>(run: Handler, data: D, head: Head, large: &mut Vec<Large>) -> Inst {
        let flow = if head.members.is_some() { Flow::Together } else { Flow::Straight };
        let mut inst = Inst { members: head.members, id: head.id, order: head.order, ..Inst::old(run, flow) };
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
    pub unsafe fn of_control(control: Control, id: u32) -> Inst {
        const { assert!(size_of::<Control>() <= 8 * WORDS) };
        // SAFETY: nothing of this size goes to the list, and no handler reads the data.
        let inst = unsafe { Inst::new(no_handler, control, Head { id, ..Head::default() }, &mut Vec::new()) };
        Inst { flow: Flow::Control, ..inst }
    }

    /// What it does to the flow of control, if it is of that kind.
    #[inline(always)]
    pub fn control(&self) -> Option<&Control> {
        // SAFETY: only `of_control` makes instructions of this flow.
        (self.flow == Flow::Control).then(|| unsafe { self.data() })
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

    pub fn old(run: Handler, flow: Flow) -> Inst {
        Inst {
            run,
            data: [MaybeUninit::uninit(); WORDS],
            members: None,
            order: 0,
            imm: 0,
            d: NONE,
            a: NONE,
            b: NONE,
            c: NONE,
            e: NONE,
            aux: 0,
            negate: 0,
            id: 0,
            guard: 0,
            p: 0,
            q: 0,
            flow,
            flags: 0,
            streak: 0,
        }
    }
}

/// A handler that is never called.
unsafe fn no_handler(_: &mut Cx, _: &Inst, _: u32) {}
