//! The trainer: a network, its data and its optimiser on a device, and the loop over steps and epochs.

use super::checkpoint::{BEST, Best, Checkpoint, LAST, Meta};
use super::init;
use super::metrics::{self, Epoch};
use super::recipe::{Optimizer, Recipe};
use super::samples::{Samples, steps_after};
use crate::data::{Dataset, Split};
use crate::device::{Arenas, DType, Device, StepState, View, download_f32, upload_f32};
use crate::error::{Error, Result};
use crate::model::{Layer, Model, Shape, zoo};
use crate::network::{Mode, Network};
use crate::ops::batch::Gather;
use crate::ops::loss::LossKind;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// All that determines a run's numbers, beside the data and the kind of device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub model: String,
    /// Input size, `HxWxC`.
    pub input: String,
    pub classes: usize,
    pub dataset: String,
    pub recipe: Recipe,
    pub seed: u64,
    /// Images trained on.
    pub images: usize,
    /// Training images held out, on which the best epoch is chosen; 0: the test images choose it.
    pub validation: usize,
}

impl Config {
    /// The network, with the recipe's dropout.
    pub fn model(&self) -> Result<Model> {
        let mut model = zoo::build(&self.model, self.input.parse()?, self.classes)?;
        model.set_dropout(&self.recipe.dropout);
        Ok(model)
    }

    /// How batches are made; without deformation for evaluation.
    pub fn gather(&self, batch: usize, training: bool) -> Result<Gather> {
        let Shape { h, w, c } = self.input.parse()?;
        Ok(Gather {
            n: batch,
            h,
            w,
            c,
            mean: self.recipe.mean,
            std: self.recipe.std,
            seed: self.seed,
            augment: self.recipe.augment.filter(|_| training),
        })
    }

    /// Steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        steps_after(self.recipe.epochs, self.images, self.recipe.batch)
    }
}

/// A split's bytes on a device.
struct Resident {
    pixels: View,
    labels: View,
    count: usize,
}

impl Resident {
    fn new(device: &mut dyn Device, split: &Split) -> Result<Resident> {
        let pixels = device.alloc(DType::U8, split.images.pixels.len())?;
        device.upload(pixels, &split.images.pixels)?;
        let labels = device.alloc(DType::U8, split.labels.len())?;
        device.upload(labels, &split.labels)?;
        Ok(Resident {
            pixels,
            labels,
            count: split.len(),
        })
    }
}

/// The result of running a network over a split.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Mean cross-entropy.
    pub loss: f64,
    pub correct: usize,
    /// Softmax outputs, `[images, classes]`.
    pub probabilities: Vec<f32>,
    pub classes: usize,
}

impl Evaluation {
    /// Number of images.
    pub fn count(&self) -> usize {
        self.probabilities.len() / self.classes
    }
    /// Share of correct answers.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.count() as f64
    }
}

/// Views an evaluation writes to, made once.
struct EvaluationBuffers {
    indices: View,
    stats: View,
    probabilities: View,
}

impl EvaluationBuffers {
    fn new(device: &mut dyn Device, network: &Network) -> Result<EvaluationBuffers> {
        Ok(EvaluationBuffers {
            indices: device.alloc(DType::U32, network.batch)?,
            stats: device.alloc(DType::F64, 4)?,
            probabilities: device.alloc(DType::F32, network.logits.len)?,
        })
    }
}

/// Runs evaluated weights over a split on a network made for it.
///
/// # Errors
/// Those of the device.
pub fn evaluate(
    device: &mut dyn Device,
    config: &Config,
    weights: &[f32],
    split: &Split,
    batch: usize,
) -> Result<Evaluation> {
    let network = Network::new(device, &config.model()?, batch, false)?;
    upload_f32(device, network.weights, weights)?;
    let buffers = EvaluationBuffers::new(device, &network)?;
    let data = Resident::new(device, split)?;
    run_evaluation(
        device,
        config,
        &network,
        network.weights,
        &data,
        &buffers,
        "eval",
    )
}

