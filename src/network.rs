//! A model laid out on a device: parameter and gradient arenas, activations, and the plans of its two passes.
//!
//! Every layer keeps its output for the backward pass. Gradients of activations live in two buffers used in turn.
//! ReLU costs nothing in backward: the operation that computes `dx` multiplies it by `(x > 0)` where its input `x`
//! came out of a ReLU (also through a pool or a dropout, which keep zeros zero and positives positive).

use crate::device::{DType, Device, Owner, Precision, View};
use crate::error::Result;
use crate::model::{Layer, Model, Parameter};
use crate::ops::cast::Cast;
use crate::ops::conv::ConvShape;
use crate::ops::dropout::Dropout;
use crate::ops::layer::{LayerPass, LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::operation::{Kind, Operation, Planned};
use crate::ops::pool::{Pool, PoolShape};

/// What a layer computes.
#[derive(Clone, Copy, Debug)]
enum Computes {
    /// With the offset and the length of its weight and its bias in an arena.
    Weighted { shape: LayerShape, relu: bool, weight: (usize, usize), bias: (usize, usize) },
    /// With the positions of its maxima.
    Pool { shape: PoolShape, argmax: View },
    /// In place on the activation before it; which dropout of the network it is, and the probability of dropping.
    Dropout { number: u32, p: f32 },
}

/// A layer laid out.
#[derive(Clone, Debug)]
struct Placed {
    name: String,
    computes: Computes,
    /// Input and output, one and the same for a dropout.
    x: View,
    y: View,
    /// Whether the input is a ReLU's output, directly or through pools and dropouts.
    after_relu: bool,
}

impl Placed {
    fn planned(&self, phase: &'static str, kind: Kind, precision: Precision, views: &[View]) -> Result<Planned> {
        Ok(Planned::new(phase, &self.name, Operation::new(kind, precision, views)?))
    }
}

/// The part of an arena with this offset and length.
fn part(arena: View, (offset, len): (usize, usize)) -> View {
    arena.slice(offset, len)
}

/// Whether dropout is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Dropout with this seed, at the step set last on the device.
    Train { seed: u64 },
    /// No dropout.
    Eval,
}

/// What a network is made for, and so what it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Every layer's output, and gradients.
    Training,
    /// As in training from the first fully connected layer on; what lies before is not trained, and keeps nothing.
    Tuning,
    /// The logits: layers write to two buffers in turn, so that what one writes the next finds in the cache.
    Evaluation,
    /// Every layer's output, to be looked at.
    Inspection,
}

/// Bytes of a layer's output up to which [`evaluation_batch`] lets a batch grow.
const EVALUATED: usize = 64 << 20;
/// Images of a batch that is evaluated at most: beyond it, reading the weights once a batch costs next to nothing.
const EVALUATED_IMAGES: usize = 250;

/// Images of a batch for running a model over `images` images without training: many, so that weights are read seldom,
/// but few enough for a layer's output to be small.
pub fn evaluation_batch(model: &Model, images: usize) -> usize {
    let widest = model.shapes().iter().map(|(_, to)| to.len()).max().unwrap_or(1);
    (EVALUATED / (4 * widest)).clamp(1, EVALUATED_IMAGES).min(images)
}

/// What networks of one model can have in common.
struct Arenas {
    weights: View,
    copy: Option<View>,
    gradients: Option<View>,
    memory: Owner,
}

/// A model on a device, for batches of one size.
pub struct Network {
    pub model: Model,
    pub precision: Precision,
    pub parameters: Vec<Parameter>,
    /// Images in a batch.
    pub batch: usize,
    /// Parameter arena.
    pub weights: View,
    /// The weights as products read them, in a precision of 16 bits; see [`Network::prepare`].
    pub copy: Option<View>,
    /// Gradient arena, of the same layout from `trained` on; absent in a network made for evaluation.
    pub gradients: Option<View>,
    /// The first element of the arena that is trained, and the first layer.
    pub trained: usize,
    first: usize,
    /// Input images, `[batch, h, w, c]`.
    pub input: View,
    /// Labels, `[batch]` u32.
    pub labels: View,
    /// Output before softmax, `[batch, classes]`.
    pub logits: View,
    /// Gradient of the logits; where the loss writes it.
    pub dlogits: View,
    layers: Vec<Placed>,
    /// Two buffers used in turn: for gradients of activations, in evaluation for activations.
    scratch: [View; 2],
    /// The owner of its memory, and of what else is to go with it.
    pub memory: Owner,
}

