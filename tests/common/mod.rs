//! What several test files share.

#![allow(dead_code)] // Each test file is a crate of its own and uses a part of this.

pub mod allocations;
pub mod command;
pub mod golden;
pub mod operation;
pub mod synthetic;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of NVRTC 12 or 13: below `WARP19_NVRTC_DIR`, else the repository's `.cache/nvrtc`.
///
/// # Panics
/// If it is not there; `scripts/fetch_nvrtc.sh` brings it.
pub fn nvrtc(major: &str) -> PathBuf {
    let root = std::env::var_os("WARP19_NVRTC_DIR").map_or_else(|| repository().join(".cache/nvrtc"), PathBuf::from);
    let package = if major == "12" { "cuda_nvrtc" } else { "cu13" };
    let folder = root.join(major).join("nvidia").join(package).join("lib");
    assert!(folder.is_dir(), "NVRTC {major} is not in {}: run scripts/fetch_nvrtc.sh", root.display());
    folder
}
