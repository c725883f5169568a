//! Device memory: buffers named by number, and the checks before an operation uses views of them.

use super::driver::failed;
use crate::device::{DType, Operand, View, expect_operands};
use crate::error::{Error, Result};
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
        if (v.offset + v.len) * v.dtype.size() > buffer.bytes {
            return Err(missing());
        }
        Ok(buffer.address + (v.offset * v.dtype.size()) as u64)
    }

    /// Checks what an operation is about to use: every view has its type and length, none is longer than the kernels'
    /// 32-bit offsets reach, and no written view overlaps another.
    pub fn check(&self, operation: &str, reads: &[Operand], writes: &[Operand]) -> Result<()> {
        expect_operands(operation, reads, writes)?;
        for &(name, view, dtype, len) in reads.iter().chain(writes) {
            self.address(view)?;
            if dtype == DType::F32 && len >= 1 << 31 {
                return Err(Error::Device(format!(
                    "{operation}: {name} has {len} elements, and the kernels count below 2^31; use a smaller --batch"
                )));
            }
        }
        Ok(())
    }
}
