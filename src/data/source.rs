//! What a folder holds: IDX files, CIFAR's binary files, or pictures.

use super::cifar::CifarFiles;
use super::classes::{self, Classes, Labels, NAMES_FILE, settle};
use super::files::{self, DatasetFiles};
use super::known;
use super::pictures::{Pictures, sha256};
use super::{Dataset, Pixels, Split};
use crate::image;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is asked of a dataset beyond what its files say.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// `--classes`.
    pub classes: Option<usize>,
    /// The classes as they were found before; no file of names is looked for then.
    pub names: Option<Classes>,
    /// `--input`: height, width and channels.
    pub size: Option<[usize; 3]>,
    /// Seed by which test pictures are held out, where there are none.
    pub seed: u64,
}

/// The kinds of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    #[default]
    Idx,
    Cifar,
    Pictures,
}

/// A source that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Idx(DatasetFiles),
    Cifar(CifarFiles),
    Pictures(Pictures),
}

/// What was loaded of a source.
pub struct Loaded {
    pub dataset: Dataset,
    /// Names of the files below the folder, and their SHA-256; of pictures that of their listing.
    pub files: Vec<(String, String)>,
    /// What is odd, to be told.
    pub notes: Vec<String>,
}

impl Source {
    /// Finds a dataset: in `dir/<name>`, else in `dir` itself (of pictures only where it `may` be them).
    ///
    /// # Errors
    /// [`Error::DatasetNotFound`], with what is missing where; several sets none of which is `name`.
    pub fn find(dir: &Path, name: &str, may: bool) -> Result<Source> {
        let missing = match files::find(dir, name) {
            Ok(files) => return Ok(Source::Idx(files)),
            Err(missing @ Error::DatasetNotFound(_)) => missing,
            Err(e) => return Err(e),
        };
        for (folder, may) in [(dir.join(name), true), (dir.to_path_buf(), may)] {
            if folder.is_dir()
                && let Some(source) = Source::of_folder(&folder, may)?
            {
                return Ok(source);
            }
        }
        Err(missing)
    }

    fn of_folder(folder: &Path, may: bool) -> Result<Option<Source>> {
        if let Some(files) = CifarFiles::find(folder) {
            return Ok(Some(Source::Cifar(files)));
        }
        if !may {
            return Ok(None);
        }
        Ok(Pictures::find(folder)?.map(Source::Pictures))
    }

    /// A source of a kind in this very folder, of the files that it had; nothing where it is not there.
    pub fn again(kind: Kind, folder: &Path, names: &[String], transposed: bool) -> Option<Source> {
        match kind {
            Kind::Idx => {
                let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
                let paths: [PathBuf; 4] = paths.try_into().ok()?;
                let all = paths.iter().all(|path| path.is_file());
                all.then(|| Source::Idx(DatasetFiles { paths, name: String::new(), transposed }))
            }
            Kind::Cifar => CifarFiles::find(folder).map(Source::Cifar),
            Kind::Pictures => Pictures::find(folder).ok().flatten().map(Source::Pictures),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Source::Idx(_) => Kind::Idx,
            Source::Cifar(_) => Kind::Cifar,
            Source::Pictures(_) => Kind::Pictures,
        }
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> &Path {
        match self {
            Source::Idx(files) => files.paths[0].parent().unwrap_or(Path::new(".")),
            Source::Cifar(files) => files.test.parent().unwrap_or(Path::new(".")),
            Source::Pictures(pictures) => &pictures.folder,
        }
    }

    /// The dataset's name: the prefix of its files, or else the name of its folder.
    pub fn name(&self) -> String {
        match self {
            Source::Idx(files) => files.name.clone(),
            _ => files::own_name(self.folder()),
        }
    }

    /// Whether its images are stored transposed, as EMNIST's are.
    pub fn is_transposed(&self) -> bool {
        matches!(self, Source::Idx(files) if files.transposed)
    }

    /// Loads it under a name.
    ///
    /// # Errors
    /// Those of its files, of [`settle`] and of [`Dataset::new`].
    pub fn load(&self, name: &str, wanted: &Wanted) -> Result<Loaded> {
        let mut notes = Vec::new();
        let summed = |paths: &[&Path]| -> Result<Vec<(String, String)>> {
            let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            paths.iter().map(|path| Ok((name(path), sha256(path)?))).collect()
        };
        let (mut train, mut test, from, files) = match self {
            Source::Idx(idx) => {
                let [train, test] = files::load(idx)?;
                let from = [1, 3].map(|at| idx.paths[at].display().to_string());
                (train, test, from, summed(&idx.paths.each_ref().map(PathBuf::as_path))?)
            }
            Source::Cifar(cifar) => {
                let [train, test] = cifar.load()?;
                let last = if cifar.train.len() > 1 { " and those after it" } else { "" };
                let from = [format!("{}{last}", cifar.train[0].display()), cifar.test.display().to_string()];
                (train, test, from, summed(&cifar.paths())?)
            }
            Source::Pictures(pictures) => {
                let loaded = pictures.load(wanted.size, wanted.seed)?;
                notes = loaded.notes;
                let folder = pictures.folder.display();
                let from = [format!("{folder}, training"), format!("{folder}, test")];
                (loaded.train, loaded.test, from, vec![("*".into(), loaded.sha256)])
            }
        };
        if let Some(size) = wanted.size {
            refit(&mut train, size);
            refit(&mut test, size);
        }
        let names = match &wanted.names {
            Some(names) => Some(names.clone()),
            None => self.names(name)?,
        };
        let [from, tested] = from;
        let labels =
            [(&mut train, from), (&mut test, tested)].map(|(part, from)| Labels { labels: &mut part.labels, from });
        let [train_labels, test_labels] = labels;
        let settled = settle(train_labels, test_labels, wanted.classes, names)?;
        notes.extend(settled.notes);
        let dataset = Dataset::new(train, test, settled.classes, name)?;
        Ok(Loaded { dataset, files, notes })
    }

    /// The classes' names that come with the data: in a `classes.txt`, in the files of its kind, or known by its name.
    fn names(&self, name: &str) -> Result<Option<Classes>> {
        let given = classes::read(&self.folder().join(NAMES_FILE))?;
        if given.is_some() {
            return Ok(given);
        }
        let own = match self {
            Source::Idx(files) => classes::read_mapping(&self.folder().join(format!("{}-mapping.txt", files.name)))?,
            Source::Cifar(files) => classes::read(&files.names)?,
            Source::Pictures(pictures) => {
                Some(Classes::named(pictures.names.clone(), &pictures.folder.display().to_string())?)
            }
        };
        Ok(own.or_else(|| known::classes(name)))
    }
}

/// Brings the images of a part to a size.
fn refit(part: &mut Split, size: [usize; 3]) {
    let images = &mut part.images;
    let now = [images.height, images.width, images.channels];
    let len = images.image_len();
    if now != size
        && let Pixels::Held(pixels) = &images.pixels
    {
        let all = pixels.chunks_exact(len).flat_map(|pixels| image::refit(pixels, now, size));
        images.pixels = Pixels::Held(all.collect());
        [images.height, images.width, images.channels] = size;
    }
}
