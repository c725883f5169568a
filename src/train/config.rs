//! What a run is: everything that determines its numbers.

use super::recipe::Recipe;
use super::samples::steps_after;
use crate::data::{Dataset, Split};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::model::{Model, Shape, zoo};
use crate::ops::batch::Gather;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A run that was made longer: from this step on the schedule is that of more epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Steps that were done by then.
    pub step: u64,
    /// Epochs of the run until then.
    pub epochs: u64,
}

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
    /// How often and where it was made longer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
    pub seed: u64,
    /// Images trained on.
    pub images: usize,
    /// Training images held out, on which the best epoch is chosen; 0: the test images choose it.
    pub validation: usize,
    /// Test images that the epochs are tested on, evenly spaced among all; 0 is all.
    #[serde(default)]
    pub test_images: usize,
    /// Whether the convolutions stay as they were at the start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen_features: bool,
    /// How it computes. Runs of before there was a choice have none stored.
    #[serde(default)]
    pub precision: Precision,
}

impl Config {
    /// The network, with the recipe's dropout.
    pub fn model(&self) -> Result<Model> {
        let mut model = zoo::build(&self.model, self.input.parse()?, self.classes)?;
        model.set_dropout(&self.recipe.dropout);
        Ok(model)
    }

    /// The first element of the arena that is trained.
    pub fn trained(&self, model: &Model) -> usize {
        if self.frozen_features { model.classifier().1 } else { 0 }
    }

    /// How batches are made of a dataset of so many images; without deformation for evaluation.
    pub fn gather(&self, images: usize, batch: usize, training: bool) -> Result<Gather> {
        let Shape { h, w, c } = self.input.parse()?;
        Ok(Gather {
            images,
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

    /// An error if a setting makes no sense by itself; the data come in with [`check_dataset`].
    pub fn check(&self) -> Result<()> {
        self.recipe.check()?;
        if self.images == 0 || u32::try_from(self.images).is_err() {
            return Err(Error::Invalid(format!(
                "{} images to train on: it must be between 1 and {}",
                self.images,
                u32::MAX
            )));
        }
        Ok(())
    }

    /// The test images that its epochs are tested on.
    pub fn tested<'a>(&self, dataset: &'a Dataset) -> Cow<'a, Split> {
        match self.test_images {
            0 => Cow::Borrowed(&dataset.test),
            n => Cow::Owned(dataset.test.evenly(n)),
        }
    }

    /// Makes a run that is `step` steps old longer. The learning rate follows the schedule of the new number of epochs
    /// from there on, as if it had always been theirs; what is done stays as it is.
    ///
    /// # Errors
    /// No more epochs than it has.
    pub fn extend(&mut self, step: u64, epochs: u64) -> Result<()> {
        let before = self.recipe.epochs;
        if epochs <= before {
            return Err(Error::Invalid(format!(
                "--epochs {epochs}: the run has {before} already; --resume can make it longer, not shorter"
            )));
        }
        self.recipe.epochs = epochs;
        self.recipe.check()?;
        self.extended.push(Extension { step, epochs: before });
        Ok(())
    }

    /// Steps of the whole run.
    pub fn total_steps(&self) -> u64 {
        steps_after(self.recipe.epochs, self.images, self.recipe.batch)
    }
}

/// An error if a dataset is not what the configuration was made for.
pub fn check_dataset(config: &Config, dataset: &Dataset) -> Result<()> {
    let images = &dataset.test.images;
    let size = images.size();
    if size != config.input {
        return Err(Error::Shape {
            what: format!("image size of the dataset {}", dataset.name),
            expected: config.input.clone(),
            found: size,
        });
    }
    if dataset.classes.count() != config.classes {
        return Err(Error::Invalid(format!(
            "the dataset {} has {} classes, the run was trained on {} with {}; only data with as many can be used with \
             it",
            dataset.name,
            dataset.classes.count(),
            config.dataset,
            config.classes
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
