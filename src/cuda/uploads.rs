//! Copies to the device, through a ring of pinned buffers.
//!
//! An asynchronous copy reads its source after the call has returned. From ordinary memory the driver has to copy
//! first, and says only that it might; here the source is a pinned buffer that is not written to again before its copy
//! is known to have ended.

use super::fault::Trail;
use crate::error::Result;
use cudarc::driver::{CudaContext, CudaEvent, CudaStream, result};
use std::ffi::c_void;
use std::sync::Arc;

/// Bytes of a pinned buffer; more are copied in pieces.
const BYTES: usize = 1 << 20;
/// Buffers: one is filled while the other is read.
const BUFFERS: usize = 2;

/// A pinned buffer, and an event at the end of the last copy from it.
struct Pinned {
    context: Arc<CudaContext>,
    at: *mut u8,
    copied: CudaEvent,
}

// SAFETY: the memory is owned, and no thread has a right to it of its own.
unsafe impl Send for Pinned {}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: allocated by `Uploads::new`, freed once; the driver waits for copies from it. Errors at the end
            // of a context change nothing.
            let _ = unsafe { result::free_host(self.at.cast::<c_void>()) };
        }
    }
}

/// The ring of a stream.
pub struct Uploads {
    stream: Arc<CudaStream>,
    trail: Trail,
    buffers: Vec<Pinned>,
    next: usize,
    /// Copies so far.
    pub copies: u64,
}

impl Uploads {
    /// Allocates the ring.
    ///
    /// # Errors
    /// Those of the driver.
    pub fn new(stream: Arc<CudaStream>, trail: Trail) -> Result<Uploads> {
        let context = stream.context();
        let mut buffers = Vec::new();
        for _ in 0..BUFFERS {
            let copied = context.new_event(None).map_err(|e| trail.failed("cannot create an event", &e))?;
            // SAFETY: the context was bound by the call before; only written bytes are read.
            let at = unsafe { result::malloc_host(BYTES, 0) };
            let at = at.map_err(|e| trail.failed("cannot allocate pinned host memory", &e))?;
            buffers.push(Pinned { context: context.clone(), at: at.cast(), copied });
        }
        Ok(Uploads { stream, trail, buffers, next: 0, copies: 0 })
    }

    /// Copies bytes to an address of device memory that has room for them, after all earlier work of the stream.
    ///
    /// # Errors
    /// Those of the driver.
    pub fn copy(&mut self, mut to: u64, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(BYTES) {
            let buffer = &self.buffers[self.next];
            self.next = (self.next + 1) % BUFFERS;
            let copy = || {
                buffer.copied.synchronize()?;
                // SAFETY: the buffer has room for a piece, its last copy has ended, and nobody else has it; it stays as
                // it is until the event that is recorded here has passed.
                unsafe {
                    std::ptr::copy_nonoverlapping(piece.as_ptr(), buffer.at, piece.len());
                    let from = std::slice::from_raw_parts(buffer.at, piece.len());
                    result::memcpy_htod_async(to, from, self.stream.cu_stream())?;
                }
                buffer.copied.record(&self.stream)
            };
            copy().map_err(|e| self.trail.failed("cannot copy to the device", &e))?;
            to += piece.len() as u64;
            self.copies += 1;
        }
        Ok(())
    }
}
