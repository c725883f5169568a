//! The operands of an instruction: rows and predicates of a function's frame.
//!
//! The decoder makes them of virtual registers ([`Register`]); `load::finish` then gives every register a row. An
//! instruction's data is a struct of such operands and plain values, which lists its operands by [`Operands`].

use crate::machine::row::Lane;
use std::marker::PhantomData;
use std::num::{NonZeroU16, NonZeroU32};

/// Marks the number of a constant.
pub const CONSTANT: u32 = 1 << 30;
const WIDE: u32 = 1 << 31;
const NEGATED: u16 = 1 << 15;

/// A virtual register or a constant of a function that is being decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    number: u32,
    wide: bool,
}

impl Register {
    /// A register by its number, or a constant by its number with [`CONSTANT`]; `wide` when lanes have 64 bits.
    ///
    /// # Safety
    /// The operands made of it go into instructions of the function that is being decoded, nowhere else.
    pub unsafe fn new(number: u32, wide: bool) -> Register {
        Register { number, wide }
    }

    /// Whether a lane has 64 bits.
    pub fn wide(self) -> bool {
        self.wide
    }

    /// As an operand that is read; an error when its width is not that of `T`.
    pub fn read<T: Lane>(self) -> Result<Src<T>, WrongWidth> {
        if self.wide == (T::ROWS == 2) { Ok(Src(stored(self.number), PhantomData)) } else { Err(WrongWidth) }
    }

    /// As an operand that is written; an error as for [`read`](Register::read).
    pub fn write<T: Lane>(self) -> Result<Dst<T>, WrongWidth> {
        if self.wide == (T::ROWS == 2) { Ok(Dst(stored(self.number), PhantomData)) } else { Err(WrongWidth) }
    }

    /// As an operand of either width that is read.
    pub fn read_any(self) -> AnySrc {
        AnySrc(stored(self.number) | (u32::from(self.wide) * WIDE))
    }

    /// As an operand of either width that is written.
    pub fn write_any(self) -> AnyDst {
        AnyDst(stored(self.number) | (u32::from(self.wide) * WIDE))
    }
}

/// An operand has another width than its instruction takes.
#[derive(Clone, Copy, Debug)]
pub struct WrongWidth;

/// Numbers are kept plus one, so that optional operands take no more room.
fn stored(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number)
}

/// A row that is read: 32 lanes of `T`.
#[derive(Debug)]
pub struct Src<T>(NonZeroU32, PhantomData<T>);

/// A row that is written.
#[derive(Debug)]
pub struct Dst<T>(NonZeroU32, PhantomData<T>);

/// A row of 32-bit or 64-bit lanes that is read.
#[derive(Clone, Copy, Debug)]
pub struct AnySrc(NonZeroU32);

/// A row of 32-bit or 64-bit lanes that is written.
#[derive(Clone, Copy, Debug)]
pub struct AnyDst(NonZeroU32);

impl<T> Clone for Src<T> {
    fn clone(&self) -> Src<T> {
        *self
    }
}
impl<T> Copy for Src<T> {}
impl<T> Clone for Dst<T> {
    fn clone(&self) -> Dst<T> {
        *self
    }
}
impl<T> Copy for Dst<T> {}

impl<T: Lane> Src<T> {
    /// The number of the row in its frame.
    #[inline(always)]
    pub fn row(self) -> u32 {
        self.0.get() - 1
    }
}

impl<T: Lane> Dst<T> {
    /// The number of the row in its frame.
    #[inline(always)]
    pub fn row(self) -> u32 {
        self.0.get() - 1
    }
}

/// An operand of either width, as what it is.
pub enum Width<S, D> {
    Single(S),
    Double(D),
}

impl AnySrc {
    /// As the operand of its width.
    #[inline(always)]
    pub fn width(self) -> Width<Src<u32>, Src<u64>> {
        match NonZeroU32::new(self.0.get() & !WIDE) {
            Some(number) if self.0.get() & WIDE != 0 => Width::Double(Src(number, PhantomData)),
            _ => Width::Single(Src(self.0, PhantomData)),
        }
    }
}

impl AnyDst {
    /// As the operand of its width.
    #[inline(always)]
    pub fn width(self) -> Width<Dst<u32>, Dst<u64>> {
        match NonZeroU32::new(self.0.get() & !WIDE) {
            Some(number) if self.0.get() & WIDE != 0 => Width::Double(Dst(number, PhantomData)),
            _ => Width::Single(Dst(self.0, PhantomData)),
        }
    }
}

/// A predicate that is read, as it is or negated; by default the one that is always true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pred(u16);

/// A predicate that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredDst(NonZeroU16);

impl Pred {
    /// The predicate that is always true.
    pub const TRUE: Pred = Pred(0);
    /// Predicates have lower numbers.
    pub const MOST: u16 = NEGATED;

