//! Where a run's data came from, so that later commands use the same and notice when it is not.

use super::{Dataset, DatasetFiles, Images, fetch, files, find, known};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The folder that datasets are looked for in, and fetched into, when none is named.
pub const DEFAULT_DIR: &str = "data";

/// Opens a dataset for training or evaluation, and says where it came from.
///
/// With a folder (`--data DIR`) the files must be there, in `DIR/<name>` or in `DIR` itself: a
/// mistyped folder is an error, not a download. Without one, `data/<name>` is used, and a known
/// dataset that is missing there is fetched first.
pub fn open(dir: Option<&Path>, name: &str) -> Result<(Dataset, Origin)> {
    let files = match dir {
        Some(dir) => find(dir, name)?,
        None => find_or_fetch(name)?,
    };
    Origin::load(&files)
}

/// Finds a dataset in the usual folder, where it is fetched to if it is known and not there.
fn find_or_fetch(name: &str) -> Result<DatasetFiles> {
    let default = Path::new(DEFAULT_DIR);
    match find(default, name) {
        Err(Error::DatasetNotFound(_)) if known::known(name).is_ok() => {
            fetch(name, default)?;
            find(default, name)
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
    /// Training images and labels, test images and labels.
    pub files: [Summed; 4],
    /// Whether images are stored transposed, as EMNIST's are.
    pub transposed: bool,
    /// Height, width and channels of the images.
    pub size: [usize; 3],
    pub classes: usize,
    /// Whether the pictures are light on dark, as MNIST's are, or dark on light.
    pub polarity: Polarity,
    /// Whether each picture is centred in its frame with room around it, as MNIST's digits are.
    pub centred: bool,
}

/// A file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summed {
    pub name: String,
    /// SHA-256 of the file as it lies there, in hexadecimal.
    pub sha256: String,
}

/// Which is the background of a dataset's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Polarity {
    LightOnDark,
    DarkOnLight,
}

/// Images whose borders are looked at for the [`Polarity`].
const LOOKED_AT: usize = 1000;

impl Polarity {
    /// That of the images: the median of their border pixels is their background.
    fn of(images: &Images) -> Polarity {
        let mut counts = [0usize; 256];
        for image in images.pixels.chunks_exact(images.image_len()).take(LOOKED_AT) {
            for (y, row) in image.chunks_exact(images.width).enumerate() {
                let all = y == 0 || y + 1 == images.height;
                let border = row.iter().enumerate().filter(|(x, _)| all || *x == 0 || x + 1 == images.width);
                border.for_each(|(_, &pixel)| counts[usize::from(pixel)] += 1);
            }
        }
        let (total, dark): (usize, usize) = (counts.iter().sum(), counts[..128].iter().sum());
        if 2 * dark >= total { Polarity::LightOnDark } else { Polarity::DarkOnLight }
    }
}

/// Whether the middle of mass of almost every picture lies within two pixels of 28 of the frame's middle, and its
/// border is empty.
fn are_centred(images: &Images, polarity: Polarity) -> bool {
    let (height, width) = (images.height, images.width);
    let dark = polarity == Polarity::LightOnDark;
    let looked_at = images.pixels.chunks_exact(images.image_len()).take(LOOKED_AT);
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
    let count = images.count.min(LOOKED_AT);
    10 * looked_at.filter(|image| is_centred(image)).count() >= 9 * count
}

impl Origin {
    /// Loads the files, and says where they came from.
    ///
    /// # Errors
    /// Those of [`files::load`].
    pub fn load(files: &DatasetFiles) -> Result<(Dataset, Origin)> {
        let dataset = files::load_files(files)?;
        let [a, b, c, d] = &files.paths;
        let images = &dataset.train.images;
        let polarity = Polarity::of(images);
        let folder = a.parent().unwrap_or(Path::new("."));
        let origin = Origin {
            name: dataset.name.clone(),
            path: std::path::absolute(folder).map_err(|e| Error::io("find", folder, e))?,
            files: [Summed::of(a)?, Summed::of(b)?, Summed::of(c)?, Summed::of(d)?],
            transposed: files.transposed,
            size: [images.height, images.width, 1],
            classes: dataset.classes,
            polarity,
            centred: are_centred(images, polarity),
        };
        Ok((dataset, origin))
    }

    /// Opens the data again: where they were, or in `dir` if it is given; a dataset that can be fetched, and is not
    /// where it was, in the usual folder.
    ///
    /// # Errors
    /// Files that are not there, or not the same: both are named.
    pub fn reopen(&self, dir: Option<&Path>) -> Result<(Dataset, Origin)> {
        let found = match dir {
            Some(dir) => self.in_folder(dir).map_or_else(|| find(dir, &self.name), Ok)?,
            None => match self.in_folder(&self.path) {
                Some(files) => files,
                None if known::known(&self.name).is_ok() => find_or_fetch(&self.name)?,
                None => return Err(self.moved()),
            },
        };
        let (mut dataset, mut origin) = Origin::load(&DatasetFiles { name: self.name.clone(), ..found })?;
        for (was, is) in self.files.iter().zip(&origin.files) {
            if was.sha256 != is.sha256 {
                return Err(self.changed(&origin.path, was, is));
            }
        }
        (dataset.classes, origin.classes) = (self.classes, self.classes);
        Ok((dataset, origin))
    }

    /// The files by their own names in a folder, if they are there.
    fn in_folder(&self, dir: &Path) -> Option<DatasetFiles> {
        let paths = self.files.each_ref().map(|f| dir.join(&f.name));
        let all = paths.iter().all(|path| path.is_file());
        all.then(|| DatasetFiles { paths, name: self.name.clone(), transposed: self.transposed })
    }

    fn moved(&self) -> Error {
        let missing = self.files.iter().find(|f| !self.path.join(&f.name).is_file());
        Error::DatasetNotFound(format!(
            "the run's data, \"{}\", lay in {}, where there is no {} now; say with --data where they are",
            self.name,
            self.path.display(),
            missing.map_or("file", |f| &f.name)
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

impl Summed {
    fn of(path: &Path) -> Result<Summed> {
        let failed = |e| Error::io("read", path, e);
        let mut hash = Sha256::new();
        std::io::copy(&mut File::open(path).map_err(failed)?, &mut hash).map_err(failed)?;
        let sha256 = format!("{:x}", hash.finalize());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Summed { name, sha256 })
    }
}
