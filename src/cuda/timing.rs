//! Timing on the device: events around a body, the second-level cache flushed before.

use super::device::CudaDevice;
use crate::device::{DType, Device, View};
use crate::error::{Error, Result};
use crate::ops::operation::Planned;
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::driver::sys::{CUevent, CUevent_flags, CUresult};
use cudarc::driver::{CudaEvent, DriverError};

/// Seconds of work that the device has before the first operation that is timed: some ten microseconds for each of a
/// step's launches.
const AHEAD: f64 = 5e-3;

impl CudaDevice {
    /// Seconds of `body` on the device, the second-level cache filled with other data before. What it launches must
    /// have run once, or compiling is timed too.
    ///
    /// # Errors
    /// Those of the body and of the driver.
    pub fn seconds_of(&mut self, body: &mut dyn FnMut(&mut CudaDevice) -> Result<()>) -> Result<f64> {
        self.flush()?;
        let start = self.mark()?;
        body(self)?;
        let end = self.mark()?;
        Ok(self.seconds_between(&[start, end])?[0])
    }

    /// Seconds of each operation of a plan on the device, which runs them one after the other. Before the first it is
    /// given work for longer than the host needs to launch them all, so that it never waits for the host.
    ///
    /// # Errors
    /// As [`CudaDevice::seconds_of`].
    pub fn seconds_of_each(&mut self, plan: &[Planned]) -> Result<Vec<f64>> {
        let bytes = self.flush()?.len as f64;
        // softgpu is done with a launch when the host goes on.
        if self.softgpu.is_none() {
            let most = self.properties.peak_bandwidth().max(1e12);
            for _ in 0..(AHEAD * most / bytes) as usize {
                self.flush()?;
            }
        }
        let mut marks = vec![self.mark()?];
        for planned in plan {
            self.run(&planned.operation)?;
            marks.push(self.mark()?);
        }
        self.seconds_between(&marks)
    }

    /// Fills the second-level cache with other data.
    fn flush(&mut self) -> Result<View> {
        let view = match self.flush {
            Some(view) => view,
            None => {
                let attribute = Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
                let cache = self.launcher.context.attribute(attribute).map_err(|e| self.cannot(&e))?;
                self.alloc(DType::U8, 2 * cache.max(1 << 20) as usize)?
            }
        };
        self.flush = Some(view);
        self.zero(view)?;
        Ok(view)
    }

    /// An event behind all that was launched.
    fn mark(&self) -> Result<CudaEvent> {
        // The default of cudarc is an event that cannot be timed.
        let flags = Some(CUevent_flags::CU_EVENT_DEFAULT);
        self.launcher.stream.record_event(flags).map_err(|e| self.cannot(&e))
    }

    /// Seconds from each event to the next, after all of them.
    fn seconds_between(&self, marks: &[CudaEvent]) -> Result<Vec<f64>> {
        let last = marks.last().expect("a mark at least");
        last.synchronize().map_err(|e| self.cannot(&e))?;
        self.trail.ended_before(u64::MAX);
        let one = |m: &[CudaEvent]| elapsed(&m[0], &m[1]).map(|ms| f64::from(ms) / 1e3).map_err(|e| self.cannot(&e));
        marks.windows(2).map(one).collect()
    }

    fn cannot(&self, e: &DriverError) -> Error {
        self.trail.failed("cannot time on the device", e)
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
