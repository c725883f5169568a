//! Reading a run folder.

use crate::error::{Error, Result};
use crate::train::checkpoint::{BEST, Checkpoint, LAST};
use std::path::Path;

/// Which checkpoint of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// The best epoch's weights, or the newest state where no epoch is over.
    Best,
    /// The newest state.
    Last,
}

/// Reads a run's checkpoint.
///
/// # Errors
/// No folder, no checkpoint in it, a damaged one.
pub fn open(dir: &Path, which: Which) -> Result<Checkpoint> {
    if !dir.is_dir() {
        return Err(Error::Invalid(format!(
            "there is no run folder {}; `warp19 train` makes one under runs/ and says its name at the end",
            dir.display()
        )));
    }
    let (best, last) = (dir.join(BEST), dir.join(LAST));
    let path = if which == Which::Best && best.exists() { best } else { last };
    if !path.exists() {
        return Err(Error::Invalid(format!(
            "{} has no {}; it is not the folder of a run, or the run was stopped before its first checkpoint",
            dir.display(),
            path.file_name().unwrap_or_default().display()
        )));
    }
    Checkpoint::read(&path)
}
