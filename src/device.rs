//! The one contract between the trainer and whatever computes.
//!
//! A [`Device`] owns memory and runs each operation of the network, forward and backward. The network and the
//! trainer are written once, over this trait. Memory is named by a [`View`]: a plain handle that can be copied, so
//! that no lifetime ties the network's plan to the backend.
//!
//! Layouts: activations NHWC, conv weights HWIO, linear weights `[in, out]`, all float32.

use crate::error::{Error, Result};
use crate::ops::batch::Gather;
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::loss::LossKind;
use crate::ops::optimizer::{AdamParams, SgdParams};
use crate::ops::pool::PoolShape;

/// The element type of a piece of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    F32,
    F64,
    U32,
    U8,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F64 => 8,
            DType::F32 | DType::U32 => 4,
            DType::U8 => 1,
        }
    }
}

/// A range of elements inside one device buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Index of the buffer on its device.
    pub buffer: usize,
    pub dtype: DType,
    /// First element.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
}

impl View {
    /// The `len` elements from `offset` on, counted from this view's start.
    ///
    /// # Panics
    /// If the range does not lie inside this view: a mistake of the memory plan, never of the user.
    pub fn slice(self, offset: usize, len: usize) -> View {
        assert!(offset + len <= self.len, "view of {} elements cut at {offset}..{}", self.len, offset + len);
        View { offset: self.offset + offset, len, ..self }
    }
}

/// The numbers that change from step to step, kept in device memory so that a captured step can be replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepState {
    /// Optimiser steps done before this one; keys the step's random numbers.
    pub step: u64,
    /// Learning rate of this step.
    pub lr: f32,
    /// Decay of the moving average of the weights at this step: `ema = decay ema + (1 - decay) w`.
    pub ema_decay: f32,
}

/// What a dropout layer needs to draw its mask: `keep = uniform(seed, step, layer, element) >= p`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    pub seed: u64,
    /// Which dropout layer of the network, from 0.
    pub layer: u32,
    /// Probability of dropping.
    pub p: f32,
}

/// The parameter, gradient and moment arenas one optimiser step works on; all of one layout and length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arenas {
    pub weights: View,
    pub gradients: View,
    /// Adam's first moment, or momentum SGD's velocity.
    pub moment1: View,
    /// Adam's second moment; unused by SGD.
    pub moment2: Option<View>,
    /// Moving average of the weights, updated in the same pass.
    pub ema: Option<View>,
}

impl Arenas {
    /// The second moment's arena, which Adam needs.
    ///
    /// # Errors
    /// There is none.
    pub fn second_moment(&self) -> Result<View> {
        self.moment2.ok_or_else(|| Error::Device("adam: the second moment's arena is missing".into()))
    }
}

/// A computing backend. Every operation reads and writes only the views it is given; outputs are overwritten, never
/// accumulated into, unless the operation says so. Errors name the operation and the sizes that do not fit.
pub trait Device {
    /// A short description for logs and the run's configuration, such as `cpu (AVX-512, 2 threads)`.
    fn describe(&self) -> String;

    /// Uninitialised memory of `len` elements.
    fn alloc(&mut self, dtype: DType, len: usize) -> Result<View>;
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

    /// Sets the scalars of the coming step.
    fn set_step(&mut self, state: StepState) -> Result<()>;

    /// Runs `body`, a fixed sequence of operations on fixed views. A device that can record it does so at the first
    /// call with this `name` and replays it after; others just run it.
    fn record(&mut self, name: &str, body: &mut dyn FnMut(&mut dyn Device) -> Result<()>) -> Result<()>;

    /// Names what follows, up to the matching [`Device::close_range`], for a profiler: a phase of the step or a layer.
    /// Ranges nest. Use [`ranged`], which closes what it opens. A device that no profiler watches does nothing.
    fn open_range(&mut self, _name: &str) {}
    /// Ends the range opened last.
    fn close_range(&mut self) {}

    /// Batch gather, normalisation and augmentation from the byte dataset; see [`crate::ops::batch`].
    /// `x[n, y, x, c]` f32 and `labels_out[n]` u8 for the images `indices[n]` (u32) of `pixels`/`labels` (u8).
    #[allow(clippy::too_many_arguments)]
    fn gather(
        &mut self,
        gather: &Gather,
        pixels: View,
        labels: View,
        indices: View,
        x: View,
        labels_out: View,
    ) -> Result<()>;

    /// `y = conv(x, w) + b`, then ReLU if asked; see [`crate::ops::conv`].
    fn conv_forward(&mut self, s: &ConvShape, x: View, w: View, b: View, y: View, relu: bool) -> Result<()>;
    /// `dx = conv_transposed(dy, w)`, times `(mask > 0)` where a mask (the layer's input after ReLU) is given.
    fn conv_backward_data(&mut self, s: &ConvShape, dy: View, w: View, dx: View, mask: Option<View>) -> Result<()>;
    /// `dw` and `db` from the layer's input and output gradient.
    fn conv_backward_weight(&mut self, s: &ConvShape, x: View, dy: View, dw: View, db: View) -> Result<()>;

