//! The trainer: a network, its data and its optimiser on a device, and the loop over steps and epochs.

mod epoch;
mod save;
mod steps;

use super::checkpoint::{Best, Checkpoint};
use super::config::{Config, check_dataset};
use super::evaluation::EvaluationBuffers;
use super::feed::{Ahead, Feed};
use super::init;
use super::metrics::{self, EPOCHS, Epoch, Point, STEPS};
use super::predictions::Asked;
use super::recipe::Optimizer;
use super::samples::Samples;
use crate::data::{Dataset, Split, atomic};
use crate::device::{DType, Device, View, run_plan, upload_f32};
use crate::error::Result;
use crate::model::{Layer, Model};
use crate::network::{Mode, Network, Purpose, evaluation_batch};
use crate::ops::loss::Loss;
use crate::ops::operation::{Kind, Operation, Planned};
use crate::ops::optimizer::{Adam, Arenas, Sgd};
use crate::ops::scaling::{self, Scaling};
use std::path::{Path, PathBuf};

/// What the trainer tells whoever shows it.
pub enum Event<'a> {
    /// The running means of the epoch under way; at most twice a second.
    Progress {
        epoch: u64,
        /// Steps done and to do in this epoch.
        done: u64,
        steps: u64,
        loss: f64,
        accuracy: f64,
        images_per_second: f64,
    },
    /// The epoch's steps are done, and so many of the images of an evaluation.
    Evaluating { done: usize, images: usize },
    /// An epoch is over.
    Epoch(&'a Epoch, bool),
    /// Something the user should know.
    Warning(String),
}

/// Why training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Finished,
    /// The step limit was reached.
    StepLimit,
    /// It was asked to stop; a checkpoint was written.
    Interrupted,
}

/// A run in progress.
pub struct Trainer {
    pub config: Config,
    pub dir: PathBuf,
    pub epochs: Vec<Epoch>,
    /// The loss on the way.
    pub points: Vec<Point>,
    pub best: Option<Best>,
    /// Optimiser steps done.
    pub step: u64,
    /// Whether every epoch tests the plain weights too, where there is an average; else the last one does.
    pub plain_too: bool,
    /// The epoch last warned about.
    warned: u64,
    network: Network,
    /// The same parameters for running over whole splits.
    evaluator: Network,
    arenas: Arenas,
    /// A step, from its batch to the new weights.
    plan: Vec<Planned>,
    train: Feed,
    /// The next step's batch, where images stay on disk.
    ahead: Ahead,
    test: Feed,
    asked: Asked,
    validation: Option<Feed>,
    samples: Samples,
    stats: View,
    buffers: EvaluationBuffers,
}

