//! What every operation says about itself, and the one check of its operands.

use super::view::{DType, View};
use crate::error::{Error, Result};

/// What changes from step to step, kept in device memory so that a captured step can be replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepState<'a> {
    /// Optimiser steps done before this one; keys the step's random numbers.
    pub step: u64,
    /// Learning rate of this step.
    pub lr: f32,
    /// Decay of the moving average of the weights at this step: `ema = decay ema + (1 - decay) w`.
    pub ema_decay: f32,
    /// Which images of the dataset the batch is made of; empty where none is made.
    pub samples: &'a [u32],
}

/// What an operation does to an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    /// Overwritten, whatever was there.
    Write,
    /// Read and written in place.
    Update,
}

/// An operand: its name, what is done to it, and the type and length that it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    pub name: &'static str,
    pub access: Access,
    pub dtype: DType,
    pub len: usize,
}

impl Operand {
    /// One that is only read.
    pub fn read(name: &'static str, dtype: DType, len: usize) -> Operand {
        Operand { name, access: Access::Read, dtype, len }
    }

    /// One that is overwritten.
    pub fn write(name: &'static str, dtype: DType, len: usize) -> Operand {
        Operand { name, access: Access::Write, dtype, len }
    }

    /// One that is changed in place.
    pub fn update(name: &'static str, dtype: DType, len: usize) -> Operand {
        Operand { name, access: Access::Update, dtype, len }
    }

    /// Whether it is changed.
    pub fn is_written(&self) -> bool {
        self.access != Access::Read
    }
}

/// Most operands that an operation has.
pub const OPERANDS: usize = 7;

/// What an operation is, apart from the memory it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Such as `conv_forward`: the kernel's name, or that of the idea where several kernels serve it.
    pub name: &'static str,
    /// As they stand behind the name in a profiler.
    pub sizes: String,
    /// In the order of the operation's views; those that can be left out come last.
    pub operands: Vec<Operand>,
    /// Floating-point operations, a multiply-add as 2, counting taps in the padding; 0 where memory bounds it.
    pub flops: u64,
    /// Bytes that must be moved at least.
    pub bytes: u64,
}

impl Description {
    /// An operation that memory bounds, which moves every operand once, and twice what it updates.
    pub fn new(name: &'static str, sizes: String, operands: Vec<Operand>) -> Description {
        let traffic = |o: &Operand| (o.len * o.dtype.size() * if o.access == Access::Update { 2 } else { 1 }) as u64;
        let bytes = operands.iter().map(traffic).sum();
        Description { name, sizes, operands, flops: 0, bytes }
    }
}

/// An error if views are not what an operation needs: as many, each of its type and length, and none that is written
/// overlapping another.
pub fn check(operation: &str, operands: &[Operand], views: &[View]) -> Result<()> {
    if operands.len() != views.len() {
        return Err(Error::Device(format!("{operation}: {} views for {} operands", views.len(), operands.len())));
    }
    for (operand, view) in operands.iter().zip(views) {
        if view.len != operand.len || view.dtype != operand.dtype {
            return Err(Error::Shape {
                what: format!("{operation}: {}", operand.name),
                expected: format!("{} elements of {:?}", operand.len, operand.dtype),
                found: format!("{} elements of {:?}", view.len, view.dtype),
            });
        }
    }
    for (i, a) in operands.iter().enumerate().filter(|(_, o)| o.is_written()) {
        for (j, b) in operands.iter().enumerate().filter(|&(j, _)| j != i) {
            let (x, y) = (views[i].bytes(), views[j].bytes());
            if views[i].buffer == views[j].buffer && x.start.max(y.start) < x.end.min(y.end) {
                return Err(Error::Device(format!("{operation}: {} overlaps {}, which it must not", a.name, b.name)));
            }
        }
    }
    Ok(())
}

/// An error if a view's bytes are not as many as those on the host.
pub fn check_bytes(operation: &str, view: View, host: usize) -> Result<()> {
    let device = view.bytes().len();
    if device == host {
        return Ok(());
    }
    Err(Error::Shape { what: format!("{operation}: bytes"), expected: device.to_string(), found: host.to_string() })
}