fn run_evaluation(
    device: &mut dyn Device,
    config: &Config,
    network: &Network,
    weights: View,
    data: &Resident,
    to: &EvaluationBuffers,
    name: &str,
) -> Result<Evaluation> {
    let (batch, classes) = (network.batch, network.model.classes);
    let gather = config.gather(batch, false)?;
    device.zero(to.stats)?;
    let mut probabilities = Vec::with_capacity(data.count * classes);
    for start in (0..data.count).step_by(batch) {
        let count = batch.min(data.count - start);
        // A last batch that is not full is filled up with its own last image, whose results are left out.
        let at = |i: usize| (start + i.min(count - 1)) as u32;
        let indices: Vec<u32> = (0..batch).map(at).collect();
        device.upload(to.indices, bytemuck::cast_slice(&indices))?;
        device.record(name, &mut |d| {
            let (x, labels) = (network.input, network.labels);
            d.gather(&gather, data.pixels, data.labels, to.indices, x, labels)?;
            network.forward(d, weights, Mode::Eval)?;
            d.softmax(classes, network.logits, to.probabilities)
        })?;
        let logits = network.logits.slice(0, count * classes);
        let labels = network.labels.slice(0, count);
        device.loss(LossKind::Mean, classes, logits, labels, None, to.stats)?;
        let here = to.probabilities.slice(0, count * classes);
        probabilities.extend(download_f32(device, here)?);
    }
    let [sum, correct, ..] = read_stats(device, to.stats)?;
    Ok(Evaluation {
        loss: sum / data.count as f64,
        correct: correct as usize,
        probabilities,
        classes,
    })
}

fn read_stats(device: &mut dyn Device, view: View) -> Result<[f64; 4]> {
    let mut stats = [0.0; 4];
    device.download(view, bytemuck::cast_slice_mut(&mut stats))?;
    Ok(stats)
}

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
    /// The epoch's steps are done and its evaluation begins.
    Evaluating,
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
    pub best: Option<Best>,
    /// Optimiser steps done.
    pub step: u64,
    network: Network,
    arenas: Arenas,
    /// Ranges of the parameter arena that L2 applies to.
    decayed: Vec<(usize, usize)>,
    train: Resident,
    test: Resident,
    validation: Option<Resident>,
    samples: Samples,
    indices: View,
    stats: View,
    buffers: EvaluationBuffers,
}

/// How often the progress is read from the device.
const PROGRESS: Duration = Duration::from_millis(500);

impl Trainer {
    /// Sets a run up on a device, fresh or from a checkpoint. `dir` must exist.
    ///
    /// # Errors
    /// A dataset that does not fit the configuration, out of memory, a metrics file that cannot be read.
    pub fn new(
        device: &mut dyn Device,
        config: Config,
        dataset: &Dataset,
        dir: &Path,
        from: Option<&Checkpoint>,
    ) -> Result<Trainer> {
        config.recipe.check()?;
        check_dataset(&config, dataset)?;
        let model = config.model()?;
        let network = Network::new(device, &model, config.recipe.batch, true)?;
        let gradients = network.gradients.expect("made for training");
        let mut arena = |name: &str, wanted: bool| -> Result<Option<View>> {
            if !wanted {
                return Ok(None);
            }
            let view = device.alloc(DType::F32, network.weights.len)?;
            device.zero(view)?;
            if let Some(values) = from.and_then(|c| c.arena(name)) {
                upload_f32(device, view, values)?;
            }
            Ok(Some(view))
        };
        let adam = matches!(config.recipe.optimizer, Optimizer::Adam(_));
        let moment1 = arena("moment1", true)?.expect("wanted");
        let moment2 = arena("moment2", adam)?;
        let ema = arena("ema", config.recipe.ema.is_some())?;
        match from.and_then(|c| c.arena("weights")) {
            Some(values) => upload_f32(device, network.weights, values)?,
            None => {
                let values = init::weights(&model, config.recipe.init, config.seed);
                upload_f32(device, network.weights, &values)?;
                if let Some(ema) = ema {
                    device.copy(network.weights, ema)?;
                }
            }
        }
        let stats = device.alloc(DType::F64, 4)?;
        device.zero(stats)?;
        if let Some(checkpoint) = from {
            device.upload(stats, bytemuck::cast_slice(&checkpoint.meta.stats))?;
        }
        let (train, validation) = match config.validation {
            0 => (dataset.train.head(config.images), None),
            n => {
                let split = dataset.split_validation(n)?;
                (split.train.head(config.images), Some(split.test))
            }
        };
        let validation = validation.map(|v| Resident::new(device, &v)).transpose()?;
        let step = from.map_or(0, |c| c.meta.step);
        let mut epochs = metrics::read(&dir.join("metrics.jsonl"))?;
        epochs.retain(|e| e.step <= step);
        Ok(Trainer {
            decayed: decayed_ranges(&model),
            train: Resident::new(device, &train)?,
            test: Resident::new(device, &dataset.test)?,
            validation,
            samples: Samples::new(config.seed, config.images),
            indices: device.alloc(DType::U32, config.recipe.batch)?,
            stats,
            buffers: EvaluationBuffers::new(device, &network)?,
            arenas: Arenas {
                weights: network.weights,
                gradients,
                moment1,
                moment2,
                ema,
            },
            network,
            dir: dir.to_path_buf(),
            epochs,
            best: from.and_then(|c| c.meta.best),
            step,
            config,
        })
    }

