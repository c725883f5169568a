//! The one error type of the library. Messages say what was wrong, where, and what to do.

use std::path::{Path, PathBuf};

/// Every failure the library reports.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted, as a verb: "read", "create", ...
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// A value given by the user or a file is not usable.
    #[error("{0}")]
    Invalid(String),
    /// Sizes that should agree do not.
    #[error("{what}: expected {expected}, got {found}")]
    Shape { what: String, expected: String, found: String },
    /// A compute device failed or is missing.
    #[error("{0}")]
    Device(String),
    /// A file, IDX or a picture, that does not hold what it should; the problem completes a sentence about it.
    #[error("{} {problem}", path.display())]
    File { path: PathBuf, problem: String },
    /// No folder looked at holds the whole dataset.
    #[error("{0}")]
    DatasetNotFound(String),
    /// An address or a package did not give a file.
    #[error("{from}: {cause}")]
    Download { from: String, cause: String },
    /// Nothing that was tried gave the dataset.
    #[error("cannot fetch {dataset} into {}. Tried: {}. {advice}", dir.display(), attempts.join("; "))]
    FetchFailed {
        dataset: String,
        dir: PathBuf,
        /// One line for each source: what it is and why it failed.
        attempts: Vec<String>,
        advice: String,
    },
}

/// A result with the library's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps an I/O error with the action and the path it happened on.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Error {
        Error::Io { action, path: path.as_ref().to_path_buf(), source }
    }

    /// A file that does not hold what it should.
    pub fn file(path: &Path, problem: impl Into<String>) -> Error {
        Error::File { path: path.to_path_buf(), problem: problem.into() }
    }
}
