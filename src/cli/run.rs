//! Reading a run folder.

use super::progress;
use crate::data::{self, Classes, Dataset, Images, Origin, Split, Wanted};
use crate::error::{Error, Result};
use crate::image::Form;
use crate::model::Shape;
use crate::train::checkpoint::{self, BEST, Checkpoint, LAST};
use crate::train::predictions;
use crate::train::record::{self, Record};
use crate::train::{Config, Evaluation};
use std::path::{Path, PathBuf};

/// A run folder, and which of its checkpoints.
#[derive(clap::Args)]
pub struct Source {
    /// Run folder.
    run: PathBuf,
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: Which,
}

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    /// The best epoch's weights, or the newest state where no epoch is over.
    Best,
    /// The newest state.
    Last,
}

impl Source {
    /// What the checkpoint's weights answered to these images, where the run folder has it.
    ///
    /// # Errors
    /// A file of answers that cannot be read.
    pub fn predictions(&self, split: &Split) -> Result<Option<Evaluation>> {
        if self.checkpoint == Which::Best { predictions::read(&self.run, BEST, split) } else { Ok(None) }
    }

    /// Opens the run's data, or in the folder `data` another set by its name.
    ///
    /// # Errors
    /// Data that are not there or not those of the run.
    pub fn dataset(&self, config: &Config, data: Option<&Path>, other: Option<&str>) -> Result<Dataset> {
        let _reading = progress::waiting("reading the data");
        let (dataset, _) = match other {
            Some(name) => data::open(data, name, &Wanted::default())?,
            None => record::dataset(&self.run, config, data)?,
        };
        Ok(dataset)
    }

    /// What the run's data are, where the run folder says.
    ///
    /// # Errors
    /// A `config.json` that cannot be read.
    pub fn origin(&self) -> Result<Option<Origin>> {
        Ok(Record::read(&self.run)?.and_then(|record| record.data))
    }

    /// The form that pictures are brought into for the run's network.
    ///
    /// # Errors
    /// As [`Source::origin`].
    pub fn form(&self, config: &Config) -> Result<Form> {
        let Shape { h, w, c } = config.input.parse()?;
        Ok(match self.origin()? {
            Some(origin) => origin.form(),
            None if c == 3 => Form::cut([h, w, c]),
            None => Form::mnist(h, w),
        })
    }

    /// The classes of the run, by name where the run folder has their names.
    ///
    /// # Errors
    /// As [`Source::origin`].
    pub fn classes(&self, config: &Config) -> Result<Classes> {
        Ok(record::classes(self.origin()?.as_ref(), config))
    }

    /// Reads the checkpoint.
    ///
    /// # Errors
    /// No folder, no checkpoint in it, a damaged one.
    pub fn open(&self) -> Result<Checkpoint> {
        let _reading = progress::waiting("reading the checkpoint");
        let names: &[&str] = if self.checkpoint == Which::Best { &[BEST, LAST] } else { &[LAST] };
        checkpoint::of_run(&self.run, names)?.ok_or_else(|| {
            Error::Invalid(format!(
                "{} has no {LAST}; it is not the folder of a run, or the run was stopped before its first checkpoint",
                self.run.display()
            ))
        })
    }
}

/// Pictures in a form, as images whose labels are not known; the loss and the count that come of these zeros mean
/// nothing.
///
/// # Errors
/// None where the pixels are those of whole pictures.
pub fn unlabelled(form: &Form, pixels: Vec<u8>) -> Result<Split> {
    let Form { height, width, channels, .. } = *form;
    let count = pixels.len() / (height * width * channels);
    Split::new(Images { count, height, width, channels, pixels: pixels.into() }, vec![0; count], "pictures")
}
