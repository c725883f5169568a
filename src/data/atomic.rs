//! Writing a file so that it is there whole or not at all.

use crate::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes `path` through a temporary file in the same folder: written, synced, renamed. A failure
/// at any point (full disk, no permission, a kill) leaves what was at `path` as it was.
pub fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".warp19-").suffix(".tmp");
    // Temporary files are private by default; the finished file should have the usual mode,
    // which the process's umask narrows.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder
        .tempfile_in(&folder)
        .map_err(|e| Error::io("create a file in", &folder, e))?;
    file.write_all(contents)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|e| Error::io("write", path, e))?;
    file.persist(path)
        .map_err(|e| Error::io("write", path, e.error))?;
    sync_folder(&folder);
    Ok(())
}

/// Creates `dir` with its parents and checks that a file can be made in it, so that a read-only
/// folder is reported before anything is downloaded or computed.
pub fn writable_folder(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).map_err(|e| Error::io("create the folder", dir, e))?;
    tempfile::Builder::new()
        .prefix(".warp19-")
        .tempfile_in(dir)
        .map_err(|e| Error::io("write to the folder", dir, e))?;
    Ok(())
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes the rename itself durable. Not every file system can sync a folder, and by then the file
/// is complete, so a failure here is no failure of the write.
fn sync_folder(folder: &Path) {
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}
