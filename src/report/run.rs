//! A run folder, read and evaluated for its pictures.

use super::guesses::{self, Guess};
use super::known::doubted;
use super::text::{percent_of, thousands};
use crate::data::dataset::spaced;
use crate::data::{Classes, Split};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::Parameter;
use crate::train::checkpoint::{self, BEST, Best, Checkpoint, LAST};
use crate::train::metrics::{self, EPOCHS, Epoch, Point, STEPS};
use crate::train::predictions;
use crate::train::record::{self, Record};
use crate::train::{Activation, Config, Evaluation, activations, test_images};
use std::path::Path;

/// A run: what it was, its epochs, and its answers to the test images where it has a checkpoint.
pub struct Run {
    /// The folder's name, or the path where two runs would have the same.
    pub label: String,
    pub config: Config,
    pub classes: Classes,
    /// The device it was trained on, in its own words; empty where it is not known.
    pub device: String,
    /// The version of the program that made it and the command line; empty where they are not known.
    pub version: String,
    pub command: String,
    pub epochs: Vec<Epoch>,
    /// The training loss on the way.
    pub points: Vec<Point>,
    pub best: Option<Best>,
    pub tested: Option<Tested>,
}

/// The answers of a run's best epoch, or of its newest weights where no epoch is over.
pub struct Tested {
    /// The images that were answered to, evenly spaced among [`Tested::all`].
    pub test: Split,
    /// Test images of the dataset.
    pub all: usize,
    pub evaluation: Evaluation,
    pub guesses: Vec<Guess>,
    pub errors: Vec<Guess>,
    /// The weights' epoch, where they are the best epoch's.
    pub epoch: Option<u64>,
    /// Steps they were trained for.
    pub step: u64,
    /// First layer's weights, HWIO, where it is a convolution.
    pub filters: Option<(Parameter, Vec<f32>)>,
    /// The image whose way through the layers is shown, and the layers' outputs.
    pub shown: usize,
    pub activations: Vec<Activation>,
}

impl Tested {
    /// The number in the dataset's test images of one that was answered to.
    pub fn number(&self, image: usize) -> usize {
        spaced(image, self.test.len(), self.all)
    }

    /// `, tested on 2,000 of 10,000 test images`, where it is not all of them.
    pub fn part(&self) -> String {
        let (some, all) = (self.test.len(), self.all);
        if some == all {
            return String::new();
        }
        format!(", tested on {} of {} test images", thousands(some), thousands(all))
    }

    /// The share of right answers, `99.64 %`.
    pub fn accuracy(&self) -> String {
        percent_of(self.guesses.len() - self.errors.len(), self.guesses.len())
    }
}

impl Run {
    /// Reads a run folder and evaluates its best weights on the test images. `data` is the folder of the datasets,
    /// where it is not the usual one; `open` gives the device; `tell` hears
    /// how many images are evaluated, and of how many. A run without a checkpoint has its curves only.
    ///
    /// # Errors
    /// No folder; neither a checkpoint nor a configuration in it; damaged files; a dataset that is missing or not the
    /// run's.
    pub fn read(
        dir: &Path,
        data: Option<&Path>,
        open: &mut dyn FnMut() -> Result<Box<dyn Device>>,
        tell: &mut dyn FnMut(usize, usize),
    ) -> Result<Run> {
        let checkpoint = checkpoint::of_run(dir, &[BEST, LAST])?;
        let described = Record::read(dir)?;
        let origin = described.as_ref().and_then(|record| record.data.clone());
        let config = match (&checkpoint, &described) {
            (Some(c), _) => c.meta.config.clone(),
            (None, Some(record)) => record.config.clone(),
            (None, None) => {
                return Err(Error::Invalid(format!(
                    "{} has no {BEST}, {LAST} or config.json: it is not the folder of a run; give one that \
                     `warp19 train` made",
                    dir.display()
                )));
            }
        };
        let (device, version, command) = described
            .map_or_else(Default::default, |record| (record.device, record.version, command_line(&record.command)));
        let epochs: Vec<Epoch> = metrics::read(&dir.join(EPOCHS))?;
        let points = metrics::read(&dir.join(STEPS))?;
        let best = checkpoint.as_ref().and_then(|c| c.meta.best).or_else(|| Best::among(&epochs, config.classes));
        let tested = match &checkpoint {
            Some(c) => Some(test(c, dir, data, open()?.as_mut(), tell)?),
            None => None,
        };
        let name = dir.file_name().map(|n| n.to_string_lossy().into_owned());
        let label = name.unwrap_or_else(|| dir.display().to_string());
        let classes = record::classes(origin.as_ref(), &config);
        Ok(Run { label, config, classes, device, version, command, epochs, points, best, tested })
    }

    /// The metrics of the best epoch.
    pub fn best_epoch(&self) -> Option<&Epoch> {
        let best = self.best?.epoch;
        self.epochs.iter().find(|e| e.epoch == best)
    }

    /// What people see in a test image whose label is known to be in doubt.
    pub fn doubted(&self, tested: &Tested, guess: &Guess) -> Option<u8> {
        doubted(&self.config.dataset, tested.all, tested.number(guess.image), guess.label as u8)
    }
}

/// A command line to read: the program without its folder, arguments with spaces quoted.
fn command_line(words: &[String]) -> String {
    let quoted = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
    let program = words.first().map(|_| "warp19".to_string());
    program.into_iter().chain(words.iter().skip(1).map(quoted)).collect::<Vec<_>>().join(" ")
}

fn test(
    checkpoint: &Checkpoint,
    dir: &Path,
    data: Option<&Path>,
    device: &mut dyn Device,
    tell: &mut dyn FnMut(usize, usize),
) -> Result<Tested> {
    let config = &checkpoint.meta.config;
    let (dataset, _) = record::dataset(dir, config, data)?;
    let test = config.tested(&dataset);
    let evaluation = match predictions::read(dir, BEST, &test)? {
        Some(evaluation) => evaluation,
        None => test_images(device, checkpoint, &dataset, &test, tell)?,
    };
    let weights = checkpoint.evaluated()?;
    let model = config.model()?;
    let first = model.parameters().into_iter().next();
    let filters = first.filter(|p| p.shape.len() == 4).map(|p| {
        let own = weights[p.offset..p.offset + p.len].to_vec();
        (p, own)
    });
    let best = checkpoint.meta.best.filter(|_| dir.join(BEST).exists());
    let epoch = best.map(|b| b.epoch);
    let guesses = guesses::all(&evaluation, &test.labels);
    let shown = guesses.iter().find(|g| g.is_right()).map_or(0, |g| g.image);
    let activations = activations(device, config, weights, &test, shown)?;
    Ok(Tested {
        test: test.into_owned(),
        all: dataset.test.len(),
        evaluation,
        errors: guesses::errors(&guesses),
        guesses,
        epoch,
        step: checkpoint.meta.step,
        filters,
        shown,
        activations,
    })
}
