//! Writing a file so that it is there whole or not at all.

use crate::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

/// How the names of temporary files begin and end.
const PREFIX: &str = ".warp19-";
const SUFFIX: &str = ".tmp";

/// Removes the temporary files that a killed program left in `dir`, which must be no other program's at the time. What
/// cannot be removed is left: nothing reads it.
pub fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Writes `path` through a temporary file in the same folder: written, synced, renamed. A failure
/// at any point (full disk, no permission, a kill) leaves what was at `path` as it was.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    write_with(path, &mut |file| file.write_all(contents).map_err(|e| Error::io("write", path, e)))
}

/// As [`write`], the contents coming piece by piece from `fill`, whose own errors are passed on.
pub fn write_with(path: &Path, fill: &mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut file = temporary(folder).map_err(|e| Error::io("create a file in the folder", folder, e))?;
    fill(file.as_file_mut())?;
    file.as_file().sync_all().map_err(|e| Error::io("write", path, e))?;
    file.persist(path).map_err(|e| Error::io("write", path, e.error))?;
    // Makes the rename itself durable. Not every file system can sync a folder, and by now the file is complete, so
    // that a failure here is none of the write.
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
    Ok(())
}

/// Creates `dir` with its parents and checks that a file can be made in it, so that a read-only folder is reported
/// before anything is downloaded or computed.
pub fn writable_folder(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| Error::io("create the folder", dir, e))?;
    temporary(dir).map_err(|e| Error::io("write to the folder", dir, e))?;
    Ok(())
}

/// What the system said, without the name of a temporary file, which nobody asked for.
fn without_its_name(error: std::io::Error) -> std::io::Error {
    let text = error.to_string();
    match text.split_once(" at path ") {
        Some((reason, _)) => std::io::Error::new(error.kind(), reason.to_string()),
        None => error,
    }
}

/// A temporary file in a folder. Such files are private by default; this one has the usual mode, which the process's
/// umask narrows.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(without_its_name)
}