    /// Trains until the end, the step limit, or until `stop` is set; writes metrics and checkpoints on the way.
    ///
    /// # Errors
    /// A loss that is no longer finite, and those of the device and the file system. The last good checkpoint stays.
    pub fn run(
        &mut self,
        device: &mut dyn Device,
        limit: Option<u64>,
        save_every: Duration,
        stop: &AtomicBool,
        tell: &mut dyn FnMut(Event),
    ) -> Result<Outcome> {
        let total = self.config.total_steps();
        let end = limit.map_or(total, |l| l.min(total));
        let before = self.epochs.last().map_or(0.0, |e| e.seconds);
        let start = Instant::now();
        let mut saved = Instant::now();
        let (images, batch) = (self.config.images, self.config.recipe.batch);
        while self.step < end {
            let epoch = self.step * batch as u64 / images as u64;
            let first = steps_after(epoch, images, batch);
            let last = steps_after(epoch + 1, images, batch);
            let (began, from) = (Instant::now(), self.step);
            let mut shown: Option<Instant> = None;
            while self.step < last.min(end) {
                self.train_step(device)?;
                if shown.is_none_or(|t| t.elapsed() >= PROGRESS) || self.step == last.min(end) {
                    shown = Some(Instant::now());
                    let [sum, correct, count, bad] = read_stats(device, self.stats)?;
                    self.refuse_non_finite(bad)?;
                    let done = (self.step - from) * batch as u64;
                    tell(Event::Progress {
                        epoch: epoch + 1,
                        done: self.step - first,
                        steps: last - first,
                        loss: sum / count,
                        accuracy: correct / count,
                        images_per_second: done as f64 / began.elapsed().as_secs_f64(),
                    });
                }
                if stop.load(Ordering::SeqCst) {
                    self.save(device)?;
                    return Ok(Outcome::Interrupted);
                }
                if saved.elapsed() >= save_every && self.step < last {
                    self.save(device)?;
                    saved = Instant::now();
                }
            }
            if self.step < last {
                break;
            }
            device.synchronize()?;
            let speed = ((last - from) * batch as u64) as f64 / began.elapsed().as_secs_f64();
            tell(Event::Evaluating);
            let clock = || before + start.elapsed().as_secs_f64();
            let improved = self.finish_epoch(device, epoch + 1, speed, &clock, tell)?;
            self.save(device)?;
            saved = Instant::now();
            let line = self.epochs.last().expect("just added");
            tell(Event::Epoch(line, improved));
        }
        if self.step < total {
            self.save(device)?;
            return Ok(Outcome::StepLimit);
        }
        Ok(Outcome::Finished)
    }

    /// One optimiser step on the next batch.
    fn train_step(&mut self, device: &mut dyn Device) -> Result<()> {
        let recipe = &self.config.recipe;
        let (step, seed) = (self.step, self.config.seed);
        device.set_step(StepState {
            step,
            lr: recipe.lr_at(step, self.config.images),
            ema_decay: recipe.ema_at(step),
        })?;
        let indices = self.samples.batch(step, recipe.batch);
        device.upload(self.indices, bytemuck::cast_slice(&indices))?;
        let gather = self.config.gather(recipe.batch, true)?;
        let (net, train) = (&self.network, &self.train);
        device.record("step", &mut |d| {
            let (x, labels) = (net.input, net.labels);
            d.gather(&gather, train.pixels, train.labels, self.indices, x, labels)?;
            net.forward(d, net.weights, Mode::Train { seed })?;
            let (classes, dlogits) = (net.model.classes, Some(net.dlogits));
            d.loss(
                recipe.loss,
                classes,
                net.logits,
                labels,
                dlogits,
                self.stats,
            )?;
            net.backward(d, seed)?;
            match &recipe.optimizer {
                Optimizer::Adam(p) => d.adam(p, &self.arenas),
                Optimizer::Sgd(p) => d.sgd(p, &self.decayed, &self.arenas),
            }
        })?;
        self.step += 1;
        Ok(())
    }