    /// Where it lies in the frame.
    #[inline(always)]
    pub fn slot(self) -> u16 {
        self.0 & !NEGATED
    }

    /// All ones when it is negated.
    #[inline(always)]
    pub fn inversion(self) -> u32 {
        0u32.wrapping_sub(u32::from(self.0 >> 15))
    }

    /// The opposite.
    pub fn not(self) -> Pred {
        Pred(self.0 ^ NEGATED)
    }
}

impl PredDst {
    /// The carry flag of `add.cc` and its kin.
    pub const CARRY: PredDst = PredDst(NonZeroU16::MIN);
    /// Where results go that nobody wants.
    pub const JUNK: PredDst = PredDst(NonZeroU16::MIN.saturating_add(1));
    /// The first one that a program names.
    pub const FIRST: u16 = 3;

    /// The predicate register of the function's so many-th.
    ///
    /// # Safety
    /// As for [`Register::new`].
    pub unsafe fn new(number: u16) -> PredDst {
        PredDst(NonZeroU16::MIN.saturating_add(PredDst::FIRST - 1 + number))
    }

    /// Where it lies in the frame.
    #[inline(always)]
    pub fn slot(self) -> u16 {
        self.0.get()
    }

    /// As an operand that is read.
    pub fn read(self) -> Pred {
        Pred(self.0.get())
    }
}

/// A row operand as the allotment of rows sees it.
pub struct Slot<'a> {
    number: &'a mut NonZeroU32,
    mark: u32,
    /// Lanes have 64 bits.
    pub wide: bool,
    /// It is written, not read.
    pub write: bool,
}

impl Slot<'_> {
    /// The number of the virtual register or constant.
    pub fn number(&self) -> u32 {
        (self.number.get() & !self.mark) - 1
    }

    /// Replaces it by a row.
    ///
    /// # Safety
    /// The row is one of the instruction's function, with a second one behind for 64-bit lanes.
    pub unsafe fn set_row(&mut self, row: u32) {
        *self.number = stored(row) | (self.number.get() & self.mark);
    }
}

/// Data that names its operands. Use the macro `operands!` for a struct of your own.
///
/// # Safety
/// `visit` calls the function once for every row operand inside.
pub unsafe trait Operands: Copy + Send + Sync + 'static {
    /// Calls a function for every row operand.
    fn visit(&mut self, _: &mut dyn FnMut(Slot<'_>)) {}
}

// SAFETY: their one row is visited.
unsafe impl<T: Lane> Operands for Src<T> {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        f(Slot { number: &mut self.0, mark: 0, wide: T::ROWS == 2, write: false });
    }
}

// SAFETY: as above.
unsafe impl<T: Lane> Operands for Dst<T> {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        f(Slot { number: &mut self.0, mark: 0, wide: T::ROWS == 2, write: true });
    }
}

// SAFETY: as above.
unsafe impl Operands for AnySrc {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        let wide = self.0.get() & WIDE != 0;
        f(Slot { number: &mut self.0, mark: WIDE, wide, write: false });
    }
}

// SAFETY: as above.
unsafe impl Operands for AnyDst {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        let wide = self.0.get() & WIDE != 0;
        f(Slot { number: &mut self.0, mark: WIDE, wide, write: true });
    }
}

// SAFETY: the operands inside are visited.
unsafe impl<T: Operands> Operands for Option<T> {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        self.iter_mut().for_each(|x| x.visit(f));
    }
}

// SAFETY: as above.
unsafe impl<T: Operands, const N: usize> Operands for [T; N] {
    fn visit(&mut self, f: &mut dyn FnMut(Slot<'_>)) {
        self.iter_mut().for_each(|x| x.visit(f));
    }
}

/// Makes structs [`Operands`] by their fields, or types without row operands.
///
/// `operands!([T: Lane] Sum<T> { d, a, b })` names all fields of a struct (what stands in `[ ]` are its parameters);
/// `operands!(unsafe Rounding, Format)` promises that there is no row operand in the types.
macro_rules! operands {
    (unsafe $($name:ty),*) => {
        // SAFETY: the promise of who writes this.
        $(unsafe impl $crate::machine::operand::Operands for $name {})*
    };
    ([$($parameters:tt)*] $name:ty { $($field:ident),* $(,)? }) => {
        // SAFETY: the pattern names every field, and each visits its operands.
        unsafe impl<$($parameters)*> $crate::machine::operand::Operands for $name {
            fn visit(&mut self, f: &mut dyn FnMut($crate::machine::operand::Slot<'_>)) {
                let Self { $($field),* } = self;
                $($crate::machine::operand::Operands::visit($field, f);)*
            }
        }
    };
    ($name:ty { $($field:ident),* $(,)? }) => {
        operands!([] $name { $($field),* });
    };
}
pub(crate) use operands;

operands!(unsafe (), bool, u8, u16, u32, u64, i64, Pred, PredDst);
