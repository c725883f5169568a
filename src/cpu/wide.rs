//! Operations on operands of 16 bits by code for float32: operands are widened before, results rounded after. What is
//! stored is the same as if the operation had read and written 16 bits itself.

use super::buffer::Room;
use super::element::{Element, narrow, widen};
use super::isa::Isa;
use super::memory::Slice;
use crate::device::DType;
use crate::error::Result;
use crate::ops::description::{Access, OPERANDS};
use crate::ops::operation::Operation;

/// Runs `body` on an operation's memory with float32 in the place of its operands of type `T`.
///
/// # Errors
/// Those of `body`.
pub fn run<T: Element>(
    isa: Isa,
    operation: &Operation,
    slices: [Slice; OPERANDS],
    buffer: &mut Room,
    body: impl FnOnce([Slice; OPERANDS]) -> Result<()>,
) -> Result<()> {
    let storage = operation.precision().storage();
    if storage == DType::F32 {
        return body(slices);
    }
    let operands = &operation.description().operands;
    let len = operands.iter().filter(|o| o.dtype == storage).map(|o| o.len).sum();
    let mut rest = buffer.of::<f32>(len);
    let (mut given, mut results) = ([const { Slice::Read(&[]) }; OPERANDS], Vec::new());
    let mut from = 0;
    for ((given, slice), operand) in given.iter_mut().zip(slices).zip(operands) {
        if operand.dtype != storage {
            *given = slice;
            continue;
        }
        let (wide, others) = rest.split_at_mut(operand.len);
        rest = others;
        match slice {
            Slice::Read(bytes) => widen::<T>(isa, bytemuck::cast_slice(bytes), wide),
            Slice::Write(bytes) => {
                let values: &mut [T] = bytemuck::cast_slice_mut(bytes);
                if operand.access == Access::Update {
                    widen(isa, values, wide);
                }
                results.push((values, from));
            }
        }
        *given = Slice::Write(bytemuck::cast_slice_mut(wide));
        from += operand.len;
    }
    body(given)?;
    for (values, from) in results {
        narrow(isa, &buffer.of(len)[from..from + values.len()], values);
    }
    Ok(())
}
