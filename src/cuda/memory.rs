//! Device memory: buffers named by number, and where the operands of an operation lie in them.

use super::fault::Trail;
use crate::device::{Buffers, DType, Owner, View};
use crate::error::{Error, Result};
use crate::ops::description::OPERANDS;
use cudarc::driver::{CudaContext, result};
use std::sync::Arc;

/// An allocation of the device.
struct Buffer {
    context: Arc<CudaContext>,
    address: u64,
    bytes: usize,
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: allocated by `Memory::alloc`, freed once; the driver waits for work on it. Errors at the end of a
            // context change nothing.
            let _ = unsafe { result::free_sync(self.address) };
        }
    }
}

/// All buffers of a device.
pub struct Memory {
    context: Arc<CudaContext>,
    trail: Trail,
    buffers: Buffers<Buffer>,
}

impl Memory {
    pub fn new(context: Arc<CudaContext>, trail: Trail) -> Memory {
        Memory { context, trail, buffers: Buffers::default() }
    }

    /// Whether there is memory of owners that are gone.
    pub fn has_orphans(&self) -> bool {
        self.buffers.has_orphans()
    }

    /// Frees the memory of owners that are gone.
    pub fn sweep(&mut self) {
        self.buffers.sweep();
    }

    /// New memory for an owner, uninitialised.
    pub fn alloc(&mut self, owner: &Owner, dtype: DType, len: usize) -> Result<View> {
        let bytes = len.max(1).saturating_mul(dtype.size());
        self.context.bind_to_thread().map_err(|e| self.trail.failed("cannot use the CUDA context", &e))?;
        // SAFETY: the memory is written before it is read, or the checks of softgpu say otherwise.
        let address = unsafe { result::malloc_sync(bytes) }.map_err(|e| {
            if e.0 != cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                return self.trail.failed("cannot allocate device memory", &e);
            }
            let mib = |b: usize| b as f64 / (1 << 20) as f64;
            let free = self.context.mem_get_info().map_or(String::new(), |(free, total)| {
                format!(" of {:.0} MiB in all, {:.0} MiB are free", mib(total), mib(free))
            });
            Error::Device(format!(
                "out of device memory: {:.1} MiB more were needed and{free}; use a smaller --batch or model, or end \
                 other programs that use the device",
                mib(bytes)
            ))
        })?;
        let buffer = self.buffers.add(owner, Buffer { context: self.context.clone(), address, bytes });
        Ok(View { buffer, dtype, offset: 0, len })
    }

    /// Whether a view's memory is there.
    pub fn holds(&self, v: View) -> bool {
        self.buffers.get(v.buffer).is_some_and(|b| v.bytes().end <= b.bytes)
    }

    /// Device address of a view's first element.
    pub fn address(&self, v: View) -> Result<u64> {
        match self.buffers.get(v.buffer) {
            Some(buffer) if v.bytes().end <= buffer.bytes => Ok(buffer.address + v.bytes().start as u64),
            _ => Err(Error::Device(format!("no memory behind {v:?}"))),
        }
    }

    /// Device addresses of an operation's operands, in their order, filled up with 0.
    ///
    /// # Errors
    /// A view with no memory behind it.
    pub fn addresses(&self, views: impl Iterator<Item = View>) -> Result<[u64; OPERANDS]> {
        let mut addresses = [0; OPERANDS];
        for (address, view) in addresses.iter_mut().zip(views) {
            *address = self.address(view)?;
        }
        Ok(addresses)
    }
}
