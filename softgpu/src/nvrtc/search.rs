//! Finding NVRTC: an explicit setting, then the system, CUDA toolkits, conda, Python packages, and `.cache/nvrtc`.

use super::library::Nvrtc;
use std::path::{Path, PathBuf};

/// One place that was looked at.
#[derive(Clone, Debug)]
pub struct Place {
    /// What kind of place, such as "CUDA_HOME" or "pip".
    pub kind: String,
    /// A folder.
    pub path: PathBuf,
}

/// What a search found.
pub struct Search {
    /// Every NVRTC that loads, in order of preference.
    pub found: Vec<Nvrtc>,
    /// What was looked at without success, a line each.
    pub missed: Vec<String>,
}

/// An NVRTC that knows a compute capability (times ten).
///
/// `SOFTGPU_NVRTC` names the library, or a folder that holds it; then nothing else is looked at. `SOFTGPU_NVRTC_DIR`
/// names a folder of unpacked wheels by major version. See [`places`] for the others.
///
/// # Errors
/// Says what was tried and the one command that installs it.
pub fn find(sm: u32) -> Result<Nvrtc, String> {
    let fits = |nvrtc: &Nvrtc| nvrtc.architectures.contains(&sm);
    let Search { found, missed } = search("SOFTGPU_NVRTC", "SOFTGPU_NVRTC_DIR", fits);
    let mut tried = missed;
    for nvrtc in found {
        if fits(&nvrtc) {
            return Ok(nvrtc);
        }
        let ((major, minor), path) = (nvrtc.version, nvrtc.path.display());
        tried.push(format!("{path} is version {major}.{minor}, which compiles for {:?}", nvrtc.architectures));
    }
    Err(format!(
        "a .cu file needs NVRTC (libnvrtc.so) for sm_{sm}, which was not found ({}). Install it with \
         `python3 -m pip install nvidia-cuda-nvrtc` (or `nvidia-cuda-nvrtc-cu12` for devices older than sm_75), or \
         set SOFTGPU_NVRTC to the library's path.",
        tried.join("; ")
    ))
}

/// Looks everywhere, until one is `enough`.
///
/// `setting` is the variable that names the library, or a folder that holds it; nothing else is looked at then.
/// `folder` is as for [`places`].
pub fn search(setting: &str, folder: &str, enough: impl Fn(&Nvrtc) -> bool) -> Search {
    let mut search = Search { found: Vec::new(), missed: Vec::new() };
    if let Some(path) = variable(setting) {
        let files = if path.is_dir() { libraries_in(&path) } else { vec![path.clone()] };
        search.load(setting, &path, files, &enough);
        return search;
    }
    // The loader's own search: LD_LIBRARY_PATH, ld.so.cache. A name it does not know is no news.
    for name in ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"] {
        // SAFETY: the loader's own libraries are what their names say.
        match unsafe { Nvrtc::load(Path::new(name)) } {
            Ok(nvrtc) => search.add(nvrtc),
            Err(_) => search.missed.push(format!("system: {name} is not known to the loader")),
        }
    }
    for Place { kind, path } in places(folder) {
        if search.found.iter().any(&enough) {
            break;
        }
        let files = libraries_in(&path);
        search.load(&kind, &path, files, &enough);
    }
    search
}

impl Search {
    fn load(&mut self, kind: &str, folder: &Path, files: Vec<PathBuf>, enough: impl Fn(&Nvrtc) -> bool) {
        if files.is_empty() {
            self.missed.push(format!("{kind}: no libnvrtc.so in {}", folder.display()));
        }
        for file in files {
            // SAFETY: NVRTC by its name, where the owner of the machine keeps it or says that it is.
            match unsafe { Nvrtc::load(&file) } {
                Ok(nvrtc) => self.add(nvrtc),
                Err(e) => self.missed.push(format!("{kind}: {}: {e}", file.display())),
            }
            if self.found.iter().any(&enough) {
                return;
            }
        }
    }

    fn add(&mut self, nvrtc: Nvrtc) {
        if !self.found.iter().any(|n| n.path == nvrtc.path) {
            self.found.push(nvrtc);
        }
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from)
}

/// Files named `libnvrtc.so*` in a folder, the newest first; NVIDIA's `.alt` variants are left out.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let wanted = |p: &PathBuf| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("libnvrtc.so"));
    let mut files: Vec<PathBuf> = entries(folder).into_iter().filter(wanted).collect();
    // libnvrtc.so, libnvrtc.so.12 and libnvrtc.so.12.9.86 are often one file.
    files.dedup_by_key(|p| p.canonicalize().unwrap_or_else(|_| p.clone()));
    files.reverse();
    files
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(list) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = list.flatten().map(|e| e.path()).collect();
    paths.sort();
    paths
}

/// Folders that may hold the library, in order of preference.
///
/// `folder` is the variable that names a folder of unpacked wheels, `13` and `12` by major version; a folder
/// `.cache/nvrtc` of that form is found in the current folder and in those above it.
pub fn places(folder: &str) -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |kind: &str, path: PathBuf| places.push(Place { kind: kind.into(), path });
    if let Some(root) = variable(folder) {
        wheels_by_major(folder, &root, &mut add);
    }
    for name in ["CUDA_HOME", "CUDA_PATH"] {
        if let Some(root) = variable(name) {
            for part in ["lib64", "lib", "targets/x86_64-linux/lib"] {
                if root.join(part).is_dir() || part == "lib64" {
                    add(name, root.join(part));
                }
            }
        }
    }
    if let Some(root) = variable("CONDA_PREFIX") {
        add("conda", root.join("lib"));
        python("conda", &root, &mut add);
    }
    if let Some(root) = variable("VIRTUAL_ENV") {
        python("pip", &root, &mut add);
    }
    if let Some(home) = variable("HOME") {
        python("pip --user", &home.join(".local"), &mut add);
    }
    // Where a Python on the PATH lives.
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        if folder.join("python3").exists()
            && let Some(root) = folder.parent()
        {
            python("pip", root, &mut add);
        }
    }
    if let Ok(here) = std::env::current_dir() {
        for parent in here.ancestors() {
            let root = parent.join(".cache/nvrtc");
            if root.is_dir() {
                wheels_by_major(".cache/nvrtc", &root, &mut add);
            }
        }
    }
    add("toolkit", "/usr/local/cuda/lib64".into());
    places
}

/// `ROOT/13` and `ROOT/12`: unpacked wheels.
fn wheels_by_major(kind: &str, root: &Path, add: &mut impl FnMut(&str, PathBuf)) {
    for major in ["13", "12"] {
        wheels(kind, &root.join(major), add);
    }
}

/// `ROOT/lib/python3.*/{site,dist}-packages`.
fn python(kind: &str, root: &Path, add: &mut impl FnMut(&str, PathBuf)) {
    for library in entries(&root.join("lib")) {
        let name = library.file_name().and_then(|n| n.to_str());
        if name.is_some_and(|n| n.starts_with("python3")) {
            for packages in ["site-packages", "dist-packages"] {
                wheels(kind, &library.join(packages), add);
            }
        }
    }
}

/// Where NVIDIA's wheels put the library under a package folder.
fn wheels(kind: &str, packages: &Path, add: &mut impl FnMut(&str, PathBuf)) {
    for folder in ["nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"] {
        if packages.join(folder).is_dir() {
            add(kind, packages.join(folder));
        }
    }
}
