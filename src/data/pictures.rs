//! A folder of pictures: each class a folder of PNG, JPEG, WebP or BMP files.
//!
//! ```text
//! train/CLASS/*  test/CLASS/*     as they are
//! train/CLASS/*, or CLASS/*       a tenth of each class is held out as test pictures, drawn by the seed
//! ```
//! Which pictures are held out, and their order, comes from the SHA-256 of the seed and their path, so that it is the
//! same everywhere, and classes are mixed. Pictures of one size are taken as they are. Else the middle of each, of the
//! frame's shape, is scaled to the size asked for or the most frequent one.

use super::{Images, Pixels, Split};
use crate::image;
use crate::{Error, Result};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Endings of files that are pictures.
const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];
/// One of so many pictures of a class is held out where there is no folder of test pictures.
const HELD_OUT: usize = 10;
/// How deep pictures may lie in a class's folder: beyond, links may go round.
const DEPTH: usize = 8;
/// A side beyond which pictures of several sizes are made smaller, and what they are made then.
const LARGE: usize = 256;
const SMALLER: usize = 224;
/// MiB of pixels that are held in memory; a dataset with more stays on disk.
const HELD: u64 = 4096;
/// Pictures that are looked at for whether there are colours.
const LOOKED_AT: usize = 100;

/// A picture of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Picture {
    path: PathBuf,
    /// Below the dataset's folder, with slashes.
    name: String,
    class: u32,
}

/// The pictures of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pictures {
    pub folder: PathBuf,
    /// The classes' folders, in the order of labels.
    pub names: Vec<String>,
    train: Vec<Picture>,
    /// Nothing: they are drawn from the training pictures.
    test: Option<Vec<Picture>>,
}

/// Pictures that were read.
pub struct Loaded {
    pub train: Split,
    pub test: Split,
    /// SHA-256 of the listing: a line for each file, its SHA-256 and its name, in the order of names.
    pub sha256: String,
    pub notes: Vec<String>,
}

impl Pictures {
    /// Those of a folder, if it has any.
    ///
    /// # Errors
    /// Folders that cannot be listed.
    pub fn find(folder: &Path) -> Result<Option<Pictures>> {
        let inner = ["train", "test"].map(|name| folder.join(name));
        let classes_of = |folder: &Path| if folder.is_dir() { classes(folder) } else { Ok(BTreeMap::new()) };
        let [mut train, test] = [classes_of(&inner[0])?, classes_of(&inner[1])?];
        if train.is_empty() {
            if !test.is_empty() {
                let problem =
                    "has a folder of test pictures and none of training pictures; put these into train/CLASS/";
                return Err(Error::file(folder, problem));
            }
            train = classes(folder)?;
        }
        if train.is_empty() {
            return Ok(None);
        }
        let mut names: Vec<String> = train.keys().chain(test.keys()).cloned().collect();
        names.sort_by_key(|name| (name.parse::<u32>().unwrap_or(u32::MAX), name.clone()));
        names.dedup();
        let of = |classes: BTreeMap<String, Vec<PathBuf>>| {
            let class = |name: &String| names.iter().position(|n| n == name).unwrap_or_default() as u32;
            let one = |class: u32, path: PathBuf| {
                let below = path.strip_prefix(folder).unwrap_or(&path);
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                Picture { name: parts.join("/"), class, path }
            };
            let all = classes.into_iter().map(|(name, paths)| (class(&name), paths));
            all.flat_map(|(class, paths)| paths.into_iter().map(move |path| one(class, path))).collect()
        };
        let (train, test) = (of(train), if test.is_empty() { None } else { Some(of(test)) });
        Ok(Some(Pictures { folder: folder.to_path_buf(), names, train, test }))
    }

    /// The training and the test pictures, in the order of the seed.
    fn parts(&self, seed: u64) -> [Vec<&Picture>; 2] {
        let key = |p: &Picture| Sha256::new_with_prefix(seed.to_le_bytes()).chain_update(&p.name).finalize();
        let ordered = |all: &mut Vec<&Picture>| all.sort_by_cached_key(|p| key(p));
        let mut train: Vec<&Picture> = self.train.iter().collect();
        ordered(&mut train);
        if let Some(test) = &self.test {
            let mut test: Vec<&Picture> = test.iter().collect();
            ordered(&mut test);
            return [train, test];
        }
        let mut counts = vec![0usize; self.names.len()];
        train.iter().for_each(|p| counts[p.class as usize] += 1);
        // A class of a single picture keeps it for training.
        let mut left: Vec<usize> = counts.iter().map(|&n| n.div_ceil(HELD_OUT).min(n.saturating_sub(1))).collect();
        let (mut kept, mut test) = (Vec::new(), Vec::new());
        for picture in train {
            let left = &mut left[picture.class as usize];
            if *left > 0 {
                *left -= 1;
                test.push(picture);
            } else {
                kept.push(picture);
            }
        }
        [kept, test]
    }

