//! Running a network over a whole split, without dropout or deformation.

use super::checkpoint::Checkpoint;
use super::config::{Config, check_dataset};
use super::feed::{Ahead, Feed};
use crate::data::{Dataset, Split};
use crate::device::{DType, Device, StepState, View, download_f32, download_numbers, run_plan, upload_f32};
use crate::error::{Error, Result};
use crate::model::Shape;
use crate::network::{Mode, Network, Purpose, evaluation_batch};
use crate::ops::loss::{Loss, LossKind, Softmax};
use crate::ops::operation::{Kind, Operation, Planned};

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
pub(super) struct EvaluationBuffers {
    stats: View,
    probabilities: View,
}

impl EvaluationBuffers {
    pub(super) fn new(device: &mut dyn Device, network: &Network) -> Result<EvaluationBuffers> {
        Ok(EvaluationBuffers {
            stats: device.alloc_for(&network.memory, DType::F64, 4)?,
            probabilities: device.alloc_for(&network.memory, DType::F32, network.logits.len)?,
        })
    }
}

/// Runs evaluated weights over a split on a network made for it; `tell` hears how many images are done of how many.
///
/// # Errors
/// Those of the device.
pub fn evaluate(
    device: &mut dyn Device,
    config: &Config,
    weights: &[f32],
    split: &Split,
    batch: usize,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    let network = Network::new(device, &config.model()?, config.precision, batch, Purpose::Evaluation)?;
    upload_f32(device, network.weights, weights)?;
    let buffers = EvaluationBuffers::new(device, &network)?;
    let data = Feed::new(device, &network.memory, split, batch)?;
    run_evaluation(device, config, &network, network.weights, &data, (&buffers, "eval"), tell)
}

/// Runs a checkpoint's evaluated weights over images of a dataset of its kind.
///
/// # Errors
/// A dataset of another size or with other classes; those of the device.
pub fn test_images(
    device: &mut dyn Device,
    checkpoint: &Checkpoint,
    dataset: &Dataset,
    split: &Split,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    let mut config = checkpoint.meta.config.clone();
    // How many images it was trained on does not matter here.
    (config.images, config.validation) = (dataset.train.len(), 0);
    check_dataset(&config, dataset)?;
    let batch = evaluation_batch(&config.model()?, split.len());
    evaluate(device, &config, checkpoint.evaluated()?, split, batch, tell)
}

/// One layer's output for one image.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The layer's name, `conv1_1`.
    pub layer: String,
    pub shape: Shape,
    /// `[h, w, c]`.
    pub values: Vec<f32>,
}

/// The output of every layer for one image of a split, without dropout or deformation.
///
/// # Errors
/// Those of the device.
pub fn activations(
    device: &mut dyn Device,
    config: &Config,
    weights: &[f32],
    split: &Split,
    image: usize,
) -> Result<Vec<Activation>> {
    let network = Network::new(device, &config.model()?, config.precision, 1, Purpose::Inspection)?;
    upload_f32(device, network.weights, weights)?;
    let data = Feed::new(device, &network.memory, split, 1)?;
    let samples = data.place(device, &mut Ahead::default(), vec![image as u32], || None)?;
    device.set_step(drawing_nothing(&samples))?;
    device.run(&data.gather(config, &network, false)?)?;
    run_plan(device, &network.prepare(network.weights)?)?;
    run_plan(device, &network.forward(network.weights, Mode::Eval)?)?;
    let shapes = network.model.shapes();
    let mut out = Vec::new();
    for (layer, view) in network.outputs() {
        out.push(Activation {
            layer: network.model.layers[layer].0.clone(),
            shape: shapes[layer].1,
            values: download_numbers(device, view)?,
        });
    }
    Ok(out)
}