impl Network {
    /// Plans and allocates.
    ///
    /// # Errors
    /// Out of device memory.
    pub fn new(
        device: &mut dyn Device,
        model: &Model,
        precision: Precision,
        batch: usize,
        purpose: Purpose,
    ) -> Result<Network> {
        let memory = Owner::new();
        let mut arena = |len| -> Result<View> {
            let view = device.alloc_for(&memory, DType::F32, len)?;
            device.zero(view)?;
            Ok(view)
        };
        let weights = arena(model.arena_len())?;
        let gradients = match purpose {
            Purpose::Training => Some(arena(weights.len)?),
            Purpose::Tuning => Some(arena(weights.len - model.classifier().1)?),
            Purpose::Evaluation | Purpose::Inspection => None,
        };
        let half = precision.is_half();
        let copy = if half { Some(device.alloc_for(&memory, precision.storage(), weights.len)?) } else { None };
        Network::laid_out(device, model, precision, batch, Arenas { weights, copy, gradients, memory }, purpose)
    }

    /// A network for evaluation that has this one's parameters, and goes with it.
    ///
    /// # Errors
    /// Out of device memory.
    pub fn evaluator(&self, device: &mut dyn Device, batch: usize) -> Result<Network> {
        let (weights, copy, memory) = (self.weights, self.copy, self.memory.clone());
        let arenas = Arenas { weights, copy, gradients: None, memory };
        Network::laid_out(device, &self.model, self.precision, batch, arenas, Purpose::Evaluation)
    }

    /// Allocates what lies between the layers.
    fn laid_out(
        device: &mut dyn Device,
        model: &Model,
        precision: Precision,
        batch: usize,
        arenas: Arenas,
        purpose: Purpose,
    ) -> Result<Network> {
        let Arenas { weights, copy, gradients, memory } = arenas;
        let (parameters, activation) = (model.parameters(), precision.storage());
        let widest = batch * model.shapes().iter().map(|(_, to)| to.len()).max().unwrap_or(1);
        let mut pair = |len| -> Result<[View; 2]> {
            Ok([device.alloc_for(&memory, activation, len)?, device.alloc_for(&memory, activation, len)?])
        };
        // Gradients of activations in training, activations themselves in evaluation.
        let mut scratch = pair(if purpose == Purpose::Inspection { 1 } else { widest })?;
        let input = device.alloc_for(&memory, activation, batch * model.input.len())?;
        let labels = device.alloc_for(&memory, DType::U32, batch)?;
        let (first, trained) = if purpose == Purpose::Tuning { model.classifier() } else { (0, 0) };
        let mut layers = Vec::new();
        let (mut x, mut after_relu, mut dropouts) = (input, false, 0);
        for (index, ((name, layer), (from, to))) in model.layers.iter().zip(model.shapes()).enumerate() {
            let mut own = parameters.iter().filter(|p| p.layer == index).map(|p| (p.offset, p.len));
            let mut parameter = || own.next().expect("a layer with weights has a weight and a bias");
            let len = batch * to.len();
            let mut y = x;
            if !matches!(layer, Layer::Dropout { .. }) {
                let logits = matches!(layer, Layer::Linear { relu: false, .. });
                y = match purpose {
                    _ if logits => device.alloc_for(&memory, DType::F32, len)?,
                    Purpose::Evaluation => scratch[0].slice(0, len),
                    // What the first trained layer reads is kept.
                    Purpose::Tuning if index + 1 < first => scratch[0].slice(0, len),
                    _ => device.alloc_for(&memory, activation, len)?,
                };
                scratch.swap(0, 1);
            }
            let computes = match *layer {
                Layer::Conv { kernel, out } => {
                    let shape = ConvShape { n: batch, h: from.h, w: from.w, c: from.c, k: out, kernel };
                    let (weight, bias) = (parameter(), parameter());
                    Computes::Weighted { shape: LayerShape::Conv(shape), relu: true, weight, bias }
                }
                Layer::Linear { out, relu } => {
                    let shape = LayerShape::Linear(LinearShape { n: batch, inputs: from.len(), outputs: out });
                    Computes::Weighted { shape, relu, weight: parameter(), bias: parameter() }
                }
                Layer::Pool => {
                    let shape = PoolShape { n: batch, h: from.h, w: from.w, c: from.c };
                    Computes::Pool { shape, argmax: device.alloc_for(&memory, DType::U8, len)? }
                }
                Layer::Dropout { p } => {
                    dropouts += 1;
                    Computes::Dropout { number: dropouts - 1, p }
                }
            };
            layers.push(Placed { name: name.clone(), computes, x, y, after_relu });
            if let Computes::Weighted { relu, .. } = computes {
                after_relu = relu;
            }
            x = y;
        }
        Ok(Network {
            model: model.clone(),
            precision,
            parameters,
            batch,
            weights,
            copy,
            gradients,
            trained,
            first,
            input,
            labels,
            logits: x,
            dlogits: device.alloc_for(&memory, activation, x.len)?,
            layers,
            scratch,
            memory,
        })
    }

