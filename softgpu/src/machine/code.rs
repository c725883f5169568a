//! The instructions of a module.

use crate::machine::inst::Inst;
use std::ops::Deref;

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
