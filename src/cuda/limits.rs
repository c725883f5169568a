//! What the kernels' 32-bit indices reach (`kernels/common.cuh`): an operation beyond it is refused before its launch.

use crate::device::DType;
use crate::error::{Error, Result};
use crate::ops::description::Operand;
use crate::ops::layer::{LayerPass, LayerShape};
use crate::ops::operation::{Kind, Operation};

/// Elements that an operand has fewer of. A kernel's numbers run past the end by less than a tile, a block's threads or
/// a grid's stride, 2^22 at most, and must not pass 2^31 there.
pub const LIMIT: usize = (1 << 31) - (1 << 22);
/// Rows and columns of the largest tile.
const TILE: usize = 128;

/// An error if a kernel's indices do not reach all of an operation.
pub fn check(operation: &Operation) -> Result<()> {
    let name = operation.to_string();
    operands(&name, operation.operands().map(|(operand, _)| operand))?;
    if let Kind::Layer(LayerPass { shape: LayerShape::Conv(s), .. }) = operation.kind() {
        let channels = s.c.max(s.k);
        // Offsets from a pixel to those that a tap sees, and of weights beyond the last channel, which are computed for
        // the last tile and not read.
        let weights = s.kernel * s.kernel * s.c.next_multiple_of(TILE) * s.k.next_multiple_of(TILE);
        fits(&name, "w, with channels that fill the tiles,", weights)?;
        fits(&name, "the rows of an image that a kernel spans", (s.kernel + 1) * (s.w + 1) * channels)?;
    }
    Ok(())
}

/// An error if one of the operands has too many elements. Bytes are counted in 64 bits, or are as many as the numbers
/// that they belong to.
pub fn operands(operation: &str, operands: impl Iterator<Item = Operand>) -> Result<()> {
    operands.filter(|o| o.dtype != DType::U8).try_for_each(|o| fits(operation, o.name, o.len))
}

fn fits(operation: &str, what: &str, elements: usize) -> Result<()> {
    if elements < LIMIT {
        return Ok(());
    }
    Err(Error::Device(format!(
        "{operation}: {what} has {elements} elements, and the kernels count below {LIMIT}; use a smaller --batch, images \
         or model"
    )))
}
