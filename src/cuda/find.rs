//! Finding NVRTC: an explicit setting, then the system, CUDA toolkits, conda, Python packages, and the repository's
//! `.cache/nvrtc`.

use super::nvrtc::Nvrtc;
use std::path::{Path, PathBuf};

/// The setting that names the library, or a folder that holds it; nothing else is looked at then.
pub const SETTING: &str = "WARP19_NVRTC";

/// One place that was looked at.
#[derive(Clone, Debug)]
pub struct Place {
    /// What kind of place, such as "CUDA_HOME" or "pip".
    pub kind: &'static str,
    pub path: PathBuf,
}

/// What a search found.
pub struct Search {
    /// Every NVRTC that loads, in order of preference.
    pub found: Vec<Nvrtc>,
    /// What was looked at without success, a line each.
    pub missed: Vec<String>,
}

/// The command that installs an NVRTC which knows the compute capability (times ten).
pub fn remedy(sm: u32) -> String {
    let package = if sm >= 110 { "nvidia-cuda-nvrtc" } else { "nvidia-cuda-nvrtc-cu12" };
    format!("`pip install {package}` brings one (no GPU or toolkit is needed for it), or name the library in {SETTING}")
}

/// Looks everywhere.
pub fn search() -> Search {
    let mut search = Search { found: Vec::new(), missed: Vec::new() };
    if let Some(value) = std::env::var_os(SETTING).filter(|v| !v.is_empty()) {
        let path = PathBuf::from(value);
        let files = if path.is_dir() { libraries_in(&path) } else { vec![path.clone()] };
        if files.is_empty() {
            search.missed.push(format!("{SETTING}: no libnvrtc.so in {}", path.display()));
        }
        search.load(SETTING, files);
        return search;
    }
    // The loader's own search: LD_LIBRARY_PATH, ld.so.cache. A name it does not know is no news.
    for name in ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"] {
        match Nvrtc::load(Path::new(name)) {
            Ok(nvrtc) => search.add(nvrtc),
            Err(_) => search.missed.push(format!("system: {name} is not known to the loader")),
        }
    }
    for Place { kind, path } in places() {
        let files = libraries_in(&path);
        if files.is_empty() {
            search.missed.push(format!("{kind}: no libnvrtc.so in {}", path.display()));
        }
        search.load(kind, files);
    }
    search
}

/// An NVRTC for a device of a driver (its CUDA version as 12040, or `None` where no driver is asked): first those whose
/// major version the driver knows, since an older driver may refuse newer code; among them one that knows the device
/// exactly before one that can reach it with PTX.
///
/// # Errors
/// What was looked for, where, and the command that fixes it.
pub fn find(sm: u32, driver: Option<i32>) -> Result<Nvrtc, String> {
    let Search { mut found, missed } = search();
    let known = |n: &Nvrtc| driver.is_none_or(|d| n.version.0 <= d / 1000);
    let rank = |n: &Nvrtc| (!known(n), !n.architectures.contains(&sm));
    let usable = (0..found.len()).filter(|&i| found[i].target(sm).is_some()).min_by_key(|&i| rank(&found[i]));
    if let Some(at) = usable {
        return Ok(found.swap_remove(at));
    }
    let unfit = found.iter().map(|n| {
        let (major, minor) = n.version;
        let from = n.architectures.first().copied().unwrap_or(0);
        format!("{} is version {major}.{minor}, which begins at sm_{from}", n.path.display())
    });
    let looked: Vec<String> = unfit.chain(missed).collect();
    Err(format!(
        "the CUDA kernels need NVRTC (libnvrtc.so) to be compiled for sm_{sm}, and none was found. Looked at: {}. {}.",
        looked.join("; "),
        remedy(sm)
    ))
}

impl Search {
    fn load(&mut self, kind: &str, files: Vec<PathBuf>) {
        for file in files {
            match Nvrtc::load(&file) {
                Ok(nvrtc) => self.add(nvrtc),
                Err(e) => self.missed.push(format!("{kind}: {}: {e}", file.display())),
            }
        }
    }
    fn add(&mut self, nvrtc: Nvrtc) {
        let same = |n: &Nvrtc| n.path == nvrtc.path;
        if !self.found.iter().any(same) {
            self.found.push(nvrtc);
        }
    }
}

/// Files named `libnvrtc.so*` in a folder, the newest first; NVIDIA's `.alt` variants are left out.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let wanted = |p: &PathBuf| {
        let name = p.file_name().and_then(|n| n.to_str()).unwrap_or("");
        name.starts_with("libnvrtc.so")
    };
    let mut files: Vec<PathBuf> = entries(folder).into_iter().filter(wanted).collect();
    // libnvrtc.so, libnvrtc.so.12 and libnvrtc.so.12.9.86 are often one file.
    files.sort();
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
pub fn places() -> Vec<Place> {
    let mut places = Vec::new();
    let mut add = |kind, path: PathBuf| places.push(Place { kind, path });
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(root) = variable("WARP19_NVRTC_DIR") {
        wheels_by_major("WARP19_NVRTC_DIR", &root, &mut add);
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

/// `ROOT/13` and `ROOT/12`: wheels unpacked by `scripts/fetch_nvrtc.sh`.
fn wheels_by_major(kind: &'static str, root: &Path, add: &mut impl FnMut(&'static str, PathBuf)) {
    for major in ["13", "12"] {
        wheels(kind, &root.join(major), add);
    }
}

/// `ROOT/lib/python3.*/{site,dist}-packages`.
fn python(kind: &'static str, root: &Path, add: &mut impl FnMut(&'static str, PathBuf)) {
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
fn wheels(kind: &'static str, packages: &Path, add: &mut impl FnMut(&'static str, PathBuf)) {
    for folder in ["nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"] {
        if packages.join(folder).is_dir() {
            add(kind, packages.join(folder));
        }
    }
}
