//! The CPU backend's memory: buffers named by number, handed out as slices after checking lengths and overlap.

use crate::device::{DType, Operand, View, expect_bytes, expect_operands};
use crate::error::{Error, Result};
use std::alloc::{Layout, alloc_zeroed, dealloc};

/// One allocation. Large ones start on a 2 MiB boundary and ask for huge pages, which the strided walks over weights
/// need: with 4 KiB pages they miss the address-translation cache at every row.
struct Buffer {
    at: *mut u8,
    layout: Layout,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // Safety: made by `alloc_zeroed` with this layout.
        unsafe { dealloc(self.at, self.layout) }
    }
}

const HUGE_PAGE: usize = 2 << 20;

/// All buffers of a device.
#[derive(Default)]
pub struct Memory {
    buffers: Vec<Buffer>,
}

// Safety: the pointers are owned, and only handed out through `&self` under the rules of `slices`.
unsafe impl Send for Memory {}

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
        // Safety: the layout is not empty.
        let at = unsafe { alloc_zeroed(layout) };
        if at.is_null() {
            return Err(too_large());
        }
        #[cfg(target_os = "linux")]
        if bytes >= HUGE_PAGE {
            // Advice only: a refusal changes nothing but speed.
            unsafe { libc::madvise(at.cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        self.buffers.push(Buffer { at, layout });
        Ok(View { buffer: self.buffers.len() - 1, dtype, offset: 0, len })
    }

    fn address(&self, v: View) -> Result<*mut u8> {
        let missing = || Error::Device(format!("no memory behind {v:?}"));
        let buffer = self.buffers.get(v.buffer).ok_or_else(missing)?;
        let (start, end) = (v.offset * v.dtype.size(), (v.offset + v.len) * v.dtype.size());
        if end > buffer.layout.size() {
            return Err(missing());
        }
        // Safety: inside the allocation.
        Ok(unsafe { buffer.at.add(start) })
    }

    /// Copies host bytes into a view.
    pub fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        expect_bytes("upload", dst, src.len())?;
        self.bytes_mut(dst)?.copy_from_slice(src);
        Ok(())
    }

    /// Copies a view to host bytes.
    pub fn download(&self, src: View, dst: &mut [u8]) -> Result<()> {
        expect_bytes("download", src, dst.len())?;
        dst.copy_from_slice(self.bytes(src)?);
        Ok(())
    }

    /// Sets every byte of a view to zero.
    pub fn zero(&mut self, dst: View) -> Result<()> {
        self.bytes_mut(dst)?.fill(0);
        Ok(())
    }

    /// Copies between two views of one type and length.
    pub fn copy(&mut self, src: View, dst: View) -> Result<()> {
        self.check("copy", &[("source", src, src.dtype, src.len)], &[("destination", dst, src.dtype, src.len)])?;
        let from: &[u8] = self.bytes(src)?;
        // Safety: checked not to overlap; the detour ends the borrow.
        let from = unsafe { std::slice::from_raw_parts(from.as_ptr(), from.len()) };
        self.bytes_mut(dst)?.copy_from_slice(from);
        Ok(())
    }

    /// A view's bytes for reading.
    fn bytes(&self, v: View) -> Result<&[u8]> {
        let at = self.address(v)?;
        Ok(unsafe { std::slice::from_raw_parts(at, v.len * v.dtype.size()) })
    }

    /// A view's bytes for writing.
    fn bytes_mut(&mut self, v: View) -> Result<&mut [u8]> {
        let at = self.address(v)?;
        Ok(unsafe { std::slice::from_raw_parts_mut(at, v.len * v.dtype.size()) })
    }

    /// Checks what an operation is about to use: every view has its type and length, and no written view overlaps
    /// another. After it, [`Memory::read`] and [`Memory::write`] of these views may live side by side.
    pub fn check(&self, operation: &str, reads: &[Operand], writes: &[Operand]) -> Result<()> {
        expect_operands(operation, reads, writes)?;
        for &(_, view, ..) in reads.iter().chain(writes) {
            self.address(view)?;
        }
        Ok(())
    }

    /// A view's elements.
    ///
    /// # Safety
    /// After [`Memory::check`] with this view, with `T` its type, and only until the operation ends.
    pub unsafe fn read<'a, T>(&self, v: View) -> &'a [T] {
        let at = self.address(v).expect("checked").cast::<T>();
        unsafe { std::slice::from_raw_parts(at, v.len) }
    }

    /// A view's elements for writing.
    ///
    /// # Safety
    /// As [`Memory::read`], the view being among the written ones.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn write<'a, T>(&self, v: View) -> &'a mut [T] {
        let at = self.address(v).expect("checked").cast::<T>();
        unsafe { std::slice::from_raw_parts_mut(at, v.len) }
    }
}
