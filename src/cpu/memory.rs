//! The CPU backend's memory: buffers named by number, whose elements are handed out as slices that never overlap.

use crate::device::{DType, Operand, View, expect_bytes, expect_operands};
use crate::error::{Error, Result};
use bytemuck::Pod;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;

/// One allocation. Large ones start on a 2 MiB boundary and ask for huge pages, which the strided walks over weights
/// need: with 4 KiB pages they miss the address-translation cache at every row.
struct Buffer {
    at: *mut u8,
    layout: Layout,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: made by `alloc_zeroed` with this layout.
        unsafe { dealloc(self.at, self.layout) }
    }
}

const HUGE_PAGE: usize = 2 << 20;

/// All buffers of a device.
#[derive(Default)]
pub struct Memory {
    buffers: Vec<Buffer>,
}

// SAFETY: a buffer owns its allocation, and what is inside is reached by `&mut Memory` alone.
unsafe impl Send for Buffer {}

impl Memory {
    /// New zeroed memory.
    pub fn alloc(&mut self, dtype: DType, len: usize) -> Result<View> {
        let too_large = || {
            Error::Device(format!(
                "out of memory: {len} elements of {dtype:?} cannot be allocated; use a smaller --batch or model"
            ))
        };
        let bytes = len.max(1).checked_mul(dtype.size()).ok_or_else(too_large)?;
        let align = if bytes >= HUGE_PAGE { HUGE_PAGE } else { 64 };
        let layout = Layout::from_size_align(bytes, align).map_err(|_| too_large())?;
        // SAFETY: the layout is not empty.
        let at = unsafe { alloc_zeroed(layout) };
        if at.is_null() {
            return Err(too_large());
        }
        #[cfg(target_os = "linux")]
        if bytes >= HUGE_PAGE {
            // SAFETY: advice on memory of this process, all inside one allocation; a refusal changes nothing but speed.
            unsafe { libc::madvise(at.cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        self.buffers.push(Buffer { at, layout });
        Ok(View { buffer: self.buffers.len() - 1, dtype, offset: 0, len })
    }

    /// Copies host bytes into a view.
    pub fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        expect_bytes("upload", dst, src.len())?;
        self.access().bytes_mut(dst)?.copy_from_slice(src);
        Ok(())
    }

    /// Copies a view to host bytes.
    pub fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        expect_bytes("download", src, dst.len())?;
        dst.copy_from_slice(self.access().bytes(src)?);
        Ok(())
    }

    /// Sets every byte of a view to zero.
    pub fn zero(&mut self, dst: View) -> Result<()> {
        self.access().bytes_mut(dst)?.fill(0);
        Ok(())
    }

    /// Copies between two views of one type and length.
    pub fn copy(&mut self, src: View, dst: View) -> Result<()> {
        self.check("copy", &[("source", src, src.dtype, src.len)], &[("destination", dst, src.dtype, src.len)])?;
        let mut access = self.access();
        let from = access.bytes(src)?;
        access.bytes_mut(dst)?.copy_from_slice(from);
        Ok(())
    }

    /// Checks what an operation is about to use: every view has its type and length, and no written view overlaps
    /// another.
    pub fn check(&self, operation: &str, reads: &[Operand], writes: &[Operand]) -> Result<()> {
        expect_operands(operation, reads, writes)?;
        for &(_, view, ..) in reads.iter().chain(writes) {
            self.place(view)?;
        }
        Ok(())
    }

    /// The memory for one operation, whose views are then taken one after another.
    pub fn access(&mut self) -> Access<'_> {
        Access { memory: self, taken: Vec::new() }
    }

    /// The bytes of a view in its buffer.
    fn place(&self, v: View) -> Result<Range<usize>> {
        let bytes = |elements: usize| elements.checked_mul(v.dtype.size());
        let (start, end) = (bytes(v.offset), v.offset.checked_add(v.len).and_then(bytes));
        match (start, end, self.buffers.get(v.buffer)) {
            (Some(start), Some(end), Some(buffer)) if end <= buffer.layout.size() => Ok(start..end),
            _ => Err(Error::Device(format!("no memory behind {v:?}"))),
        }
    }
}