    /// The plan that makes the copy of the weights that products read, from the parameters in `weights`; empty where
    /// they read the parameters themselves. To be run before [`Network::forward`] wherever something other than the
    /// optimiser has changed them, or another arena's parameters are wanted.
    ///
    /// # Errors
    /// As [`Network::forward`].
    pub fn prepare(&self, weights: View) -> Result<Vec<Planned>> {
        let Some(copy) = self.copy else { return Ok(Vec::new()) };
        let cast = Kind::Cast(Cast { len: weights.len });
        Ok(vec![Planned::new("prepare", "", Operation::new(cast, self.precision, &[weights, copy])?)])
    }

    /// The plan of the layers on `input` with the parameters in `weights` (this network's arena or an average of it).
    ///
    /// # Errors
    /// None that a network of this kind can have; see [`Operation::new`].
    pub fn forward(&self, weights: View, mode: Mode) -> Result<Vec<Planned>> {
        let mut plan = Vec::new();
        for layer in &self.layers {
            let (x, y) = (layer.x, layer.y);
            let (kind, views) = match layer.computes {
                Computes::Weighted { shape, relu, weight, bias } => {
                    let (w, b) = (part(self.copy.unwrap_or(weights), weight), part(weights, bias));
                    (Kind::Layer(LayerPass { shape, pass: Pass::Forward { relu } }), vec![x, w, b, y])
                }
                Computes::Pool { shape, argmax } => (Kind::Pool(Pool { shape, backward: false }), vec![x, y, argmax]),
                Computes::Dropout { number, p } => match mode {
                    Mode::Train { seed } if p > 0.0 => {
                        (Kind::Dropout(Dropout { seed, layer: number, p, len: x.len }), vec![x])
                    }
                    _ => continue,
                },
            };
            plan.push(layer.planned("forward", kind, self.precision, &views)?);
        }
        Ok(plan)
    }

    /// Each layer's index in the model and its output of the last forward pass, `[batch, h, w, c]`; a dropout has none
    /// of its own. In a network for evaluation only the last is still there.
    pub fn outputs(&self) -> Vec<(usize, View)> {
        let own = |(index, layer): (usize, &Placed)| (layer.x != layer.y).then_some((index, layer.y));
        self.layers.iter().enumerate().filter_map(own).collect()
    }

    /// The plan from `dlogits` back to the gradients of all parameters; it follows [`Network::forward`] in training
    /// mode with the same seed.
    ///
    /// # Errors
    /// As [`Network::forward`].
    ///
    /// # Panics
    /// If the network was made without gradients.
    pub fn backward(&self, seed: u64) -> Result<Vec<Planned>> {
        let gradients = self.gradients.expect("a network made for training");
        let (mut plan, mut dy, mut spare) = (Vec::new(), self.dlogits, self.scratch);
        let part = |arena, (offset, len): (usize, usize)| part(arena, (offset - self.trained, len));
        for (index, layer) in self.layers.iter().enumerate().skip(self.first).rev() {
            let x = layer.x;
            let dx = (index > self.first).then(|| spare[0].slice(0, x.len));
            let mut add = |kind: Kind, views: &[View]| -> Result<()> {
                plan.push(layer.planned("backward", kind, self.precision, views)?);
                Ok(())
            };
            match layer.computes {
                Computes::Weighted { shape, weight, bias, .. } => {
                    let (dw, db) = (part(gradients, weight), part(gradients, bias));
                    add(Kind::Layer(LayerPass { shape, pass: Pass::BackwardWeight }), &[x, dy, dw, db])?;
                    if let Some(dx) = dx {
                        let w = self.copy.unwrap_or(self.weights).slice(weight.0, weight.1);
                        let masked = layer.after_relu;
                        let views = [dy, w, dx, x];
                        let kind = Kind::Layer(LayerPass { shape, pass: Pass::BackwardData { masked } });
                        add(kind, if masked { &views } else { &views[..3] })?;
                    }
                }
                Computes::Pool { shape, argmax } => {
                    if let Some(dx) = dx {
                        add(Kind::Pool(Pool { shape, backward: true }), &[dy, argmax, dx])?;
                    }
                }
                Computes::Dropout { number, p } => {
                    if p > 0.0 {
                        add(Kind::Dropout(Dropout { seed, layer: number, p, len: dy.len }), &[dy])?;
                    }
                    continue;
                }
            }
            if let Some(dx) = dx {
                dy = dx;
                spare.swap(0, 1);
            }
        }
        Ok(plan)
    }
}