    /// Height, width and channels that all are made; notes on it.
    fn size(&self, notes: &mut Vec<String>) -> Result<[usize; 3]> {
        let all: Vec<&Picture> = self.train.iter().chain(self.test.iter().flatten()).collect();
        let sizes: Vec<([usize; 2], bool)> = all.par_iter().map(|p| image::size(&p.path)).collect::<Result<_>>()?;
        let coloured: Vec<&&Picture> = all.iter().zip(&sizes).filter(|(_, (_, c))| *c).map(|(p, _)| p).collect();
        let step = coloured.len().div_ceil(LOOKED_AT).max(1);
        let seen: Vec<bool> =
            coloured.par_iter().step_by(step).map(|p| image::is_coloured(&p.path)).collect::<Result<_>>()?;
        let channels = if seen.contains(&true) { 3 } else { 1 };
        let mut counts: BTreeMap<[usize; 2], usize> = BTreeMap::new();
        sizes.iter().for_each(|(size, _)| *counts.entry(*size).or_default() += 1);
        let (&[h, w], &most) = counts.iter().max_by_key(|(size, n)| (**n, **size)).expect("there are pictures");
        if counts.len() == 1 {
            return Ok([h, w, channels]);
        }
        let large = h.max(w) > LARGE;
        let [height, width] = if large { [SMALLER; 2] } else { [h, w] };
        let why = if large { format!("{SMALLER}x{SMALLER}") } else { format!("{h}x{w}, the size of {most} of them") };
        notes.push(format!(
            "{}: the pictures have {} sizes; the middle of each is scaled to {why}; --input HEIGHTxWIDTHxCHANNELS \
             takes another size",
            self.folder.display(),
            counts.len()
        ));
        Ok([height, width, channels])
    }

    /// Reads all pictures, in the size asked for.
    ///
    /// # Errors
    /// A picture that cannot be read, the first of them; too few pictures to hold some out.
    pub fn load(&self, size: Option<[usize; 3]>, seed: u64) -> Result<Loaded> {
        let mut notes = Vec::new();
        let size = match size {
            Some(size) => size,
            None => self.size(&mut notes)?,
        };
        let [train, test] = self.parts(seed);
        if test.is_empty() {
            return Err(Error::Invalid(format!(
                "{}: no class has two pictures, so that none can be held out to test on; add pictures, or a folder \
                 test/",
                self.folder.display()
            )));
        }
        if self.test.is_none() {
            notes.push(format!(
                "{}: there is no folder test/; {} of {} pictures are held out to test on, drawn by the seed {seed}",
                self.folder.display(),
                test.len(),
                self.train.len()
            ));
        }
        let bytes = (train.len() + test.len()) as u64 * size.iter().product::<usize>() as u64;
        let held = held()?;
        let on_disk = bytes > held << 20;
        if on_disk {
            notes.push(format!(
                "{}: the pictures have {} MiB of pixels, more than the {held} that are held in memory: they are \
                 decoded from disk, a batch ahead of the training. WARP19_HELD_MIB sets how many are held",
                self.folder.display(),
                bytes >> 20
            ));
        }
        let (train, mut lines) = read(&train, size, on_disk)?;
        let (test, more) = read(&test, size, on_disk)?;
        lines.extend(more);
        lines.sort();
        let listing: String = lines.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        Ok(Loaded { train, test, sha256: format!("{:x}", Sha256::digest(listing)), notes })
    }
}

/// The subfolders of a folder that have pictures, with these.
fn classes(folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let mut classes = BTreeMap::new();
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || !path.is_dir() {
            continue;
        }
        let mut pictures = Vec::new();
        // The parts of a dataset are none of its classes.
        if !matches!(name.as_str(), "train" | "test") {
            gather(&path, DEPTH, &mut pictures)?;
        }
        if !pictures.is_empty() {
            pictures.sort();
            classes.insert(name, pictures);
        }
    }
    Ok(classes)
}

/// The pictures in a folder and those in it.
fn gather(folder: &Path, depth: usize, pictures: &mut Vec<PathBuf>) -> Result<()> {
    for path in entries(folder)? {
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        // What `predict --show` writes beside a picture is none of the dataset's.
        let is_shown = path.to_string_lossy().ends_with(".seen.png");
        if path.is_dir() && depth > 0 {
            gather(&path, depth - 1, pictures)?;
        } else if ENDINGS.contains(&ending.as_str()) && !is_shown && path.is_file() {
            pictures.push(path);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io("list the folder", folder, e);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| entry.map(|e| e.path()).map_err(failed)).collect()
}

/// Pictures in a frame, read or left on disk, and each one's name with its SHA-256.
fn read(pictures: &[&Picture], size: [usize; 3], on_disk: bool) -> Result<(Split, Vec<(String, String)>)> {
    let [height, width, channels] = size;
    let files = pictures.iter().map(|p| p.path.clone()).collect();
    let mut images = Images { count: pictures.len(), height, width, channels, pixels: Pixels::OnDisk(files) };
    if !on_disk {
        let mut all = Vec::with_capacity(images.count * images.image_len());
        images.pieces().try_for_each(|piece| piece.map(|bytes| all.extend_from_slice(&bytes)))?;
        images.pixels = Pixels::Held(all);
    }
    let lines = pictures.par_iter().map(|p| Ok((p.name.clone(), sha256(&p.path)?))).collect::<Result<_>>()?;
    let labels = pictures.iter().map(|p| p.class).collect();
    Ok((Split { images, labels }, lines))
}

/// MiB of pixels that a dataset of pictures may take in memory: [`HELD`], or `WARP19_HELD_MIB`.
fn held() -> Result<u64> {
    let Some(text) = std::env::var_os("WARP19_HELD_MIB") else { return Ok(HELD) };
    text.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
        Error::Invalid(format!("WARP19_HELD_MIB is {text:?}; it is a whole number of MiB, such as {HELD}"))
    })
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// Those of the file system.
pub fn sha256(path: &Path) -> Result<String> {
    let failed = |e| Error::io("read", path, e);
    let mut hash = Sha256::new();
    std::io::copy(&mut File::open(path).map_err(failed)?, &mut hash).map_err(failed)?;
    Ok(format!("{:x}", hash.finalize()))
}
