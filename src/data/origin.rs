//! Where a run's data came from, so that later commands use the same and notice when it is not.

use super::source::{Kind, Source, Wanted};
use super::{Classes, Dataset, Images, fetch, known};
use crate::image::{Fit, Form, Polarity};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The folder that datasets are looked for in, and fetched into, when none is named.
pub const DEFAULT_DIR: &str = "data";

/// Opens a dataset for training or evaluation, and says where it came from.
///
/// With a folder (`--data DIR`) the files must be there, in `DIR/<name>` or in `DIR` itself: a
/// mistyped folder is an error, not a download. Without one, `data/<name>` is used, and a known
/// dataset that is missing there is fetched first.
pub fn open(dir: Option<&Path>, name: &str, wanted: &Wanted) -> Result<(Dataset, Origin)> {
    let source = match dir {
        Some(dir) => Source::find(dir, name, true)?,
        None => find_or_fetch(name)?,
    };
    Origin::load(&source, source.name(), wanted)
}

/// Finds a dataset in the usual folder, where it is fetched to if it is known and not there.
fn find_or_fetch(name: &str) -> Result<Source> {
    let default = Path::new(DEFAULT_DIR);
    // EMNIST's six sets come and lie together.
    let (family, home) = match name.starts_with("emnist-") {
        true => ("emnist", default.join("emnist")),
        false => (name, default.to_path_buf()),
    };
    match Source::find(&home, name, false) {
        Err(Error::DatasetNotFound(_)) if known::is_known(family) => {
            fetch(family, default)?;
            Source::find(&home, name, false)
        }
        found => found,
    }
}

/// What a dataset is and where it lay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    pub name: String,
    /// The folder of the files, an absolute path.
    pub path: PathBuf,
    #[serde(default)]
    pub kind: Kind,
    /// IDX: training images and labels, test images and labels. CIFAR: training files, test file. Pictures: `*`, all of
    /// them, with the SHA-256 of their listing.
    pub files: Vec<Summed>,
    /// Whether images are stored transposed, as EMNIST's are.
    pub transposed: bool,
    /// Height, width and channels of the images.
    pub size: [usize; 3],
    pub classes: usize,
    /// The classes' names; runs of before they were kept have none.
    #[serde(default)]
    pub names: Vec<String>,
    /// The seed by which test pictures were held out, where the folder has none.
    #[serde(default)]
    pub seed: u64,
    /// Whether the pictures are light on dark, as MNIST's are, or dark on light.
    pub polarity: Polarity,
    /// Whether each picture is centred in its frame with room around it, as MNIST's digits are.
    pub centred: bool,
    /// What was odd when they were opened, to be told.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// A file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summed {
    pub name: String,
    /// SHA-256 of the file as it lies there, in hexadecimal.
    pub sha256: String,
}

/// Images whose borders are looked at for the [`Polarity`].
const LOOKED_AT: usize = 1000;

/// The polarity of images: the median of their border pixels is their background.
fn polarity_of(images: &Images, looked_at: &[u8]) -> Polarity {
    let mut counts = [0usize; 256];
    let row_len = images.width * images.channels;
    for image in looked_at.chunks_exact(images.image_len()) {
        for (y, row) in image.chunks_exact(row_len).enumerate() {
            let all = y == 0 || y + 1 == images.height;
            for (x, pixel) in row.chunks_exact(images.channels).enumerate() {
                if all || x == 0 || x + 1 == images.width {
                    pixel.iter().for_each(|&v| counts[usize::from(v)] += 1);
                }
            }
        }
    }
    let (total, dark): (usize, usize) = (counts.iter().sum(), counts[..128].iter().sum());
    if 2 * dark >= total { Polarity::LightOnDark } else { Polarity::DarkOnLight }
}

/// Whether the middle of mass of almost every picture lies within two pixels of 28 of the frame's middle, and its
/// border is empty.
fn are_centred(images: &Images, looked_at: &[u8], polarity: Polarity) -> bool {
    let (height, width) = (images.height, images.width);
    let dark = polarity == Polarity::LightOnDark;
    let is_centred = |image: &[u8]| {
        let (mut mass, mut down, mut across, mut border) = (0u64, 0u64, 0u64, 0u64);
        for (at, &pixel) in image.iter().enumerate() {
            let (y, x, ink) = (at / width, at % width, u64::from(if dark { pixel } else { 255 - pixel }));
            (mass, down, across) = (mass + ink, down + ink * y as u64, across + ink * x as u64);
            let at_edge = y == 0 || x == 0 || y + 1 == height || x + 1 == width;
            border += if at_edge { ink } else { 0 };
        }
        let near = |sum: u64, side: usize| {
            (sum as f64 / mass as f64 - side as f64 / 2.0).abs() <= (side as f64 / 14.0).max(1.0)
        };
        mass > 0 && 100 * border <= mass && near(down, height) && near(across, width)
    };
    let images = looked_at.chunks_exact(images.image_len());
    10 * images.clone().filter(|image| is_centred(image)).count() >= 9 * images.len()
}

