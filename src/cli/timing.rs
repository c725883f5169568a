//! Times of kernels on a GPU, and the short table of them that `verify` shows.

use crate::conformance::cases::sizes;
use crate::conformance::{example, values};
use crate::cuda::CudaDevice;
use crate::cuda::operations::product::{Gemm, Sizes};
use crate::device::{DType, Device, Precision, upload_f32};
use crate::error::Result;
use crate::ops::conv::ConvShape;
use crate::ops::dropout::Dropout;
use crate::ops::layer::{LayerPass, LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::operation::Kind;
use crate::ops::optimizer::{Adam, AdamParams, Epsilon};
use crate::ops::pool::{Pool, PoolShape};
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

/// Times the kinds of kernels at VGG19's shapes with so many images, a large product, and the optimiser.
///
/// # Errors
/// Too little memory; those of the driver.
pub fn timings(d: &mut CudaDevice, batch: usize, precision: Precision) -> Result<Vec<Timing>> {
    let mut out = products(d, 64 * batch.clamp(1, 64))?;
    for kind in kinds(batch) {
        let (operation, sizes) = (example(d, kind.clone(), precision)?, sizes(&kind));
        let is = operation.description();
        let name = if matches!(kind, Kind::Adam(_)) { "adam and average" } else { is.name };
        out.push(time(d, (name, sizes), (is.flops, is.bytes), &mut |d| d.run(&operation))?);
    }
    Ok(out)
}

/// The median time of `body`, and its shares of the device's peaks.
pub fn time(
    d: &mut CudaDevice,
    (operation, shape): (&str, String),
    (flops, bytes): (u64, u64),
    body: &mut dyn FnMut(&mut CudaDevice) -> Result<()>,
) -> Result<Timing> {
    const RUNS: usize = 9;
    body(d)?;
    let mut seconds = [0.0; RUNS];
    for s in &mut seconds {
        *s = d.seconds_of(body)?;
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
        share_of_flops: share(flops, d.properties.peak_flops()),
        share_of_bandwidth: share(bytes, d.properties.peak_bandwidth()),
    })
}

/// Square products, each operand transposed or not.
fn products(d: &mut CudaDevice, size: usize) -> Result<Vec<Timing>> {
    let s = Sizes { m: size, n: size, k: size };
    let mut square = || {
        let view = d.alloc(DType::F32, size * size)?;
        upload_f32(d, view, &values(1, size * size, 1.0))?;
        Ok(view)
    };
    let (a, b, c) = (square()?, square()?, square()?);
    let work = (2 * (size as u64).pow(3), 12 * (size as u64).pow(2));
    let mut out = Vec::new();
    for (name, kind) in [("gemm_nn", Gemm::Nn), ("gemm_nt", Gemm::Nt), ("gemm_tn", Gemm::Tn)] {
        let what = (name, format!("{size}x{size}x{size}"));
        out.push(time(d, what, work, &mut |d| d.gemm(kind, s, a, b, c, false))?);
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