    /// 2x2 max-pool with the first maximum's position; see [`crate::ops::pool`].
    fn pool_forward(&mut self, s: &PoolShape, x: View, y: View, argmax: View) -> Result<()>;
    /// `dx` from `dy` and the stored positions.
    fn pool_backward(&mut self, s: &PoolShape, dy: View, argmax: View, dx: View) -> Result<()>;

    /// `y = x w + b`, then ReLU if asked; see [`crate::ops::linear`].
    fn linear_forward(&mut self, s: &LinearShape, x: View, w: View, b: View, y: View, relu: bool) -> Result<()>;
    /// `dx = dy w^T`, times `(mask > 0)` where a mask is given.
    fn linear_backward_data(&mut self, s: &LinearShape, dy: View, w: View, dx: View, mask: Option<View>) -> Result<()>;
    /// `dw = x^T dy`, `db = sum over rows of dy`.
    fn linear_backward_weight(&mut self, s: &LinearShape, x: View, dy: View, dw: View, db: View) -> Result<()>;

    /// `x = x * keep / (1 - p)` in place, the mask drawn from the step set last; the same call is forward and backward.
    fn dropout(&mut self, d: &Dropout, x: View) -> Result<()>;

    /// Softmax cross-entropy forward and backward; see [`crate::ops::loss`]. Writes `dlogits` where given, and adds to
    /// `stats` (f64): `[sum of losses, number correct, number of examples, number of non-finite losses]`.
    fn loss(
        &mut self,
        kind: LossKind,
        classes: usize,
        logits: View,
        labels: View,
        dlogits: Option<View>,
        stats: View,
    ) -> Result<()>;
    /// `probabilities = softmax(logits)` row by row.
    fn softmax(&mut self, classes: usize, logits: View, probabilities: View) -> Result<()>;

    /// One Adam step over the whole arena, and the moving average where its view is given;
    /// see [`crate::ops::optimizer`].
    fn adam(&mut self, p: &AdamParams, arenas: &Arenas) -> Result<()>;
    /// One momentum SGD step over the whole arena; L2 applies to the ranges (offset, length) listed.
    fn sgd(&mut self, p: &SgdParams, decayed: &[(usize, usize)], arenas: &Arenas) -> Result<()>;
}

/// Runs `body` in a range of that name (see [`Device::open_range`]).
pub fn ranged<T>(device: &mut dyn Device, name: &str, body: impl FnOnce(&mut dyn Device) -> Result<T>) -> Result<T> {
    device.open_range(name);
    let result = body(device);
    device.close_range();
    result
}

/// Copies f32 values into a view.
pub fn upload_f32(device: &mut dyn Device, dst: View, src: &[f32]) -> Result<()> {
    device.upload(dst, bytemuck::cast_slice(src))
}

/// Copies an f32 view to the host.
pub fn download_f32(device: &mut dyn Device, src: View) -> Result<Vec<f32>> {
    let mut out = vec![0.0f32; src.len];
    device.download(src, bytemuck::cast_slice_mut(&mut out))?;
    Ok(out)
}

/// An error if a view's length is not what an operation needs.
fn expect_len(operation: &str, name: &str, view: View, dtype: DType, len: usize) -> Result<()> {
    if view.len == len && view.dtype == dtype {
        return Ok(());
    }
    Err(Error::Shape {
        what: format!("{operation}: {name}"),
        expected: format!("{len} elements of {dtype:?}"),
        found: format!("{} elements of {:?}", view.len, view.dtype),
    })
}

/// An operand of an operation: its name, its view, and the type and length it must have.
pub type Operand<'a> = (&'a str, View, DType, usize);

/// An error if a view's type or length is not what an operation needs, or a written view overlaps another.
pub fn expect_operands(operation: &str, reads: &[Operand], writes: &[Operand]) -> Result<()> {
    for &(name, view, dtype, len) in reads.iter().chain(writes) {
        expect_len(operation, name, view, dtype, len)?;
    }
    for (i, (name, a, ..)) in writes.iter().enumerate() {
        for (other, b, ..) in reads.iter().chain(&writes[i + 1..]) {
            let apart = a.buffer != b.buffer || a.offset + a.len <= b.offset || b.offset + b.len <= a.offset;
            if !apart && a.len > 0 && b.len > 0 {
                return Err(Error::Device(format!("{operation}: {name} overlaps {other}, which it must not")));
            }
        }
    }
    Ok(())
}

/// An error if a view's bytes are not as many as those on the host.
pub fn expect_bytes(operation: &str, view: View, host: usize) -> Result<()> {
    let device = view.len * view.dtype.size();
    if device == host {
        return Ok(());
    }
    Err(Error::Shape { what: format!("{operation}: bytes"), expected: device.to_string(), found: host.to_string() })
}