    fn refuse_non_finite(&self, bad: f64) -> Result<()> {
        if bad == 0.0 {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "the loss is no longer a finite number near step {}: training diverged. The last checkpoint in {} is from \
             before and intact. Try a smaller --lr (it is {}), or --recipe robust",
            self.step,
            self.dir.display(),
            self.config.recipe.lr
        )))
    }

    /// Evaluates, adds the line of metrics, keeps the best weights; whether this epoch is the best.
    fn finish_epoch(
        &mut self,
        device: &mut dyn Device,
        epoch: u64,
        images_per_second: f64,
        clock: &dyn Fn() -> f64,
        tell: &mut dyn FnMut(Event),
    ) -> Result<bool> {
        let [sum, correct, count, bad] = read_stats(device, self.stats)?;
        self.refuse_non_finite(bad)?;
        device.zero(self.stats)?;
        let raw = self.network.weights;
        let judged = self.arenas.ema.unwrap_or(raw);
        let test = self.evaluate(device, judged, &self.test, "eval test")?;
        let plain = match self.arenas.ema {
            Some(_) => Some(self.evaluate(device, raw, &self.test, "eval test raw")?),
            None => None,
        };
        let val = match &self.validation {
            Some(v) => Some(self.evaluate(device, judged, v, "eval validation")?),
            None => None,
        };
        let line = Epoch {
            epoch,
            step: self.step,
            train_loss: sum / count,
            train_accuracy: correct / count,
            test_loss: test.loss,
            test_accuracy: test.accuracy(),
            test_loss_raw: plain.as_ref().map(|e| e.loss),
            test_accuracy_raw: plain.as_ref().map(Evaluation::accuracy),
            val_loss: val.as_ref().map(|e| e.loss),
            val_accuracy: val.as_ref().map(Evaluation::accuracy),
            lr: self.config.recipe.lr_at(self.step - 1, self.config.images),
            seconds: clock(),
            images_per_second,
        };
        let chance = (self.config.classes as f64).ln();
        if (line.train_loss - chance).abs() < 0.01 * chance {
            tell(Event::Warning(format!(
                "epoch {epoch}: the loss {:.4} is that of guessing (ln {} = {chance:.4}): the network does not learn. \
                 Plain VGG does so with a small fixed-deviation initialisation; --recipe robust trains it",
                line.train_loss, self.config.classes
            )));
        }
        let chosen = val.as_ref().unwrap_or(&test);
        let better = |b: &Best| (chosen.accuracy(), -chosen.loss) > (b.accuracy, -b.loss);
        let improved = self.best.as_ref().is_none_or(better);
        if improved {
            self.best = Some(Best {
                epoch,
                accuracy: chosen.accuracy(),
                loss: chosen.loss,
            });
            let weights = download_f32(device, judged)?;
            Checkpoint {
                meta: Meta::new(self.step, self.config.clone(), self.best, [0.0; 4]),
                arenas: vec![("weights", weights)],
            }
            .write(&self.dir.join(BEST))?;
        }
        self.epochs.push(line);
        metrics::write(&self.dir.join("metrics.jsonl"), &self.epochs)?;
        Ok(improved)
    }

    fn evaluate(
        &self,
        device: &mut dyn Device,
        weights: View,
        data: &Resident,
        name: &str,
    ) -> Result<Evaluation> {
        let (net, to) = (&self.network, &self.buffers);
        run_evaluation(device, &self.config, net, weights, data, to, name)
    }

    /// Evaluates the weights as they are on the test images.
    pub fn test(&self, device: &mut dyn Device) -> Result<Evaluation> {
        let judged = self.arenas.ema.unwrap_or(self.network.weights);
        self.evaluate(device, judged, &self.test, "eval test")
    }

    /// Writes the newest state to the run folder.
    pub fn save(&self, device: &mut dyn Device) -> Result<()> {
        let a = &self.arenas;
        let named = [
            ("weights", Some(a.weights)),
            ("moment1", Some(a.moment1)),
            ("moment2", a.moment2),
            ("ema", a.ema),
        ];
        let mut arenas = Vec::new();
        for (name, view) in named {
            if let Some(view) = view {
                arenas.push((name, download_f32(device, view)?));
            }
        }
        let stats = read_stats(device, self.stats)?;
        let meta = Meta::new(self.step, self.config.clone(), self.best, stats);
        Checkpoint { meta, arenas }.write(&self.dir.join(LAST))
    }
}

/// Weights and biases of linear layers.
fn decayed_ranges(model: &Model) -> Vec<(usize, usize)> {
    let linear = |layer: usize| matches!(model.layers[layer].1, Layer::Linear { .. });
    let parameters = model.parameters();
    let own = parameters.iter().filter(|p| linear(p.layer));
    own.map(|p| (p.offset, p.len)).collect()
}

/// An error if a dataset is not what the configuration was made for.
pub fn check_dataset(config: &Config, dataset: &Dataset) -> Result<()> {
    let images = &dataset.test.images;
    let size = format!("{}x{}x1", images.height, images.width);
    if size != config.input {
        return Err(Error::Shape {
            what: format!("image size of the dataset {}", dataset.name),
            expected: config.input.clone(),
            found: size,
        });
    }
    if dataset.classes != config.classes {
        return Err(Error::Invalid(format!(
            "the dataset {} has {} classes, the network was made for {}; give the dataset the run was trained on ({}) \
             with --data or --dataset",
            dataset.name, dataset.classes, config.classes, config.dataset
        )));
    }
    let available = dataset.train.len().saturating_sub(config.validation);
    if config.images == 0 || config.images > available {
        return Err(Error::Invalid(format!(
            "the run trains on {} images, the dataset {} has {available} for it",
            config.images, dataset.name
        )));
    }
    Ok(())
}
