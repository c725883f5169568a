//! Timing on the device: events around a body, the second-level cache flushed before.

use super::device::CudaDevice;
use crate::device::{DType, Device};
use crate::error::Result;
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::driver::sys::{CUevent, CUevent_flags, CUresult};
use cudarc::driver::{CudaEvent, DriverError};

impl CudaDevice {
    /// Seconds of `body` on the device, the second-level cache filled with other data before. What it launches must
    /// have run once, or compiling is timed too.
    ///
    /// # Errors
    /// Those of the body and of the driver.
    pub fn seconds_of(&mut self, body: &mut dyn FnMut(&mut CudaDevice) -> Result<()>) -> Result<f64> {
        let trail = self.trail.clone();
        let fault = |e| trail.failed("cannot time on the device", &e);
        if self.flush.is_none() {
            let attribute = Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
            let cache = self.launcher.context.attribute(attribute).map_err(fault)?;
            self.flush = Some(self.alloc(DType::U8, 2 * cache.max(1 << 20) as usize)?);
        }
        if let Some(view) = self.flush {
            self.zero(view)?;
        }
        let stream = self.launcher.stream.clone();
        // The default of cudarc is an event that cannot be timed.
        let flags = Some(CUevent_flags::CU_EVENT_DEFAULT);
        let start = stream.record_event(flags).map_err(fault)?;
        body(self)?;
        let end = stream.record_event(flags).map_err(fault)?;
        end.synchronize().map_err(fault)?;
        trail.ended_before(u64::MAX);
        let milliseconds = elapsed(&start, &end).map_err(fault)?;
        Ok(f64::from(milliseconds) / 1e3)
    }
}

/// Milliseconds between two events. Not by cudarc's `elapsed_ms`: that calls the function's second version, which
/// drivers before CUDA 12.8 do not have.
fn elapsed(start: &CudaEvent, end: &CudaEvent) -> std::result::Result<f32, DriverError> {
    type Elapsed = unsafe extern "C" fn(*mut f32, CUevent, CUevent) -> CUresult;
    let mut milliseconds = 0.0f32;
    // SAFETY: the driver's own function in every version; two events that have been recorded, and a place to write to.
    unsafe {
        let library = cudarc::driver::sys::culib();
        let function = library
            .get::<Elapsed>(b"cuEventElapsedTime")
            .map_err(|_| DriverError(CUresult::CUDA_ERROR_NOT_SUPPORTED))?;
        function(&mut milliseconds, start.cu_event(), end.cu_event()).result()?;
    }
    Ok(milliseconds)
}