/// The output of one layer for every image of a split, and its shape: `[images, features]`, or `[images, h, w, c]`.
///
/// # Errors
/// A layer that is not there, with those that are; those of the device.
pub fn embed(
    device: &mut dyn Device,
    config: &Config,
    weights: &[f32],
    split: &Split,
    layer: &str,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<(Vec<usize>, Vec<f32>)> {
    let model = config.model()?;
    let batch = evaluation_batch(&model, split.len());
    let network = Network::new(device, &model, config.precision, batch, Purpose::Inspection)?;
    let outputs = network.outputs();
    let name = |index: usize| network.model.layers[index].0.as_str();
    let Some(&(index, view)) = outputs.iter().find(|(index, _)| name(*index) == layer) else {
        let known: Vec<&str> = outputs.iter().map(|(index, _)| name(*index)).collect();
        return Err(Error::Invalid(format!("{} has no layer '{layer}'; it has {}", model.name, known.join(", "))));
    };
    let shape = network.model.shapes()[index].1;
    upload_f32(device, network.weights, weights)?;
    let data = Feed::new(device, &network.memory, split, batch)?;
    run_plan(device, &network.prepare(network.weights)?)?;
    let mut plan = vec![Planned::new("batch", "", data.gather(config, &network, false)?)];
    plan.extend(network.forward(network.weights, Mode::Eval)?);
    let mut values = Vec::with_capacity(split.len() * shape.len());
    let (mut all, mut ahead) = (batches(split.len(), batch).peekable(), Ahead::default());
    while let Some((done, count, samples)) = all.next() {
        let samples = data.place(device, &mut ahead, samples, || all.peek().map(|(.., next)| next.clone()))?;
        device.set_step(drawing_nothing(&samples))?;
        device.record("embed", &plan)?;
        values.extend(&download_numbers(device, view)?[..count * shape.len()]);
        tell(done, split.len());
    }
    let sizes = if shape.h * shape.w == 1 { vec![shape.c] } else { vec![shape.h, shape.w, shape.c] };
    Ok(([vec![split.len()], sizes].concat(), values))
}

/// Batches over so many images: the images that are done with each, how many are its own, and its samples. A last batch
/// that is not full is filled up with its own last image, whose results are to be left out.
fn batches(images: usize, batch: usize) -> impl Iterator<Item = (usize, usize, Vec<u32>)> {
    (0..images).step_by(batch).map(move |start| {
        let count = batch.min(images - start);
        let samples = (0..batch).map(|i| (start + i.min(count - 1)) as u32).collect();
        (start + count, count, samples)
    })
}

/// The step of a batch that no random numbers are drawn for and no weights changed with.
fn drawing_nothing(samples: &[u32]) -> StepState<'_> {
    StepState { step: 0, lr: 0.0, ema_decay: 0.0, samples }
}

pub(super) fn run_evaluation(
    device: &mut dyn Device,
    config: &Config,
    network: &Network,
    weights: View,
    data: &Feed,
    (to, name): (&EvaluationBuffers, &str),
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    let (batch, classes) = (network.batch, network.model.classes);
    let of = |kind, views: &[View]| Operation::new(kind, config.precision, views);
    let mut plan = vec![Planned::new("batch", "", data.gather(config, network, false)?)];
    plan.extend(network.forward(weights, Mode::Eval)?);
    let softmax = of(Kind::Softmax(Softmax { rows: batch, classes }), &[network.logits, to.probabilities])?;
    plan.push(Planned::new("", "", softmax));
    run_plan(device, &network.prepare(weights)?)?;
    device.zero(to.stats)?;
    let mut probabilities = Vec::with_capacity(data.count * classes);
    let (mut all, mut ahead) = (batches(data.count, batch).peekable(), Ahead::default());
    while let Some((done, count, samples)) = all.next() {
        let samples = data.place(device, &mut ahead, samples, || all.peek().map(|(.., next)| next.clone()))?;
        device.set_step(drawing_nothing(&samples))?;
        device.record(name, &plan)?;
        let loss = Loss { kind: LossKind::Mean, rows: count, classes, gradient: false };
        let views = [network.logits.slice(0, count * classes), network.labels.slice(0, count), to.stats];
        device.run(&of(Kind::Loss(loss), &views)?)?;
        let here = to.probabilities.slice(0, count * classes);
        probabilities.extend(download_f32(device, here)?);
        tell(done, data.count);
    }
    let [sum, correct, ..] = read_stats(device, to.stats)?;
    Ok(Evaluation { loss: sum / data.count as f64, correct: correct as usize, probabilities, classes })
}

pub(super) fn read_stats(device: &mut dyn Device, view: View) -> Result<[f64; 4]> {
    let mut stats = [0.0; 4];
    device.download(view, bytemuck::cast_slice_mut(&mut stats))?;
    Ok(stats)
}
