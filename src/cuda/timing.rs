//! Timing on the device: events around a body, the second-level cache flushed before; and the short table of `verify`.

use super::CudaDevice;
use super::driver::failed;
use super::operations::product::{Gemm, Sizes};
use crate::conformance::values;
use crate::device::{Arenas, DType, Device, Dropout, View, upload_f32};
use crate::error::Result;
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::optimizer::{AdamParams, Epsilon};
use crate::ops::pool::PoolShape;
use cudarc::driver::sys::CUdevice_attribute_enum as Attribute;
use cudarc::driver::sys::{CUevent, CUevent_flags, CUresult};
use cudarc::driver::{CudaEvent, DriverError};
use serde::Serialize;

/// One operation's time.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    pub operation: String,
    pub shape: String,
    /// Median of the runs.
    pub seconds: f64,
    /// Floating-point operations as `ops` counts them, padding taps included; 0 for those that memory bounds.
    pub flops: u64,
    /// Bytes that must be moved at least.
    pub bytes: u64,
    /// Of the device's float32 peak at its reported clock. Winograd's algorithm multiplies less than is counted, so
    /// that more than 1 is possible.
    pub share_of_flops: f64,
    /// Of the device's bandwidth at its reported memory clock.
    pub share_of_bandwidth: f64,
}