impl Origin {
    /// Loads a source under a name, and says where it came from.
    ///
    /// # Errors
    /// Those of [`Source::load`].
    pub fn load(source: &Source, name: String, wanted: &Wanted) -> Result<(Dataset, Origin)> {
        let loaded = source.load(&name, wanted)?;
        let (dataset, folder) = (loaded.dataset, source.folder());
        let images = &dataset.train.images;
        let looked_at = images.bytes(0..images.count.min(LOOKED_AT).min(images.in_a_piece()))?;
        let polarity = polarity_of(images, &looked_at);
        let origin = Origin {
            name,
            path: std::path::absolute(folder).map_err(|e| Error::io("find", folder, e))?,
            kind: source.kind(),
            files: loaded.files.into_iter().map(|(name, sha256)| Summed { name, sha256 }).collect(),
            transposed: source.is_transposed(),
            size: [images.height, images.width, images.channels],
            classes: dataset.classes.count(),
            names: dataset.classes.names().to_vec(),
            seed: wanted.seed,
            polarity,
            centred: images.channels == 1 && are_centred(images, &looked_at, polarity),
            notes: loaded.notes,
        };
        Ok((dataset, origin))
    }

    /// The classes with their names.
    pub fn classes(&self) -> Classes {
        let named = Classes::named(self.names.clone(), "config.json").ok();
        named.filter(|c| c.count() == self.classes).unwrap_or_else(|| Classes::numbered(self.classes))
    }

    /// How pictures are brought into the form of the data: digits of MNIST's form are cut out and centred; files of a
    /// folder of pictures, and colours, are taken as the folder's are; all else is stretched.
    pub fn form(&self) -> Form {
        let [height, width, channels] = self.size;
        if !self.centred && (self.kind == Kind::Pictures || channels == 3) {
            return Form::cut(self.size);
        }
        let fit = if self.centred { Fit::Mnist } else { Fit::Stretch };
        Form { height, width, channels, polarity: Some(self.polarity), fit }
    }

    /// Opens the data again: where they were, or in `dir` if it is given; a dataset that can be fetched, and is not
    /// where it was, in the usual folder.
    ///
    /// # Errors
    /// Files that are not there, or not the same: both are named.
    pub fn reopen(&self, dir: Option<&Path>) -> Result<(Dataset, Origin)> {
        let found = match dir {
            Some(dir) => self.in_folder(dir).map_or_else(|| Source::find(dir, &self.name, true), Ok)?,
            None => match self.in_folder(&self.path) {
                Some(source) => source,
                None if known::is_known(&self.name) => find_or_fetch(&self.name)?,
                None => return Err(self.moved()),
            },
        };
        let wanted = Wanted { classes: None, names: Some(self.classes()), size: Some(self.size), seed: self.seed };
        let (dataset, mut origin) = Origin::load(&found, self.name.clone(), &wanted)?;
        for (at, was) in self.files.iter().enumerate() {
            match origin.files.get(at) {
                Some(is) if is.sha256 == was.sha256 => {}
                Some(is) => return Err(self.changed(&origin.path, was, is)),
                None => return Err(self.moved()),
            }
        }
        origin.notes.clear();
        Ok((dataset, origin))
    }

    /// The files by their own names in a folder, if they are there.
    fn in_folder(&self, dir: &Path) -> Option<Source> {
        let names: Vec<String> = self.files.iter().map(|f| f.name.clone()).collect();
        Source::again(self.kind, dir, &names, self.transposed)
    }

    fn moved(&self) -> Error {
        let missing = self.files.iter().find(|f| !self.path.join(&f.name).is_file());
        Error::DatasetNotFound(format!(
            "the run's data, \"{}\", lay in {}, where there is no {} now; say with --data where they are",
            self.name,
            self.path.display(),
            match self.kind {
                Kind::Pictures => "folder of pictures",
                _ => missing.map_or("such file", |f| &f.name),
            }
        ))
    }

    fn changed(&self, now: &Path, was: &Summed, is: &Summed) -> Error {
        Error::Invalid(format!(
            "{} is not what the run was trained with: its SHA-256 is {}, that of the run's {} in {} was {}. Say with \
             --data where the run's data are; other data need a run of their own, or `eval --dataset NAME --data DIR`",
            now.join(&is.name).display(),
            is.sha256,
            was.name,
            self.path.display(),
            was.sha256
        ))
    }
}