/// A device's memory in the hands of one operation. What it gives out may be used together: nothing that is written is
/// given out twice.
pub struct Access<'a> {
    memory: &'a mut Memory,
    /// The buffer and bytes of each view given out, and whether it is written.
    taken: Vec<(usize, Range<usize>, bool)>,
}

impl<'a> Access<'a> {
    /// A view's elements.
    ///
    /// # Errors
    /// There is no such memory, or it overlaps a view that is written.
    pub fn read<T: Pod>(&mut self, v: View) -> Result<&'a [T]> {
        self.bytes(v).map(bytemuck::cast_slice)
    }

    /// A view's elements for writing.
    ///
    /// # Errors
    /// There is no such memory, or it overlaps a view in use.
    pub fn write<T: Pod>(&mut self, v: View) -> Result<&'a mut [T]> {
        self.bytes_mut(v).map(bytemuck::cast_slice_mut)
    }

    /// A view's bytes.
    fn bytes(&mut self, v: View) -> Result<&'a [u8]> {
        let (at, len) = self.take(v, false)?;
        // SAFETY: inside of an allocation that lives for 'a, initialised when it was made, and `take` saw that no view
        // that is written overlaps it.
        Ok(unsafe { std::slice::from_raw_parts(at, len) })
    }

    /// A view's bytes for writing.
    fn bytes_mut(&mut self, v: View) -> Result<&'a mut [u8]> {
        let (at, len) = self.take(v, true)?;
        // SAFETY: inside of an allocation that lives for 'a, initialised when it was made, and `take` saw that no other
        // view in use overlaps it.
        Ok(unsafe { std::slice::from_raw_parts_mut(at, len) })
    }

    /// Notes a view as given out. The buffers are borrowed for `'a`, so that no other access gives them out.
    fn take(&mut self, v: View, written: bool) -> Result<(*mut u8, usize)> {
        let range = self.memory.place(v)?;
        let apart = |(buffer, other, other_written): &(usize, Range<usize>, bool)| {
            let common = range.start.max(other.start)..range.end.min(other.end);
            let overlap = *buffer == v.buffer && !common.is_empty();
            !overlap || !(written || *other_written)
        };
        if !self.taken.iter().all(apart) {
            return Err(Error::Device(format!("{v:?} overlaps another view of its operation, which it must not")));
        }
        let (at, len) = (self.memory.buffers[v.buffer].at.wrapping_add(range.start), range.len());
        self.taken.push((v.buffer, range, written));
        Ok((at, len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written is given out once, and nothing beyond a buffer.
    #[test]
    fn nothing_written_is_given_out_twice() {
        let mut memory = Memory::default();
        let whole = memory.alloc(DType::F32, 8).unwrap();
        let (left, right) = (whole.slice(0, 4), whole.slice(4, 4));
        let mut access = memory.access();
        let (a, b) = (access.read::<f32>(left).unwrap(), access.read::<f32>(left).unwrap());
        access.write::<f32>(right).unwrap().fill(1.0);
        assert_eq!(a, b);
        assert!(access.write::<f32>(left).is_err());
        assert!(access.read::<f32>(right).is_err());
        assert!(access.read::<f32>(whole).is_err());
        assert!(access.write::<f32>(whole.slice(2, 0)).is_ok());
        drop(access);
        assert_eq!(memory.access().read::<f32>(whole).unwrap()[3..5], [0.0, 1.0]);
        for (offset, len) in [(1, 8), (usize::MAX, 1), (usize::MAX / 4, 2), (1, usize::MAX)] {
            let beyond = View { offset, len, ..whole };
            assert!(memory.access().read::<f32>(beyond).is_err(), "{beyond:?}");
        }
        assert!(memory.access().read::<f32>(View { buffer: 1, ..whole }).is_err());
    }
}