impl Trainer {
    /// Sets a run up on a device, fresh or from a checkpoint, whose arenas are freed as they arrive there. `dir` must
    /// exist.
    ///
    /// # Errors
    /// A dataset that does not fit the configuration, out of memory, a metrics file that cannot be read.
    pub fn new(
        device: &mut dyn Device,
        config: Config,
        dataset: &Dataset,
        dir: &Path,
        mut from: Option<Checkpoint>,
    ) -> Result<Trainer> {
        config.check()?;
        check_dataset(&config, dataset)?;
        atomic::sweep(dir);
        let model = config.model()?;
        let purpose = if config.frozen_features { Purpose::Tuning } else { Purpose::Training };
        let network = Network::new(device, &model, config.precision, config.recipe.batch, purpose)?;
        let gradients = network.gradients.expect("made for training");
        // The weights first: what they were read into is free again before there are moments.
        let values = from.as_mut().and_then(|c| c.take("weights"));
        let values = values.unwrap_or_else(|| init::weights(&model, config.recipe.init, config.seed));
        upload_f32(device, network.weights, &values)?;
        drop(values);
        let mut arena = |name: &str, len: usize| -> Result<(View, bool)> {
            let view = device.alloc_for(&network.memory, DType::F32, len)?;
            device.zero(view)?;
            let values = from.as_mut().and_then(|c| c.take(name));
            values.as_ref().map(|values| upload_f32(device, view, values)).transpose()?;
            Ok((view, values.is_some()))
        };
        let adam = matches!(config.recipe.optimizer, Optimizer::Adam(_));
        let (moment1, _) = arena("moment1", gradients.len)?;
        let moment2 = if adam { Some(arena("moment2", gradients.len)?.0) } else { None };
        let average = if config.recipe.ema.is_some() { Some(arena("ema", network.weights.len)?) } else { None };
        if let Some((ema, false)) = average {
            device.copy(network.weights, ema)?;
        }
        let ema = average.map(|(ema, _)| ema);
        run_plan(device, &network.prepare(network.weights)?)?;
        let scaling = if config.precision.scales_gradients() {
            let state = from.as_ref().and_then(|c| c.meta.scaling).unwrap_or(scaling::START);
            let view = device.alloc_for(&network.memory, DType::F32, scaling::STATE)?;
            upload_f32(device, view, &state)?;
            Some(view)
        } else {
            None
        };
        let stats = device.alloc_for(&network.memory, DType::F64, 4)?;
        device.zero(stats)?;
        if let Some(checkpoint) = &from {
            device.upload(stats, bytemuck::cast_slice(&checkpoint.meta.stats))?;
        }
        let (train, validation) = match config.validation {
            0 => (dataset.train.head(config.images), None),
            n => {
                let split = dataset.split_validation(n)?;
                (split.train.head(config.images), Some(split.test))
            }
        };
        let step = from.as_ref().map_or(0, |c| c.meta.step);
        let mut epochs: Vec<Epoch> = metrics::read(&dir.join(EPOCHS))?;
        epochs.retain(|e| e.step <= step);
        let mut points: Vec<Point> = metrics::read(&dir.join(STEPS))?;
        points.retain(|p| p.step <= step);
        let train = Feed::new(device, &network.memory, &train, config.recipe.batch)?;
        let tested = config.tested(dataset);
        let evaluated = evaluation_batch(&model, tested.len().max(config.validation));
        let evaluator = network.evaluator(device, evaluated)?;
        let mut feed = |split: &Split| Feed::new(device, &network.memory, split, evaluated);
        let (test, validation) = (feed(&tested)?, validation.as_ref().map(feed).transpose()?);
        let (weights, copy) = (network.weights, network.copy);
        let arenas = Arenas { weights, gradients, moment1, moment2, ema, copy, scaling };
        Ok(Trainer {
            plan: plan(&config, &network, &train, &arenas, stats)?,
            train,
            ahead: Ahead::default(),
            test,
            asked: Asked::new(&tested)?,
            plain_too: false,
            validation,
            samples: Samples::new(config.seed, config.images),
            stats,
            buffers: EvaluationBuffers::new(device, &evaluator)?,
            evaluator,
            arenas,
            network,
            dir: dir.to_path_buf(),
            epochs,
            points,
            best: from.and_then(|c| c.meta.best),
            step,
            warned: 0,
            config,
        })
    }

    /// The operations of a step in their order.
    pub fn plan(&self) -> &[Planned] {
        &self.plan
    }
}

/// The plan of a step: the batch, forward, the loss, which adds to `stats`, backward, and the optimiser's step.
fn plan(config: &Config, network: &Network, train: &Feed, arenas: &Arenas, stats: View) -> Result<Vec<Planned>> {
    let (recipe, seed) = (&config.recipe, config.seed);
    let of = |kind, views: &[View]| Operation::new(kind, config.precision, views);
    let mut plan = vec![Planned::new("batch", "", train.gather(config, network, true)?)];
    plan.extend(network.forward(network.weights, Mode::Train { seed })?);
    let loss = Loss { kind: recipe.loss, rows: network.batch, classes: network.model.classes, gradient: true };
    let mut views = vec![network.logits, network.labels, stats, network.dlogits];
    views.extend(arenas.scaling);
    plan.push(Planned::new("loss", "", of(Kind::Loss(loss), &views)?));
    plan.extend(network.backward(seed)?);
    // What is trained: the arenas from there on.
    let from = network.trained;
    let (len, average) = (arenas.gradients.len, arenas.ema.is_some());
    let trained = |view: View| view.slice(from, len);
    let arenas = Arenas {
        weights: trained(arenas.weights),
        ema: arenas.ema.map(trained),
        copy: arenas.copy.map(trained),
        ..*arenas
    };
    if let Some(state) = arenas.scaling {
        let scaling = of(Kind::Scaling(Scaling { len }), &[arenas.gradients, state])?;
        plan.push(Planned::new("optimizer", "", scaling));
    }
    let optimizer = match recipe.optimizer {
        Optimizer::Adam(params) => Kind::Adam(Adam { params, len, average }),
        Optimizer::Sgd(params) => {
            Kind::Sgd(Sgd { params, decayed: decayed_ranges(&network.model, from), len, average })
        }
    };
    plan.push(Planned::new("optimizer", "", of(optimizer, &arenas.views())?));
    Ok(plan)
}

/// Weights and biases of linear layers.
fn decayed_ranges(model: &Model, from: usize) -> Vec<(usize, usize)> {
    let linear = |layer: usize| matches!(model.layers[layer].1, Layer::Linear { .. });
    let parameters = model.parameters();
    let own = parameters.iter().filter(|p| linear(p.layer));
    own.map(|p| (p.offset - from, p.len)).collect()
}
