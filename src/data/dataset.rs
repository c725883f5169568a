//! A dataset in memory: images as bytes, labels as bytes, a training and a test part.

use crate::{Error, Result};

/// The least number of classes a dataset gets, so that a subset of MNIST that happens to lack the
/// highest digits still makes the same network.
pub const MIN_CLASSES: usize = 10;

/// Grey images of one size: `pixels[(i * height + y) * width + x]`, 0 background, 255 ink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub pixels: Vec<u8>,
}

impl Images {
    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.height * self.width
    }

    /// The pixels of image `index`, row by row. Panics when `index >= count`, as slices do.
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.image_len();
        &self.pixels[index * len..(index + 1) * len]
    }

    /// Images `start..end` as a copy.
    fn range(&self, start: usize, end: usize) -> Images {
        let len = self.image_len();
        Images { count: end - start, pixels: self.pixels[start * len..end * len].to_vec(), ..*self }
    }
}

/// The place among `count` of number `i` of `n` that are evenly spaced: `floor(i count / n)`.
pub fn spaced(i: usize, n: usize, count: usize) -> usize {
    (i as u128 * count as u128 / n as u128) as usize
}

/// Images and their labels, one label an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    pub images: Images,
    pub labels: Vec<u8>,
}

impl Split {
    /// Joins images and labels; `what` names them in the error when their counts differ.
    pub fn new(images: Images, labels: Vec<u8>, what: &str) -> Result<Split> {
        if images.count != labels.len() {
            return Err(Error::Invalid(format!(
                "{what}: {} images, but {} labels; the two files do not belong together, or one of them is damaged",
                images.count,
                labels.len()
            )));
        }
        Ok(Split { images, labels })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The first `n` images (all of them where there are fewer), as a copy.
    pub fn head(&self, n: usize) -> Split {
        self.range(0, n.min(self.len()))
    }

    /// `n` images evenly spaced among all, those at [`spaced`] (all of them where there are fewer), as a copy.
    pub fn evenly(&self, n: usize) -> Split {
        let (count, n) = (self.len(), n.min(self.len()));
        let chosen = || (0..n).map(|i| spaced(i, n, count));
        let pixels = chosen().flat_map(|at| self.images.image(at).iter().copied()).collect();
        let images = Images { count: n, pixels, ..self.images };
        Split { images, labels: chosen().map(|at| self.labels[at]).collect() }
    }

    /// How many images each class has; every label must be below `classes`.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for &label in &self.labels {
            counts[usize::from(label)] += 1;
        }
        counts
    }

    fn range(&self, start: usize, end: usize) -> Split {
        Split { images: self.images.range(start, end), labels: self.labels[start..end].to_vec() }
    }
}

/// A training and a test part of the same image size and the same classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    pub train: Split,
    pub test: Split,
    /// Every label lies in `0..classes`.
    pub classes: usize,
    pub name: String,
}

impl Dataset {
    /// Joins two parts. The classes are those of the training labels, `max + 1`, and at least [`MIN_CLASSES`].
    ///
    /// Errors: an empty part, parts of different image sizes, and test labels of a class that
    /// the training part does not know.
    pub fn new(train: Split, test: Split, name: &str) -> Result<Dataset> {
        for (part, what) in [(&train, "training"), (&test, "test")] {
            if part.is_empty() {
                return Err(Error::Invalid(format!(
                    "{name}: the {what} part has no images; give files that have some"
                )));
            }
        }
        let size = |split: &Split| format!("{}x{}", split.images.height, split.images.width);
        if size(&train) != size(&test) {
            return Err(Error::Shape {
                what: format!("{name}: size of the test images (they must be those of training)"),
                expected: size(&train),
                found: size(&test),
            });
        }
        let highest = train.labels.iter().max().copied().unwrap_or(0);
        let classes = MIN_CLASSES.max(usize::from(highest) + 1);
        if let Some(index) = test.labels.iter().position(|&l| usize::from(l) >= classes) {
            return Err(Error::Invalid(format!(
                "{name}: test labels: label {} at position {index} is out of range, as there are {classes} classes \
                 (0 to {})",
                test.labels[index],
                classes - 1
            )));
        }
        Ok(Dataset { train, test, classes, name: name.to_string() })
    }

    /// A dataset whose test part is the last `n` training images, taken out of the training part:
    /// for choosing an epoch or a setting without looking at the real test images.
    pub fn split_validation(&self, n: usize) -> Result<Dataset> {
        let total = self.train.len();
        if n == 0 || n >= total {
            return Err(Error::Invalid(format!(
                "cannot keep {n} of {total} training images for validation: \
                 choose a number from 1 to {}",
                total.saturating_sub(1)
            )));
        }
        Ok(Dataset {
            train: self.train.range(0, total - n),
            test: self.train.range(total - n, total),
            classes: self.classes,
            name: self.name.clone(),
        })
    }
}
