//! `config.json`: what a run is, what computed it, and on which data.

use super::config::Config;
use crate::data::pictures::sha256;
use crate::data::{self, Classes, Dataset, Origin, Wanted, atomic};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file's name in a run folder.
pub const FILE: &str = "config.json";

/// What a run folder says of its run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Of the program that made it.
    pub version: String,
    /// The command line, as it was first given.
    #[serde(default)]
    pub command: Vec<String>,
    /// The device in its own words, with the instruction set.
    pub device: String,
    /// The weights that it was started from, with `--init`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Start>,
    /// Runs of before it was kept have none.
    #[serde(default)]
    pub data: Option<Origin>,
    pub config: Config,
}

/// A file of weights to start from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// An absolute path.
    pub path: PathBuf,
    /// In hexadecimal.
    pub sha256: String,
}

impl Start {
    /// That of a file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn of(file: &Path) -> Result<Start> {
        let path = std::path::absolute(file).map_err(|e| Error::io("find", file, e))?;
        Ok(Start { path, sha256: sha256(file)? })
    }
}

impl Record {
    /// That of a folder, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read, or is none of this program.
    pub fn read(dir: &Path) -> Result<Option<Record>> {
        let path = dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read", &path, e)),
        };
        serde_json::from_str(&text).map(Some).map_err(|e| {
            Error::Invalid(format!(
                "{} is not the description of a run ({e}); restore it, or take it away where the run has a checkpoint",
                path.display()
            ))
        })
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::Invalid(e.to_string()))?;
        atomic::write(&dir.join(FILE), format!("{text}\n").as_bytes())
    }
}

/// Opens the data of a run: where they were, or in the folder `data` now; by the configuration's name where the run
/// folder does not say.
///
/// # Errors
/// Data that are not there or not those of the run, with both named.
pub fn dataset(run: &Path, config: &Config, data: Option<&Path>) -> Result<(Dataset, Origin)> {
    match Record::read(run)?.and_then(|record| record.data) {
        Some(origin) => origin.reopen(data),
        None => data::open(data, &config.dataset, &Wanted { classes: Some(config.classes), ..Wanted::default() }),
    }
}

/// The classes of a run, by name where what is known of its data has names for as many.
pub fn classes(data: Option<&Origin>, config: &Config) -> Classes {
    let named = data.map(Origin::classes).filter(|classes| classes.count() == config.classes);
    named.unwrap_or_else(|| Classes::numbered(config.classes))
}
