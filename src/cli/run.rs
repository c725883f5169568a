//! Reading a run folder.

use crate::error::{Error, Result};
use crate::train::checkpoint::{self, BEST, Checkpoint, LAST};
use std::path::PathBuf;

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
    /// Reads the checkpoint.
    ///
    /// # Errors
    /// No folder, no checkpoint in it, a damaged one.
    pub fn open(&self) -> Result<Checkpoint> {
        let names: &[&str] = if self.checkpoint == Which::Best { &[BEST, LAST] } else { &[LAST] };
        checkpoint::of_run(&self.run, names)?.ok_or_else(|| {
            Error::Invalid(format!(
                "{} has no {LAST}; it is not the folder of a run, or the run was stopped before its first checkpoint",
                self.run.display()
            ))
        })
    }
}
