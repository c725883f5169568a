//! Numbers of float32 as the type that products read: `y = round(x)`, to the nearest, ties to even.
//!
//! Weights are kept in float32 and read in 16 bits where the precision says so. The optimiser writes both in one pass;
//! this operation makes the copy where weights come from elsewhere: at the start of a run, and for their average.

use super::description::{Description, Operand};
use super::view::{DType, Precision};

/// A conversion of `len` numbers to the precision's storage. Views: `x, y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    pub len: usize,
}

impl Cast {
    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let (x, y) = (Operand::read("x", DType::F32, self.len), Operand::write("y", precision.storage(), self.len));
        Description::new("cast", self.len.to_string(), vec![x, y])
    }
}
