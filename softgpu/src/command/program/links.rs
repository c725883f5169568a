//! The folder in which programs find the driver and the runtime.

use crate::command::failure::Failure;
use crate::library::library_path;
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
        let driver = library_path().map_err(|e| e.to_string())?;
        let runtime = runtime_path(&driver)?;
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

/// Where `libsoftcudart.so` is: `SOFTCUDART_LIBRARY`, or beside the driver.
pub fn runtime_path(driver: &Path) -> Result<PathBuf, Failure> {
    const VARIABLE: &str = "SOFTCUDART_LIBRARY";
    if let Some(path) = std::env::var_os(VARIABLE).map(PathBuf::from) {
        return match path.canonicalize() {
            Ok(found) if found.is_file() => Ok(found),
            _ => Err(format!("{VARIABLE} names {}, which is no file: correct it or unset it", path.display()).into()),
        };
    }
    let here = driver.parent().unwrap_or(Path::new("."));
    let folders = [here.to_path_buf(), here.join("deps")];
    let found = folders.iter().map(|folder| folder.join("libsoftcudart.so")).find(|file| file.is_file());
    found.ok_or_else(|| {
        let here = here.display();
        format!("no libsoftcudart.so beside softgpu's driver in {here}: `cargo build --release -p softcudart` makes it, or name it in {VARIABLE}").into()
    })
}
