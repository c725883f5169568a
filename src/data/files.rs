//! Finding the four files of a dataset in a folder, and loading them.

use super::idx;
use super::{Dataset, Images, Split};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// The four IDX files of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    pub train_images: PathBuf,
    pub train_labels: PathBuf,
    pub test_images: PathBuf,
    pub test_labels: PathBuf,
    /// The dataset's name: the prefix of the files, or else the name of their folder.
    pub name: String,
    /// EMNIST stores each image transposed; loading turns them upright.
    pub transposed: bool,
}

/// Finds a dataset: in `dir/<name>`, else in `dir` itself.
///
/// File names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k` or `test` for `train`;
/// `.idx3` for `-idx3`; with or without `.gz` (raw wins); with or without a prefix that ends in a dash
/// (`emnist-letters-train-images-idx3-ubyte`). Where several prefixes are complete, that of `name` wins, then no
/// prefix, then the only one; else [`Error::DatasetAmbiguous`].
pub fn find(dir: &Path, name: &str) -> Result<DatasetFiles> {
    let folders = [dir.join(name), dir.to_path_buf()];
    let mut incomplete = Vec::new();
    for folder in &folders {
        if !folder.is_dir() {
            continue;
        }
        let names = file_names(folder)?;
        let found = prefixes(&names);
        let mut complete = Vec::new();
        for prefix in &found {
            match complete_set(folder, &names, prefix) {
                Ok(files) => complete.push((prefix.as_str(), files)),
                Err(missing) => incomplete.push(format!("{} lacks {missing}", folder.display())),
            }
        }
        if !complete.is_empty() {
            return choose(folder, name, complete);
        }
    }
    let looked = if dir.is_dir() {
        format!("{} or {}", folders[0].display(), folders[1].display())
    } else {
        format!("{} (there is no such folder)", dir.display())
    };
    let looked = if incomplete.is_empty() { looked } else { format!("{looked}: {}", incomplete.join(", ")) };
    Err(Error::DatasetNotFound {
        name: name.to_string(),
        looked,
        expected: "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte \
                   and t10k-labels-idx1-ubyte"
            .to_string(),
        advice: advice(dir, name),
    })
}

/// Finds and loads a dataset; see [`find`] for where, and [`Dataset::new`] for the checks.
pub fn load(dir: &Path, name: &str) -> Result<Dataset> {
    let files = find(dir, name)?;
    let train = load_split(&files.train_images, &files.train_labels, files.transposed)?;
    let test = load_split(&files.test_images, &files.test_labels, files.transposed)?;
    Dataset::new(train, test, &files.name)
}

fn load_split(images: &Path, labels: &Path, transposed: bool) -> Result<Split> {
    let what = format!("{} and {}", images.display(), labels.display());
    let mut pixels = idx::read_images(images)?;
    if transposed {
        transpose(&mut pixels);
    }
    Split::new(pixels, idx::read_labels(labels)?, &what)
}

/// Exchanges rows and columns of each image.
fn transpose(images: &mut Images) {
    let (height, width) = (images.height, images.width);
    let mut upright = vec![0; images.image_len()];
    for image in images.pixels.chunks_exact_mut(height * width) {
        for y in 0..height {
            for x in 0..width {
                upright[x * height + y] = image[y * width + x];
            }
        }
        image.copy_from_slice(&upright);
    }
    (images.height, images.width) = (width, height);
}

fn file_names(folder: &Path) -> Result<Vec<String>> {
    let read = |e| Error::io("list the folder", folder, e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        if let Ok(name) = entry.map_err(read)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The spellings of one file: part is "train", "t10k" or "test", kind is "images" or "labels".
fn spellings(part: &str, kind: &str) -> [String; 4] {
    let rank = if kind == "images" { 3 } else { 1 };
    [
        format!("{part}-{kind}-idx{rank}-ubyte"),
        format!("{part}-{kind}.idx{rank}-ubyte"),
        format!("{part}-{kind}-idx{rank}-ubyte.gz"),
        format!("{part}-{kind}.idx{rank}-ubyte.gz"),
    ]
}

/// Everything that stands before one of the four file names, sorted, without repeats.
fn prefixes(names: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for part in ["train", "t10k", "test"] {
        for kind in ["images", "labels"] {
            for spelling in spellings(part, kind) {
                let before = names.iter().filter_map(|n| n.strip_suffix(spelling.as_str()));
                let whole = before.filter(|p| p.is_empty() || p.ends_with('-'));
                found.extend(whole.map(str::to_string));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The four files with one prefix, or the name of the first that is missing.
fn complete_set(folder: &Path, names: &[String], prefix: &str) -> std::result::Result<DatasetFiles, String> {
    let pick = |parts: &[&str], kind: &str| {
        let mut candidates =
            parts.iter().flat_map(|part| spellings(part, kind)).map(|spelling| format!("{prefix}{spelling}"));
        let found = candidates.find(|candidate| names.contains(candidate));
        found.map(|file| folder.join(file)).ok_or_else(|| format!("{prefix}{}", spellings(parts[0], kind)[0]))
    };
    let folder_name = || {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        let name = absolute.file_name().map(|n| n.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "dataset".to_string())
    };
    Ok(DatasetFiles {
        train_images: pick(&["train"], "images")?,
        train_labels: pick(&["train"], "labels")?,
        test_images: pick(&["t10k", "test"], "images")?,
        test_labels: pick(&["t10k", "test"], "labels")?,
        name: match prefix.strip_suffix('-') {
            Some(name) => name.to_string(),
            None => folder_name(),
        },
        transposed: prefix.starts_with("emnist-"),
    })
}

/// One of the complete sets of a folder.
fn choose(folder: &Path, name: &str, mut complete: Vec<(&str, DatasetFiles)>) -> Result<DatasetFiles> {
    let wanted = [format!("{name}-"), String::new()];
    for prefix in &wanted {
        if let Some(index) = complete.iter().position(|(p, _)| p == prefix) {
            return Ok(complete.swap_remove(index).1);
        }
    }
    if complete.len() == 1 {
        return Ok(complete.swap_remove(0).1);
    }
    let names: Vec<&str> = complete.iter().map(|(_, f)| f.name.as_str()).collect();
    Err(Error::DatasetAmbiguous {
        dir: folder.to_path_buf(),
        name: name.to_string(),
        found: names.join(", "),
        example: names[0].to_string(),
    })
}

fn advice(dir: &Path, name: &str) -> String {
    if super::known::known(name).is_ok() {
        format!(
            "Check the folder given with --data, or run `warp19 data fetch --dataset {name} --data {}`.",
            dir.display()
        )
    } else {
        "Check the folder given with --data.".to_string()
    }
}
