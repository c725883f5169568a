//! A dataset: images as bytes, labels as numbers, a training and a test part, and the classes' names.

use super::Classes;
use super::classes::counts;
use crate::image::{self, Form};
use crate::{Error, Result};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of images that are read at a time, where all are looked at.
const PIECE: usize = 64 << 20;

/// Images of one size: byte `((i * height + y) * width + x) * channels + c`; one channel is grey, three are red, green
/// and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    pub count: usize,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub pixels: Pixels,
}

/// Where the bytes of images are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// In memory, one image after another.
    Held(Vec<u8>),
    /// On disk, a picture for each image, which is decoded each time it is asked for.
    OnDisk(Arc<[PathBuf]>),
}

impl FromIterator<u8> for Pixels {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> Pixels {
        Pixels::Held(bytes.into_iter().collect())
    }
}

impl From<Vec<u8>> for Pixels {
    fn from(bytes: Vec<u8>) -> Pixels {
        Pixels::Held(bytes)
    }
}

impl Images {
    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Height, width and channels, as `28x28x1`.
    pub fn size(&self) -> String {
        format!("{}x{}x{}", self.height, self.width, self.channels)
    }

    /// The bytes of image `index`, row by row. Panics when `index >= count`, as slices do.
    ///
    /// # Errors
    /// A picture on disk that cannot be read.
    pub fn image(&self, index: usize) -> Result<Cow<'_, [u8]>> {
        self.bytes(index..index + 1)
    }

    /// The bytes of some images, one after another; those on disk are decoded. Panics as slices do.
    ///
    /// # Errors
    /// A picture on disk that cannot be read.
    pub fn bytes(&self, images: Range<usize>) -> Result<Cow<'_, [u8]>> {
        let len = self.image_len();
        Ok(match &self.pixels {
            Pixels::Held(bytes) => Cow::Borrowed(&bytes[images.start * len..images.end * len]),
            Pixels::OnDisk(files) => Cow::Owned(self.decode(files[images].par_iter())?),
        })
    }

    /// The bytes of all images.
    ///
    /// # Errors
    /// A picture on disk that cannot be read.
    pub fn all(&self) -> Result<Cow<'_, [u8]>> {
        match &self.pixels {
            Pixels::Held(bytes) => Ok(Cow::Borrowed(bytes)),
            Pixels::OnDisk(_) => self.bytes(0..self.count),
        }
    }

    /// The bytes of the images of these numbers.
    ///
    /// # Errors
    /// A picture on disk that cannot be read.
    pub fn gathered(&self, numbers: &[u32]) -> Result<Vec<u8>> {
        let len = self.image_len();
        match &self.pixels {
            Pixels::Held(bytes) => {
                Ok(numbers.iter().flat_map(|&at| &bytes[at as usize * len..][..len]).copied().collect())
            }
            Pixels::OnDisk(files) => self.decode(numbers.par_iter().map(|&at| &files[at as usize])),
        }
    }

    /// Pictures in the form of the images.
    fn decode<'a>(&self, files: impl IndexedParallelIterator<Item = &'a PathBuf>) -> Result<Vec<u8>> {
        let form = Form::cut([self.height, self.width, self.channels]);
        let mut bytes = vec![0; files.len() * self.image_len()];
        let images = bytes.par_chunks_exact_mut(self.image_len()).zip(files);
        images.try_for_each(|(to, file)| -> Result<()> {
            to.copy_from_slice(&image::read(file, &form)?.pixels);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// The bytes of all images, some at a time: [`PIECE`].
    pub fn pieces(&self) -> impl Iterator<Item = Result<Cow<'_, [u8]>>> {
        let each = self.in_a_piece();
        (0..self.count).step_by(each).map(move |start| self.bytes(start..self.count.min(start + each)))
    }

    /// Images that are read at a time.
    pub(super) fn in_a_piece(&self) -> usize {
        (PIECE / self.image_len()).max(1)
    }

    /// Image `index` with its height and width, made smaller where a side is longer than `most`.
    ///
    /// # Errors
    /// A picture on disk that cannot be read.
    pub fn within(&self, index: usize, most: usize) -> Result<(usize, usize, Cow<'_, [u8]>)> {
        let (pixels, longest) = (self.image(index)?, self.height.max(self.width));
        if longest <= most {
            return Ok((self.height, self.width, pixels));
        }
        let [height, width] = [self.height, self.width].map(|side| (side * most / longest).max(1));
        let (now, to) = ([self.height, self.width, self.channels], [height, width, self.channels]);
        Ok((height, width, Cow::Owned(image::refit(&pixels, now, to))))
    }

    /// The images of these numbers.
    pub(super) fn chosen(&self, numbers: &[usize]) -> Images {
        let len = self.image_len();
        let pixels = match &self.pixels {
            Pixels::Held(bytes) => {
                Pixels::Held(numbers.iter().flat_map(|&at| &bytes[at * len..][..len]).copied().collect())
            }
            Pixels::OnDisk(files) => Pixels::OnDisk(numbers.iter().map(|&at| files[at].clone()).collect()),
        };
        Images { count: numbers.len(), pixels, ..*self }
    }

    /// Images `start..end`.
    fn range(&self, start: usize, end: usize) -> Images {
        let len = self.image_len();
        let pixels = match &self.pixels {
            Pixels::Held(bytes) => Pixels::Held(bytes[start * len..end * len].to_vec()),
            Pixels::OnDisk(files) => Pixels::OnDisk(files[start..end].into()),
        };
        Images { count: end - start, pixels, ..*self }
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
    pub labels: Vec<u32>,
}

impl Split {
    /// Joins images and labels; `what` names them in the error when their counts differ.
    pub fn new(images: Images, labels: Vec<u32>, what: &str) -> Result<Split> {
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

    /// The first `n` images (all of them where there are fewer).
    pub fn head(&self, n: usize) -> Split {
        self.range(0, n.min(self.len()))
    }

    /// `n` images evenly spaced among all, those at [`spaced`] (all of them where there are fewer).
    pub fn evenly(&self, n: usize) -> Split {
        let (count, n) = (self.len(), n.min(self.len()));
        let numbers: Vec<usize> = (0..n).map(|i| spaced(i, n, count)).collect();
        self.chosen(&numbers)
    }

    /// The images of these numbers.
    pub(super) fn chosen(&self, numbers: &[usize]) -> Split {
        Split { images: self.images.chosen(numbers), labels: numbers.iter().map(|&at| self.labels[at]).collect() }
    }

    /// How many images each class has; every label must be below `classes`.
    pub fn class_counts(&self, classes: usize) -> Vec<usize> {
        counts(&self.labels, classes)
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
    /// Every label is one of them.
    pub classes: Classes,
    pub name: String,
}

impl Dataset {
    /// Joins two parts whose labels are of these classes.
    ///
    /// Errors: an empty part, and parts of different image sizes.
    pub fn new(train: Split, test: Split, classes: Classes, name: &str) -> Result<Dataset> {
        for (part, what) in [(&train, "training"), (&test, "test")] {
            if part.is_empty() {
                return Err(Error::Invalid(format!(
                    "{name}: the {what} part has no images; give files that have some"
                )));
            }
        }
        if train.images.size() != test.images.size() {
            return Err(Error::Shape {
                what: format!("{name}: size of the test images (they must be those of training)"),
                expected: train.images.size(),
                found: test.images.size(),
            });
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
            classes: self.classes.clone(),
            name: self.name.clone(),
        })
    }
}
