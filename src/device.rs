//! The one contract between the trainer and whatever computes.
//!
//! A [`Device`] has memory and runs operations. What an operation is, is described in [`crate::ops`]; the network and
//! the trainer put lists of them together and are written once, over this trait. Memory is named by a [`View`]: a plain
//! handle that can be copied, so that no lifetime ties the network's plan to the backend. It lives as long as its
//! [`Owner`].
//!
//! Layouts: activations NHWC, conv weights HWIO, linear weights `[in, out]`.

use crate::error::Result;
use crate::ops::operation::{Operation, Planned};
use half::{bf16, f16};

mod memory;

pub use crate::ops::description::StepState;
pub use crate::ops::view::{DType, Precision, View};
pub use memory::{Buffers, Owner};

/// A computing backend. An operation reads and writes only its own views; outputs are overwritten, never accumulated
/// into, unless its description says so. Errors name the operation and what does not fit.
pub trait Device {
    /// A short description for logs and the run's configuration, such as `cpu (AVX-512, 2 threads)`.
    fn describe(&self) -> String;

    /// An error if it cannot compute in a precision: why, and what to do.
    fn supports(&self, precision: Precision) -> Result<()>;

    /// The precision to train in where none is named: bf16 where it multiplies this by units of its own, else float32.
    fn preferred(&self) -> Precision {
        Precision::F32
    }

    /// Uninitialised memory of `len` elements for an owner, with whom it goes. Memory of owners that are gone is freed
    /// first.
    fn alloc_for(&mut self, owner: &Owner, dtype: DType, len: usize) -> Result<View>;
    /// Uninitialised memory of `len` elements for as long as the device lives.
    fn alloc(&mut self, dtype: DType, len: usize) -> Result<View> {
        self.alloc_for(&Owner::forever(), dtype, len)
    }
    /// Copies host bytes into a view; their number must be the view's.
    fn upload(&mut self, dst: View, src: &[u8]) -> Result<()>;
    /// Copies a view to host bytes, after all earlier work on it.
    fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()>;
    /// Sets every byte of the view to zero.
    fn zero(&mut self, dst: View) -> Result<()>;
    /// Copies between two views of one type and length.
    fn copy(&mut self, src: View, dst: View) -> Result<()>;
    /// Waits for all work.
    fn synchronize(&mut self) -> Result<()>;

    /// Begins a step: sets its scalars and the images of its batch. On a device that works on its own, waits for the
    /// end of the step before the last one, so that the host is never more than two steps ahead.
    fn set_step(&mut self, state: StepState) -> Result<()>;
    /// Runs an operation.
    fn run(&mut self, operation: &Operation) -> Result<()>;
    /// Runs a plan as [`run_plan`] does. A device that can record it does so at the first call with this very plan, and
    /// replays it after; profilers see it as `name`.
    fn record(&mut self, name: &str, plan: &[Planned]) -> Result<()>;

    /// Names what follows, up to the matching [`Device::close_range`], for a profiler: a phase of the step or a layer.
    /// Ranges nest. A device that no profiler watches does nothing.
    fn open_range(&mut self, _name: &str) {}
    /// Ends the range opened last.
    fn close_range(&mut self) {}
}

/// Runs the operations of a plan in their order, in a range for each phase and, inside, for each layer.
///
/// # Errors
/// Those of the device.
pub fn run_plan(device: &mut dyn Device, plan: &[Planned]) -> Result<()> {
    for phase in plan.chunk_by(|a, b| a.phase == b.phase) {
        ranged(device, phase[0].phase, |device| {
            for layer in phase.chunk_by(|a, b| a.layer == b.layer) {
                ranged(device, &layer[0].layer, |device| layer.iter().try_for_each(|p| device.run(&p.operation)))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Runs `body` in a range of that name, if there is one.
fn ranged(device: &mut dyn Device, name: &str, body: impl FnOnce(&mut dyn Device) -> Result<()>) -> Result<()> {
    if name.is_empty() {
        return body(device);
    }
    device.open_range(name);
    let result = body(device);
    device.close_range();
    result
}

/// Copies f32 values into a view.
///
/// # Errors
/// Those of the device.
pub fn upload_f32(device: &mut dyn Device, dst: View, src: &[f32]) -> Result<()> {
    device.upload(dst, bytemuck::cast_slice(src))
}

/// Copies an f32 view to the host.
///
/// # Errors
/// Those of the device.
pub fn download_f32(device: &mut dyn Device, src: View) -> Result<Vec<f32>> {
    let mut out = vec![0.0f32; src.len];
    device.download(src, bytemuck::cast_slice_mut(&mut out))?;
    Ok(out)
}

/// Copies a view of float32 or 16-bit numbers to the host.
///
/// # Errors
/// Those of the device.
pub fn download_numbers(device: &mut dyn Device, src: View) -> Result<Vec<f32>> {
    let mut bits = vec![0u16; if src.dtype.size() == 2 { src.len } else { 0 }];
    match src.dtype {
        DType::Bf16 | DType::F16 => device.download(src, bytemuck::cast_slice_mut(&mut bits))?,
        _ => return download_f32(device, src),
    }
    let wide = |&b: &u16| if src.dtype == DType::F16 { f16::from_bits(b).into() } else { bf16::from_bits(b).into() };
    Ok(bits.iter().map(wide).collect())
}
