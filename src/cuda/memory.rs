//! Device memory: buffers named by number, and where the operands of an operation lie in them.

use super::driver::failed;
use crate::device::{DType, View};
use crate::error::{Error, Result};
use crate::ops::description::Operand;
use cudarc::driver::{CudaContext, result};
use std::sync::Arc;

struct Buffer {
    address: u64,
    bytes: usize,
}

/// All buffers of a device.
pub struct Memory {
    context: Arc<CudaContext>,
    buffers: Vec<Buffer>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.context.bind_to_thread().is_ok() {
            for b in &self.buffers {
                // Safety: allocated by `alloc`, freed once; errors at the end of a context change nothing.
                let _ = unsafe { result::free_sync(b.address) };
            }
        }
    }
}

impl Memory {
    pub fn new(context: Arc<CudaContext>) -> Memory {
        Memory { context, buffers: Vec::new() }
    }

    /// New memory, uninitialised.
    pub fn alloc(&mut self, dtype: DType, len: usize) -> Result<View> {
        let bytes = len.max(1).saturating_mul(dtype.size());
        self.context.bind_to_thread().map_err(|e| failed("cannot use the CUDA context", &e))?;
        // Safety: the memory is written before it is read, or the checks of softgpu say otherwise.
        let address = unsafe { result::malloc_sync(bytes) }.map_err(|e| {
            if e.0 != cudarc::driver::sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
                return failed("cannot allocate device memory", &e);
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
        self.buffers.push(Buffer { address, bytes });
        Ok(View { buffer: self.buffers.len() - 1, dtype, offset: 0, len })
    }

    /// Device address of a view's first element.
    pub fn address(&self, v: View) -> Result<u64> {
        let missing = || Error::Device(format!("no memory behind {v:?}"));
        let buffer = self.buffers.get(v.buffer).ok_or_else(missing)?;
        if v.bytes().end > buffer.bytes {
            return Err(missing());
        }
        Ok(buffer.address + v.bytes().start as u64)
    }

    /// Device addresses of an operation's operands, in their order, filled up with 0.
    ///
    /// # Errors
    /// A view with no memory behind it, or longer than the kernels' 32-bit offsets reach.
    pub fn addresses<const N: usize>(
        &self,
        operation: &str,
        operands: impl Iterator<Item = (Operand, View)>,
    ) -> Result<[u64; N]> {
        let mut addresses = [0; N];
        for (address, (operand, view)) in addresses.iter_mut().zip(operands) {
            *address = self.address(view)?;
            if operand.dtype == DType::F32 && operand.len >= 1 << 31 {
                return Err(Error::Device(format!(
                    "{operation}: {} has {} elements, and the kernels count below 2^31; use a smaller --batch",
                    operand.name, operand.len
                )));
            }
        }
        Ok(addresses)
    }
}
