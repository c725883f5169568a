//! The folder in which programs find the driver and the runtime.

use crate::command::failure::Failure;
use crate::library::path_of;
use std::path::{Path, PathBuf};

/// A folder for one run, removed at the end: links to the libraries, and the findings. It lies among the system's
/// temporary files, never in a folder where a search for a real CUDA library would come upon it.
pub struct Links {
    /// The folder.
    pub folder: PathBuf,
}

/// The names under which programs ask for the driver and for the runtime.
const DRIVER: &[&str] = &["libcuda.so.1", "libcuda.so"];
const RUNTIME: &[&str] = &["libcudart.so.13", "libcudart.so.12", "libcudart.so"];

impl Links {
    /// Makes the folder with links to softgpu's driver and to its runtime.
    ///
    /// # Errors
    /// A library is not there, or the folder can't be made.
    pub fn new() -> Result<Links, Failure> {
        let driver = path_of("softgpu").map_err(|error| error.to_string())?;
        let runtime = runtime_path()?;
        let links = Links::empty()?;
        for (names, file) in [(DRIVER, &driver), (RUNTIME, &runtime)] {
            for name in names {
                links.add(name, file)?;
            }
        }
        Ok(links)
    }

    /// Makes the folder without links.
    pub fn empty() -> Result<Links, Failure> {
        let folder = tempfile::Builder::new().prefix("softgpu-").tempdir();
        let folder = folder.map_err(|e| format!("no folder for temporary files: {e}"))?;
        Ok(Links { folder: folder.keep() })
    }

    /// Adds a link.
    pub fn add(&self, name: &str, file: &Path) -> Result<(), Failure> {
        let link = self.folder.join(name);
        std::os::unix::fs::symlink(file, &link).map_err(|e| format!("{} can't be made: {e}", link.display()).into())
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // What stays behind is a folder of links among the temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where `libsoftcudart.so` is.
pub fn runtime_path() -> Result<PathBuf, Failure> {
    path_of("softcudart").map_err(|error| error.to_string().into())
}
