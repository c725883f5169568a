//! A model laid out on a device: parameter and gradient arenas, activations, and the forward and backward passes.
//!
//! Every layer keeps its output for the backward pass. Gradients of activations live in two buffers used in turn.
//! ReLU costs nothing in backward: the operation that computes `dx` multiplies it by `(x > 0)` where its input `x`
//! came out of a ReLU (also through a pool or a dropout, which keep zeros zero and positives positive).

use crate::device::{DType, Device, Dropout, View, ranged};
use crate::error::Result;
use crate::model::{Layer, Model, Parameter};
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::pool::PoolShape;

/// One planned operation. `x` and `y` are activations, `w` and `b` ranges of the parameter arena.
#[derive(Clone, Debug)]
enum Op {
    Conv {
        shape: ConvShape,
        x: View,
        y: View,
        parameters: Range2,
    },
    Pool {
        shape: PoolShape,
        x: View,
        y: View,
        argmax: View,
    },
    Linear {
        shape: LinearShape,
        x: View,
        y: View,
        parameters: Range2,
        relu: bool,
    },
    /// In place on the activation before it.
    Dropout {
        layer: u32,
        p: f32,
        x: View,
    },
}

impl Op {
    fn forward(&self, device: &mut dyn Device, weights: View, mode: Mode) -> Result<()> {
        match *self {
            Op::Conv { ref shape, x, y, parameters } => {
                let (w, b) = parameters.of(weights);
                device.conv_forward(shape, x, w, b, y, true)
            }
            Op::Pool { ref shape, x, y, argmax } => device.pool_forward(shape, x, y, argmax),
            Op::Linear { ref shape, x, y, parameters, relu } => {
                let (w, b) = parameters.of(weights);
                device.linear_forward(shape, x, w, b, y, relu)
            }
            Op::Dropout { layer, p, x } => match mode {
                Mode::Train { seed } if p > 0.0 => device.dropout(&Dropout { seed, layer, p }, x),
                _ => Ok(()),
            },
        }
    }

    /// From the gradient `dy` of the output to those of the parameters, and to the gradient of the input at the start of
    /// `room` where there is room for it. Returns that part of `room`; `None` when `dy` itself goes on to the layer before.
    #[allow(clippy::too_many_arguments)]
    fn backward(
        &self,
        device: &mut dyn Device,
        weights: View,
        gradients: View,
        seed: u64,
        dy: View,
        room: Option<View>,
        after_relu: bool,
    ) -> Result<Option<View>> {
        let input = |x: View| room.map(|room| room.slice(0, x.len));
        let mask = |x: View| after_relu.then_some(x);
        match *self {
            Op::Conv { ref shape, x, parameters, .. } => {
                let (dw, db) = parameters.of(gradients);
                device.conv_backward_weight(shape, x, dy, dw, db)?;
                let dx = input(x);
                if let Some(dx) = dx {
                    let (w, _) = parameters.of(weights);
                    device.conv_backward_data(shape, dy, w, dx, mask(x))?;
                }
                Ok(dx)
            }
            Op::Pool { ref shape, x, argmax, .. } => {
                let dx = input(x);
                if let Some(dx) = dx {
                    device.pool_backward(shape, dy, argmax, dx)?;
                }
                Ok(dx)
            }
            Op::Linear { ref shape, x, parameters, .. } => {
                let (dw, db) = parameters.of(gradients);
                device.linear_backward_weight(shape, x, dy, dw, db)?;
                let dx = input(x);
                if let Some(dx) = dx {
                    let (w, _) = parameters.of(weights);
                    device.linear_backward_data(shape, dy, w, dx, mask(x))?;
                }
                Ok(dx)
            }
            Op::Dropout { layer, p, .. } => {
                if p > 0.0 {
                    device.dropout(&Dropout { seed, layer, p }, dy)?;
                }
                Ok(None)
            }
        }
    }
}

/// Offsets and lengths of a layer's weight and bias in an arena.
#[derive(Clone, Copy, Debug)]
struct Range2 {
    weight: (usize, usize),
    bias: (usize, usize),
}

impl Range2 {
    fn of(self, arena: View) -> (View, View) {
        (arena.slice(self.weight.0, self.weight.1), arena.slice(self.bias.0, self.bias.1))
    }
}

/// Whether dropout is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout with this seed, at the step set last on the device.
    Train { seed: u64 },
    /// No dropout.
    Eval,
}

/// A model on a device, for batches of one size.
pub struct Network {
    pub model: Model,
    pub parameters: Vec<Parameter>,
    /// Images in a batch.
    pub batch: usize,
    /// Parameter arena.
    pub weights: View,
    /// Gradient arena, of the same layout; absent in a network made for evaluation.
    pub gradients: Option<View>,
    /// Input images, `[batch, h, w, c]` f32.
    pub input: View,
    /// Labels, `[batch]` u8.
    pub labels: View,
    /// Output before softmax, `[batch, classes]`.
    pub logits: View,
    /// Gradient of the logits; where the loss writes it.
    pub dlogits: View,
    ops: Vec<Op>,
    /// Whether each operation's input is a ReLU's output, directly or through pools and dropouts.
    after_relu: Vec<bool>,
    /// Two buffers for activation gradients, used in turn.
    scratch: [View; 2],
}

