//! Timing on the device: events around a body, the second-level cache flushed before; and the short table of `verify`.

use super::device::CudaDevice;
use super::fault::failed;
use super::operations::product::{Gemm, Sizes};
use crate::conformance::cases::sizes;
use crate::conformance::{example, values};
use crate::device::{DType, Device, Owner, upload_f32};
use crate::error::Result;
use crate::ops::conv::ConvShape;
use crate::ops::dropout::Dropout;
use crate::ops::layer::{LayerPass, LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::operation::Kind;
use crate::ops::optimizer::{Adam, AdamParams, Epsilon};
use crate::ops::pool::{Pool, PoolShape};
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
    let mut out = products(d, 64 * batch.clamp(1, 64))?;
    for kind in kinds(batch) {
        let owner = Owner::new();
        let (operation, sizes) = (example(d, &owner, kind.clone())?, sizes(&kind));
        let is = operation.description();
        let name = if matches!(kind, Kind::Adam(_)) { "adam and average" } else { is.name };
        out.push(d.time((name, sizes), (is.flops, is.bytes), &mut |d| d.run(&operation))?);
    }
    Ok(out)
}

/// Square products, each operand transposed or not.
fn products(d: &mut CudaDevice, size: usize) -> Result<Vec<Timing>> {
    let s = Sizes { m: size, n: size, k: size };
    let owner = Owner::new();
    let mut square = || {
        let view = d.alloc_for(&owner, DType::F32, size * size)?;
        upload_f32(d, view, &values(1, size * size, 1.0))?;
        Ok(view)
    };
    let (a, b, c) = (square()?, square()?, square()?);
    let work = (2 * (size as u64).pow(3), 12 * (size as u64).pow(2));
    let mut out = Vec::new();
    for (name, kind) in [("gemm_nn", Gemm::Nn), ("gemm_nt", Gemm::Nt), ("gemm_tn", Gemm::Tn)] {
        let what = (name, format!("{size}x{size}x{size}"));
        out.push(d.time(what, work, &mut |d| d.gemm(kind, s, a, b, c, false))?);
    }
    Ok(out)
}

/// The operations that are timed.
fn kinds(batch: usize) -> Vec<Kind> {
    let passes = [Pass::Forward { relu: true }, Pass::BackwardData { masked: true }, Pass::BackwardWeight];
    let mut kinds = Vec::new();
    for (size, c, k) in [(28, 1, 64), (28, 64, 64), (14, 128, 128), (7, 256, 256), (4, 512, 512), (2, 512, 512)] {
        let shape = LayerShape::Conv(ConvShape { n: batch, h: size, w: size, c, k, kernel: 3 });
        // The first layer of a network needs no gradient of its input.
        let passes = passes.into_iter().filter(|p| c > 1 || !matches!(p, Pass::BackwardData { .. }));
        kinds.extend(passes.map(|pass| Kind::Layer(LayerPass { shape, pass })));
    }
    let shape = LayerShape::Linear(LinearShape { n: batch, inputs: 4096, outputs: 4096 });
    kinds.push(Kind::Layer(LayerPass { shape, pass: passes[0] }));
    let shape = PoolShape { n: batch, h: 28, w: 28, c: 64 };
    kinds.extend([false, true].map(|backward| Kind::Pool(Pool { shape, backward })));
    kinds.push(Kind::Dropout(Dropout { seed: 1, layer: 0, p: 0.5, len: shape.x_len() }));
    // As many parameters as VGG19 has, at batch 64; fewer at small batches, where softgpu is what runs.
    let len = (672_075 * batch.clamp(1, 64)).next_multiple_of(64);
    let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
    kinds.push(Kind::Adam(Adam { params, len, average: true }));
    kinds
}
