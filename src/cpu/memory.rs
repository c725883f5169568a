//! The CPU backend's memory: buffers named by number, lent to one operation at a time as slices.

use super::buffer::Buffer;
use crate::device::{Buffers, DType, Owner, View};
use crate::error::{Error, Result};
use crate::ops::description::{OPERANDS, Operand, check, check_bytes};
use crate::ops::operation::Operation;
use bytemuck::Pod;

/// All buffers of a device.
#[derive(Default)]
pub struct Memory {
    buffers: Buffers<Buffer>,
}

/// An operand's memory for the time of one operation. Taken once, as the type that the operand's description gives it.
pub enum Slice<'a> {
    Read(&'a [u8]),
    Write(&'a mut [u8]),
}

impl<'a> Slice<'a> {
    /// The elements; none of an operand that the operation does not have.
    pub fn read<T: Pod>(self) -> &'a [T] {
        match self {
            Slice::Read([]) => &[],
            Slice::Read(bytes) => bytemuck::cast_slice(bytes),
            Slice::Write(bytes) => bytemuck::cast_slice(bytes),
        }
    }

    /// The elements, to be changed.
    ///
    /// # Panics
    /// If the operation's description has the operand read only.
    pub fn write<T: Pod>(self) -> &'a mut [T] {
        match self {
            Slice::Read(_) => panic!("an operand that is only read"),
            Slice::Write(bytes) => bytemuck::cast_slice_mut(bytes),
        }
    }
}

impl Memory {
    /// New zeroed memory for an owner; that of owners who are gone is freed before.
    pub fn alloc(&mut self, owner: &Owner, dtype: DType, len: usize) -> Result<View> {
        self.buffers.sweep();
        let too_large = || {
            Error::Device(format!(
                "out of memory: {len} elements of {dtype:?} cannot be allocated; use a smaller --batch or model"
            ))
        };
        let bytes = len.max(1).checked_mul(dtype.size()).ok_or_else(too_large)?;
        let buffer = self.buffers.add(owner, Buffer::zeroed(bytes).ok_or_else(too_large)?);
        Ok(View { buffer, dtype, offset: 0, len })
    }

    /// Where a view's bytes begin; all of them lie inside its buffer.
    fn address(&self, v: View) -> Result<*mut u8> {
        let missing = || Error::Device(format!("no memory behind {v:?}"));
        let buffer = self.buffers.get(v.buffer).ok_or_else(missing)?;
        if v.bytes().end > buffer.len() {
            return Err(missing());
        }
        // SAFETY: inside the allocation.
        Ok(unsafe { buffer.address().add(v.bytes().start) })
    }

    /// Copies host bytes into a view.
    pub fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        check_bytes("upload", dst, src.len())?;
        self.bytes_mut(dst)?.copy_from_slice(src);
        Ok(())
    }

    /// Copies a view to host bytes.
    pub fn download(&self, src: View, dst: &mut [u8]) -> Result<()> {
        check_bytes("download", src, dst.len())?;
        let from = self.address(src)?;
        // SAFETY: inside an allocation, which is initialised and borrowed.
        dst.copy_from_slice(unsafe { std::slice::from_raw_parts(from, dst.len()) });
        Ok(())
    }

    /// Sets every byte of a view to zero.
    pub fn zero(&mut self, dst: View) -> Result<()> {
        self.bytes_mut(dst)?.fill(0);
        Ok(())
    }

    /// Copies between two views of one type and length.
    pub fn copy(&mut self, src: View, dst: View) -> Result<()> {
        let operands = [Operand::read("source", src.dtype, src.len), Operand::write("destination", src.dtype, src.len)];
        check("copy", &operands, &[src, dst])?;
        let from = self.address(src)?;
        // SAFETY: inside an allocation, which is initialised; it was checked not to overlap the destination, and
        // nothing else is written before the copy ends.
        let from = unsafe { std::slice::from_raw_parts(from, src.bytes().len()) };
        self.bytes_mut(dst)?.copy_from_slice(from);
        Ok(())
    }

    /// A view's bytes for writing.
    fn bytes_mut(&mut self, v: View) -> Result<&mut [u8]> {
        let at = self.address(v)?;
        // SAFETY: inside an allocation, which is initialised and borrowed.
        Ok(unsafe { std::slice::from_raw_parts_mut(at, v.bytes().len()) })
    }

    /// The memory of an operation's operands, in their order; empty slices for those it does not have.
    ///
    /// # Errors
    /// A view that no memory of this device is behind.
    pub fn slices(&mut self, operation: &Operation) -> Result<[Slice<'_>; OPERANDS]> {
        let mut slices = [const { Slice::Read(&[]) }; OPERANDS];
        for (slice, (operand, view)) in slices.iter_mut().zip(operation.operands()) {
            let (at, len) = (self.address(view)?, view.bytes().len());
            // SAFETY: inside an allocation, which is initialised and borrowed as long as the slices live. What is
            // written overlaps no other operand: an `Operation` cannot be made otherwise.
            *slice = unsafe {
                match operand.is_written() {
                    true => Slice::Write(std::slice::from_raw_parts_mut(at, len)),
                    false => Slice::Read(std::slice::from_raw_parts(at, len)),
                }
            };
        }
        Ok(slices)
    }
}
