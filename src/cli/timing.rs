//! Times of kernels on a GPU, and the short table of them that `verify` shows.

use crate::conformance::cases::sizes;
use crate::conformance::{example, full, values};
use crate::cuda::CudaDevice;
use crate::cuda::operations::product::{Gemm, Sizes};
use crate::device::{DType, Device, Owner, Precision, upload_f32};
use crate::error::Result;
use crate::ops::operation::Kind;
use serde::Serialize;
use std::time::{Duration, Instant};

/// One operation's time.
#[derive(Clone, Debug, Serialize)]
pub struct Timing {
    pub operation: String,
    pub shape: String,
    /// Median of the runs, the fastest and the slowest.
    pub seconds: f64,
    pub fastest: f64,
    pub slowest: f64,
    /// Work before the first of them.
    pub warm_up: f64,
    /// Floating-point operations as `ops` counts them, padding taps included; 0 for those that memory bounds.
    pub flops: u64,
    /// Bytes that must be moved at least.
    pub bytes: u64,
    /// Of the device's peak in this precision at its reported clock. Winograd's algorithm multiplies less than is
    /// counted, so that more than 1 is possible.
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
    for kind in full::kinds(batch) {
        let owner = Owner::new();
        let (operation, sizes) = (example(d, &owner, kind.clone(), precision)?, sizes(&kind));
        let is = operation.description();
        let name = if matches!(kind, Kind::Adam(_)) { "adam and average" } else { is.name };
        out.push(time(d, (name, sizes), (is.flops, is.bytes), precision, &mut |d| d.run(&operation))?);
    }
    Ok(out)
}

/// Work before the first run that counts: a GPU that has waited runs at a low clock for a while.
pub const WARM_UP: Duration = Duration::from_millis(300);

/// The times of `body`, and its shares of the device's peaks.
pub fn time(
    d: &mut CudaDevice,
    (operation, shape): (&str, String),
    (flops, bytes): (u64, u64),
    precision: Precision,
    body: &mut dyn FnMut(&mut CudaDevice) -> Result<()>,
) -> Result<Timing> {
    const RUNS: usize = 9;
    let began = Instant::now();
    while began.elapsed() < WARM_UP {
        d.seconds_of(body)?;
    }
    let warm_up = began.elapsed().as_secs_f64();
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
        fastest: seconds[0],
        slowest: seconds[RUNS - 1],
        warm_up,
        flops,
        bytes,
        share_of_flops: share(flops, d.properties.peak_flops(precision)),
        share_of_bandwidth: share(bytes, d.properties.peak_bandwidth()),
    })
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
        out.push(time(d, what, work, Precision::F32, &mut |d| d.gemm(Precision::F32, kind, s, [a, b, c], false))?);
    }
    Ok(out)
}