impl Network {
    /// Plans and allocates. With `training`, gradients too.
    ///
    /// # Errors
    /// Out of device memory.
    pub fn new(device: &mut dyn Device, model: &Model, batch: usize, training: bool) -> Result<Network> {
        let parameters = model.parameters();
        let arena = model.arena_len();
        let weights = device.alloc(DType::F32, arena)?;
        device.zero(weights)?;
        let gradients = if training {
            let view = device.alloc(DType::F32, arena)?;
            device.zero(view)?;
            Some(view)
        } else {
            None
        };
        let input = device.alloc(DType::F32, batch * model.input.len())?;
        let labels = device.alloc(DType::U8, batch)?;
        let (mut ops, mut after_relu) = (Vec::new(), Vec::new());
        let (mut x, mut positive, mut widest, mut dropouts) = (input, false, 0, 0);
        for (index, ((_, layer), (from, to))) in model.layers.iter().zip(model.shapes()).enumerate() {
            let range = || {
                let mut own = parameters.iter().filter(|p| p.layer == index);
                let mut next = || own.next().map_or((0, 0), |p| (p.offset, p.len));
                Range2 { weight: next(), bias: next() }
            };
            after_relu.push(positive);
            let op = match *layer {
                Layer::Conv { kernel, out } => {
                    positive = true;
                    Op::Conv {
                        shape: ConvShape { n: batch, h: from.h, w: from.w, c: from.c, k: out, kernel },
                        x,
                        y: device.alloc(DType::F32, batch * to.len())?,
                        parameters: range(),
                    }
                }
                Layer::Pool => Op::Pool {
                    shape: PoolShape { n: batch, h: from.h, w: from.w, c: from.c },
                    x,
                    y: device.alloc(DType::F32, batch * to.len())?,
                    argmax: device.alloc(DType::U8, batch * to.len())?,
                },
                Layer::Linear { out, relu } => {
                    positive = relu;
                    Op::Linear {
                        shape: LinearShape { n: batch, inputs: from.len(), outputs: out },
                        x,
                        y: device.alloc(DType::F32, batch * to.len())?,
                        parameters: range(),
                        relu,
                    }
                }
                Layer::Dropout { p } => {
                    dropouts += 1;
                    Op::Dropout { layer: dropouts - 1, p, x }
                }
            };
            widest = widest.max(batch * to.len());
            x = match op {
                Op::Conv { y, .. } | Op::Pool { y, .. } | Op::Linear { y, .. } => y,
                Op::Dropout { x, .. } => x,
            };
            ops.push(op);
        }
        let scratch_len = if training { widest } else { 1 };
        Ok(Network {
            model: model.clone(),
            parameters,
            batch,
            weights,
            gradients,
            input,
            labels,
            logits: x,
            dlogits: device.alloc(DType::F32, x.len)?,
            ops,
            after_relu,
            scratch: [device.alloc(DType::F32, scratch_len)?, device.alloc(DType::F32, scratch_len)?],
        })
    }

    /// Runs the layers on `input` with the parameters in `weights` (this network's arena or an average of it).
    pub fn forward(&self, device: &mut dyn Device, weights: View, mode: Mode) -> Result<()> {
        ranged(device, "forward", |device| {
            for (op, (name, _)) in self.ops.iter().zip(&self.model.layers) {
                ranged(device, name, |device| op.forward(device, weights, mode))?;
            }
            Ok(())
        })
    }

    /// Each layer's index in the model and its output of the last [`Network::forward`], `[batch, h, w, c]`; a dropout has
    /// none of its own.
    pub fn outputs(&self) -> Vec<(usize, View)> {
        let own = |(index, op): (usize, &Op)| match *op {
            Op::Conv { y, .. } | Op::Pool { y, .. } | Op::Linear { y, .. } => Some((index, y)),
            Op::Dropout { .. } => None,
        };
        self.ops.iter().enumerate().filter_map(own).collect()
    }

    /// From `dlogits` back to the gradients of all parameters; after [`Network::forward`] in training mode with the
    /// same seed.
    ///
    /// # Panics
    /// If the network was made without gradients.
    pub fn backward(&self, device: &mut dyn Device, seed: u64) -> Result<()> {
        let gradients = self.gradients.expect("a network made for training");
        ranged(device, "backward", |device| {
            let mut dy = self.dlogits;
            let mut spare = self.scratch;
            for (index, op) in self.ops.iter().enumerate().rev() {
                let (name, _) = &self.model.layers[index];
                let dx = (index > 0).then_some(spare[0]);
                let after_relu = self.after_relu[index];
                let written = ranged(device, name, |device| {
                    op.backward(device, self.weights, gradients, seed, dy, dx, after_relu)
                })?;
                if let Some(dx) = written {
                    dy = dx;
                    spare.swap(0, 1);
                }
            }
            Ok(())
        })
    }
}
