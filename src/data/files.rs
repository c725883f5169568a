//! Finding the four files of a dataset in a folder, and loading them.

use super::idx;
use super::{Images, Pixels, Split};
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The four IDX files of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetFiles {
    /// Training images and labels, test images and labels.
    pub paths: [PathBuf; 4],
    /// The dataset's name: the prefix of the files, or else the name of their folder.
    pub name: String,
    /// EMNIST stores each image transposed; loading turns them upright.
    pub transposed: bool,
}

/// The names of the four files, the usual one first.
const NAMES: [&[&str]; 4] = [
    &["train-images-idx3-ubyte"],
    &["train-labels-idx1-ubyte"],
    &["t10k-images-idx3-ubyte", "test-images-idx3-ubyte"],
    &["t10k-labels-idx1-ubyte", "test-labels-idx1-ubyte"],
];

/// The spellings of one file's name, in the order in which they are looked for.
pub(super) fn spellings(name: &str) -> [String; 4] {
    let dotted = name.replace("-idx", ".idx");
    [name.into(), dotted.clone(), format!("{name}.gz"), format!("{dotted}.gz")]
}

/// Finds a dataset: in `dir/<name>`, else in `dir` itself.
///
/// File names: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k` or `test` for `train`;
/// `.idx3` for `-idx3`; with or without `.gz` (raw wins); with or without a prefix that ends in a dash
/// (`emnist-letters-train-images-idx3-ubyte`). Where several prefixes are complete, that of `name` wins, then no
/// prefix, then `name-balanced-`, then the only one.
///
/// # Errors
/// [`Error::DatasetNotFound`], with what is missing where; several sets none of which is `name`.
pub fn find(dir: &Path, name: &str) -> Result<DatasetFiles> {
    let folders = [dir.join(name), dir.to_path_buf()];
    let mut incomplete = Vec::new();
    for folder in folders.iter().filter(|f| f.is_dir()) {
        let mut complete = BTreeMap::new();
        for (prefix, files) in sets(folder)? {
            if let Some(missing) = files.iter().position(Option::is_none) {
                incomplete.push(format!("{} lacks {prefix}{}", folder.display(), NAMES[missing][0]));
            } else {
                complete.insert(prefix, files.map(Option::unwrap_or_default));
            }
        }
        if !complete.is_empty() {
            return choose(folder, name, complete);
        }
    }
    let mut looked = match dir.is_dir() {
        true => format!("{} or {}", folders[0].display(), folders[1].display()),
        false => format!("{} (there is no such folder)", dir.display()),
    };
    if !incomplete.is_empty() {
        looked += &format!(": {}", incomplete.join(", "));
    }
    let fetching = match super::known::is_known(name) {
        true => format!(", or run `warp19 data fetch --dataset {name} --data {}`", dir.display()),
        false => String::new(),
    };
    Err(Error::DatasetNotFound(format!(
        "no dataset \"{name}\" found in {looked}; the four IDX files are named {} (raw or .gz; \".idx3\" and a prefix \
         such as \"emnist-letters-\" are fine too), pictures lie in train/CLASS/ and test/CLASS/, and CIFAR's binary \
         files have their own names. Check the folder given with --data{fetching}.",
        NAMES.map(|names| names[0]).join(", ")
    )))
}

/// Loads the training and the test part.
///
/// # Errors
/// Those of [`idx`]; images and labels that are not as many.
pub(super) fn load(files: &DatasetFiles) -> Result<[Split; 2]> {
    let [train_images, train_labels, test_images, test_labels] = &files.paths;
    let load = |images: &Path, labels: &Path| {
        let mut pixels = idx::read_images(images)?;
        if files.transposed {
            transpose(&mut pixels);
        }
        let what = format!("{} and {}", images.display(), labels.display());
        Split::new(pixels, idx::read_labels(labels)?, &what)
    };
    Ok([load(train_images, train_labels)?, load(test_images, test_labels)?])
}

/// Exchanges rows and columns of each image.
fn transpose(images: &mut Images) {
    let (height, width, channels) = (images.height, images.width, images.channels);
    let mut upright = vec![0; images.image_len()];
    let len = images.image_len();
    let Pixels::Held(pixels) = &mut images.pixels else { panic!("the images of IDX files are held in memory") };
    for image in pixels.chunks_exact_mut(len) {
        for (at, pixel) in image.chunks_exact(channels).enumerate() {
            let (y, x) = (at / width, at % width);
            upright[(x * height + y) * channels..][..channels].copy_from_slice(pixel);
        }
        image.copy_from_slice(&upright);
    }
    (images.height, images.width) = (width, height);
}

/// What a folder has of the four files, by what stands before their names.
fn sets(folder: &Path) -> Result<BTreeMap<String, [Option<PathBuf>; 4]>> {
    let failed = |e| Error::io("list the folder", folder, e);
    let mut there = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        there.extend(entry.map_err(failed)?.file_name().into_string());
    }
    let mut sets: BTreeMap<String, [Option<PathBuf>; 4]> = BTreeMap::new();
    for (file, names) in NAMES.iter().enumerate() {
        for spelling in names.iter().flat_map(|name| spellings(name)) {
            for name in &there {
                if let Some(prefix) = name.strip_suffix(&spelling)
                    && (prefix.is_empty() || prefix.ends_with('-'))
                {
                    sets.entry(prefix.into()).or_default()[file].get_or_insert_with(|| folder.join(name));
                }
            }
        }
    }
    Ok(sets)
}

/// What a folder is called.
pub(super) fn own_name(folder: &Path) -> String {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    absolute.file_name().map_or("dataset".into(), |n| n.to_string_lossy().into_owned())
}

/// One of the complete sets of a folder.
fn choose(folder: &Path, name: &str, mut complete: BTreeMap<String, [PathBuf; 4]>) -> Result<DatasetFiles> {
    let named = |prefix: &str| prefix.strip_suffix('-').map_or_else(|| own_name(folder), str::to_string);
    let names: Vec<String> = complete.keys().map(|prefix| named(prefix)).collect();
    // EMNIST is six sets; that of 47 balanced classes is meant where none is named.
    let balanced = format!("{name}-balanced-");
    let wanted = [format!("{name}-"), String::new(), balanced].into_iter().find(|prefix| complete.contains_key(prefix));
    let only = complete.keys().next().filter(|_| complete.len() == 1).cloned();
    let Some((prefix, paths)) = wanted.or(only).and_then(|prefix| complete.remove_entry(&prefix)) else {
        return Err(Error::Invalid(format!(
            "{} holds several datasets ({}) and none is named \"{name}\"; choose one with --dataset, for instance \
             --dataset {}",
            folder.display(),
            names.join(", "),
            names[0]
        )));
    };
    Ok(DatasetFiles { name: named(&prefix), transposed: prefix.starts_with("emnist-"), paths })
}