impl CudaDevice {
    /// Seconds of `body` on the device, the second-level cache filled with other data before. What it launches must
    /// have run once, or compiling is timed too.
    ///
    /// # Errors
    /// Those of the body and of the driver.
    pub fn seconds_of(&mut self, body: &mut dyn FnMut(&mut CudaDevice) -> Result<()>) -> Result<f64> {
        let fault = |e| failed("cannot time on the device", &e);
        if self.flush.is_none() {
            let attribute = Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
            let cache = self.launcher.context.attribute(attribute).map_err(fault)?;
            self.flush = Some(self.memory.alloc(DType::U8, 2 * cache.max(1 << 20) as usize)?);
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
        let milliseconds = elapsed(&start, &end).map_err(fault)?;
        Ok(f64::from(milliseconds) / 1e3)
    }

    fn time(
        &mut self,
        (operation, shape): (&str, String),
        (flops, bytes): (u64, u64),
        body: &mut dyn FnMut(&mut CudaDevice) -> Result<()>,
    ) -> Result<Timing> {
        const RUNS: usize = 9;
        body(self)?;
        let mut seconds = [0.0; RUNS];
        for s in &mut seconds {
            *s = self.seconds_of(body)?;
        }
        seconds.sort_by(f64::total_cmp);
        let median = seconds[RUNS / 2];
        let share = |work: u64, peak: f64| {
            let rate = work as f64 / median.max(1e-9);
            if peak > 0.0 { rate / peak } else { 0.0 }
        };
        Ok(Timing {
            operation: operation.into(),
            shape,
            seconds: median,
            flops,
            bytes,
            share_of_flops: share(flops, self.properties.peak_flops()),
            share_of_bandwidth: share(bytes, self.properties.peak_bandwidth()),
        })
    }
}

/// Milliseconds between two events. Not by cudarc's `elapsed_ms`: that calls the function's second version, which
/// drivers before CUDA 12.8 do not have.
fn elapsed(start: &CudaEvent, end: &CudaEvent) -> std::result::Result<f32, DriverError> {
    type Elapsed = unsafe extern "C" fn(*mut f32, CUevent, CUevent) -> CUresult;
    let mut milliseconds = 0.0f32;
    // Safety: the driver's own function in every version; two events that have been recorded, and a place to write to.
    unsafe {
        let library = cudarc::driver::sys::culib();
        let function = library
            .get::<Elapsed>(b"cuEventElapsedTime")
            .map_err(|_| DriverError(CUresult::CUDA_ERROR_NOT_SUPPORTED))?;
        function(&mut milliseconds, start.cu_event(), end.cu_event()).result()?;
    }
    Ok(milliseconds)
}

/// Times the kinds of kernels at VGG19's shapes with so many images, a large product, and the optimiser.
///
/// # Errors
/// Too little memory; those of the driver.
pub fn timings(d: &mut CudaDevice, batch: usize) -> Result<Vec<Timing>> {
    let mut out = Vec::new();
    let size = 64 * batch.clamp(1, 64);
    let s = Sizes { m: size, n: size, k: size };
    let len = size * size;
    let (a, b, c) = (filled(d, len)?, filled(d, len)?, filled(d, len)?);
    let work = (2 * (size as u64).pow(3), 12 * (size as u64).pow(2));
    for (name, kind) in [("gemm_nn", Gemm::Nn), ("gemm_nt", Gemm::Nt), ("gemm_tn", Gemm::Tn)] {
        let what = (name, format!("{size}x{size}x{size}"));
        out.push(d.time(what, work, &mut |d| d.gemm(kind, s, a, b, c, false))?);
    }
    for (size, c, k) in [(28, 1, 64), (28, 64, 64), (14, 128, 128), (7, 256, 256), (4, 512, 512), (2, 512, 512)] {
        let s = ConvShape { n: batch, h: size, w: size, c, k, kernel: 3 };
        let (x, w, b) = (filled(d, s.x_len())?, filled(d, s.w_len())?, filled(d, k)?);
        let (y, dx) = (filled(d, s.y_len())?, filled(d, s.x_len())?);
        let (dw, db) = (filled(d, s.w_len())?, filled(d, k)?);
        let shape = || format!("{batch}x{size}x{size}x{c} -> {k}");
        let work = (s.flops(), s.bytes());
        out.push(d.time(("conv_forward", shape()), work, &mut |d| d.conv_forward(&s, x, w, b, y, true))?);
        if c > 1 {
            out.push(
                d.time(("conv_backward_data", shape()), work, &mut |d| d.conv_backward_data(&s, y, w, dx, Some(x)))?,
            );
        }
        out.push(d.time(("conv_backward_weight", shape()), work, &mut |d| d.conv_backward_weight(&s, x, y, dw, db))?);
    }
    let s = LinearShape { n: batch, inputs: 4096, outputs: 4096 };
    let (x, w) = (filled(d, batch * 4096)?, filled(d, 4096 * 4096)?);
    let (b, y) = (filled(d, 4096)?, filled(d, batch * 4096)?);
    let bytes = 4 * (x.len + w.len + b.len + y.len) as u64;
    let what = ("linear_forward", format!("{batch}x4096 -> 4096"));
    out.push(d.time(what, (s.flops(), bytes), &mut |d| d.linear_forward(&s, x, w, b, y, true))?);
    out.extend(memory_bound(d, batch)?);
    Ok(out)
}

fn memory_bound(d: &mut CudaDevice, batch: usize) -> Result<Vec<Timing>> {
    let mut out = Vec::new();
    let p = PoolShape { n: batch, h: 28, w: 28, c: 64 };
    let (x, y) = (filled(d, p.x_len())?, filled(d, p.y_len())?);
    let argmax = d.alloc(DType::U8, p.y_len())?;
    let shape = || format!("{batch}x28x28x64");
    out.push(d.time(("pool_forward", shape()), (0, p.bytes()), &mut |d| d.pool_forward(&p, x, y, argmax))?);
    out.push(d.time(("pool_backward", shape()), (0, p.bytes()), &mut |d| d.pool_backward(&p, y, argmax, x))?);
    let spec = Dropout { seed: 1, layer: 0, p: 0.5 };
    let what = ("dropout", x.len.to_string());
    out.push(d.time(what, (0, 8 * x.len as u64), &mut |d| d.dropout(&spec, x))?);
    // As many parameters as VGG19 has, at batch 64; fewer at small batches, where softgpu is what runs.
    let len = (672_075 * batch.clamp(1, 64)).next_multiple_of(64);
    let arenas = Arenas {
        weights: filled(d, len)?,
        gradients: filled(d, len)?,
        moment1: filled(d, len)?,
        moment2: Some(zeros(d, len)?),
        ema: Some(filled(d, len)?),
    };
    let adam = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
    let what = ("adam and average", len.to_string());
    out.push(d.time(what, (0, 36 * len as u64), &mut |d| d.adam(&adam, &arenas))?);
    Ok(out)
}

/// Ordinary numbers, drawn.
fn filled(d: &mut CudaDevice, len: usize) -> Result<View> {
    let view = d.alloc(DType::F32, len)?;
    upload_f32(d, view, &values(1, len, 1.0))?;
    Ok(view)
}

fn zeros(d: &mut CudaDevice, len: usize) -> Result<View> {
    let view = d.alloc(DType::F32, len)?;
    d.zero(view)?;
    Ok(view)
}
