//! What the tests share.

use std::path::{Path, PathBuf};

/// A file that scripts/fetch_nvrtc.sh brought, such as `13/nvidia/cu13/lib/libnvrtc.so.13`: below `WARP19_NVRTC_DIR`, else in
/// the repository's `.cache/nvrtc`. It must be there.
pub fn fetched(file: &str) -> PathBuf {
    let root = std::env::var_os("WARP19_NVRTC_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.cache/nvrtc"), PathBuf::from);
    let path = root.join(file);
    assert!(path.is_file(), "{} is missing: run scripts/fetch_nvrtc.sh", path.display());
    path
}
