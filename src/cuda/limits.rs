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
    let mut counts: Vec<(&str, usize)> = operation.operands().map(|(o, _)| o).filter_map(counted).collect();
    if let Kind::Layer(LayerPass { shape: LayerShape::Conv(s), .. }) = operation.kind() {
        // Offsets from a pixel to those that a tap sees, and of weights beyond the last channel, which are computed for
        // the last tile and not read.
        let weights = s.kernel * s.kernel * s.c.next_multiple_of(TILE) * s.k.next_multiple_of(TILE);
        counts.push(("w, with channels that fill the tiles,", weights));
        counts.push(("the rows of an image that a kernel spans", (s.kernel + 1) * (s.w + 1) * s.c.max(s.k)));
    }
    fits(&|| operation.to_string(), &counts)
}

/// An error if one of the operands has too many elements.
pub fn operands(operation: &str, operands: &[Operand]) -> Result<()> {
    fits(&|| operation.into(), &operands.iter().copied().filter_map(counted).collect::<Vec<_>>())
}

/// What is counted in 32 bits. Bytes are not, or are as many as the numbers that they belong to.
fn counted(operand: Operand) -> Option<(&'static str, usize)> {
    (operand.dtype != DType::U8).then_some((operand.name, operand.len))
}

fn fits(operation: &dyn Fn() -> String, counts: &[(&str, usize)]) -> Result<()> {
    let Some((what, elements)) = counts.iter().find(|(_, elements)| *elements >= LIMIT) else { return Ok(()) };
    let operation = operation();
    Err(Error::Device(format!(
        "{operation}: {what} has {elements} elements, and the kernels count below {LIMIT}; use a smaller --batch, \
         images or model"
    )))
}
