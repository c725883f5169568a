//! The trainer: a network, its data and its optimiser on a device, and the loop over steps and epochs.

use super::checkpoint::{self, BEST, Best, Checkpoint, LAST, Meta};
use super::config::{Config, check_dataset};
use super::evaluation::{Evaluation, EvaluationBuffers, Resident, read_stats, run_evaluation};
use super::init;
use super::metrics::{self, Epoch};
use super::recipe::Optimizer;
use super::samples::{Samples, steps_after};
use crate::data::{Dataset, atomic};
use crate::device::{Arenas, DType, Device, StepState, View, download_f32, ranged, upload_f32};
use crate::error::{Error, Result};
use crate::model::{Layer, Model};
use crate::network::{Mode, Network};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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
    /// The epoch last warned about.
    warned: u64,
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
        let network = Network::new(device, &model, config.recipe.batch, true)?;
        let gradients = network.gradients.expect("made for training");
        let mut arena = |name: &str, wanted: bool| -> Result<Option<View>> {
            if !wanted {
                return Ok(None);
            }
            let view = device.alloc(DType::F32, network.weights.len)?;
            device.zero(view)?;
            if let Some(values) = from.as_mut().and_then(|c| c.take(name)) {
                upload_f32(device, view, &values)?;
            }
            Ok(Some(view))
        };
        let adam = matches!(config.recipe.optimizer, Optimizer::Adam(_));
        let moment1 = arena("moment1", true)?.expect("wanted");
        let moment2 = arena("moment2", adam)?;
        let ema = arena("ema", config.recipe.ema.is_some())?;
        match from.as_mut().and_then(|c| c.take("weights")) {
            Some(values) => upload_f32(device, network.weights, &values)?,
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
        let validation = validation.map(|v| Resident::new(device, &v)).transpose()?;
        let step = from.as_ref().map_or(0, |c| c.meta.step);
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
            warned: 0,
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
                    if 2 * (self.step - first) > last - first {
                        self.warn_if_guessing(sum / count, tell);
                    }
                }
                // At the epoch's last step its evaluation comes first: a checkpoint stands for whole epochs up to its
                // step, so that a resumed run never owes one.
                if self.step == last {
                    break;
                }
                if stop.load(Ordering::SeqCst) {
                    self.save(device)?;
                    return Ok(Outcome::Interrupted);
                }
                if saved.elapsed() >= save_every {
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
            if stop.load(Ordering::SeqCst) && self.step < end {
                return Ok(Outcome::Interrupted);
            }
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
            ranged(d, "batch", |d| {
                d.gather(&gather, train.pixels, train.labels, self.indices, x, labels)
            })?;
            net.forward(d, net.weights, Mode::Train { seed })?;
            let (classes, dlogits) = (net.model.classes, Some(net.dlogits));
            ranged(d, "loss", |d| {
                let (kind, logits) = (recipe.loss, net.logits);
                d.loss(kind, classes, logits, labels, dlogits, self.stats)
            })?;
            net.backward(d, seed)?;
            ranged(d, "optimizer", |d| match &recipe.optimizer {
                Optimizer::Adam(p) => d.adam(p, &self.arenas),
                Optimizer::Sgd(p) => d.sgd(p, &self.decayed, &self.arenas),
            })
        })?;
        self.step += 1;
        Ok(())
    }

    fn refuse_non_finite(&self, bad: f64) -> Result<()> {
        if bad == 0.0 {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "the loss or the weights are no longer finite numbers near step {}: training diverged. The last checkpoint in \
             {} is from before and intact. Try a smaller --lr (it is {}), or --recipe robust",
            self.step,
            self.dir.display(),
            self.config.recipe.lr
        )))
    }

    /// Warns, once an epoch, when the epoch's mean loss so far is that of guessing, ln(classes). The first steps of a
    /// run, where it is everyone's, are let pass.
    fn warn_if_guessing(&mut self, loss: f64, tell: &mut dyn FnMut(Event)) {
        let chance = (self.config.classes as f64).ln();
        let epoch = self.epochs.last().map_or(0, |e| e.epoch) + 1;
        if (loss - chance).abs() < 0.01 * chance && self.step >= 100 && self.warned != epoch {
            self.warned = epoch;
            tell(Event::Warning(format!(
                "epoch {epoch}: the mean loss {loss:.4} is that of guessing (ln {} = {chance:.4}): the network does not \
                 learn. Plain VGG does so with a small fixed-deviation initialisation; --recipe robust trains it, and a \
                 smaller --lr may help",
                self.config.classes
            )));
        }
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
        self.warn_if_guessing(line.train_loss, tell);
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
    ///
    /// # Errors
    /// Those of the file system, and weights or losses that are no longer finite: the checkpoint before stays then.
    pub fn save(&self, device: &mut dyn Device) -> Result<()> {
        let stats = read_stats(device, self.stats)?;
        self.refuse_non_finite(stats[3])?;
        let a = &self.arenas;
        let named = [
            ("weights", Some(a.weights)),
            ("moment1", Some(a.moment1)),
            ("moment2", a.moment2),
            ("ema", a.ema),
        ];
        let views: Vec<(&str, View)> = named
            .into_iter()
            .filter_map(|(name, view)| Some((name, view?)))
            .collect();
        let names: Vec<&str> = views.iter().map(|(name, _)| *name).collect();
        let meta = Meta::new(self.step, self.config.clone(), self.best, stats);
        checkpoint::write(&self.dir.join(LAST), &meta, &names, &mut |name| {
            let (_, view) = views.iter().find(|(n, _)| *n == name).expect("named above");
            let values = download_f32(device, *view)?;
            let bad = values.iter().filter(|v| !v.is_finite()).count();
            self.refuse_non_finite(bad as f64)?;
            Ok(values)
        })
    }
}

/// Weights and biases of linear layers.
fn decayed_ranges(model: &Model) -> Vec<(usize, usize)> {
    let linear = |layer: usize| matches!(model.layers[layer].1, Layer::Linear { .. });
    let parameters = model.parameters();
    let own = parameters.iter().filter(|p| linear(p.layer));
    own.map(|p| (p.offset, p.len)).collect()
}
