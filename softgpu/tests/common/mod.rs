//! What the tests share.

use std::path::{Path, PathBuf};

/// A file of NVIDIA's Python packages, such as `13/nvidia/cu13/lib/libnvrtc.so.13`: unpacked in a folder for each,
/// below `SOFTGPU_NVRTC_DIR`, else in `.cache/nvrtc` of the crate or of a folder above it. It must be there.
pub fn fetched(file: &str) -> PathBuf {
    let roots: Vec<PathBuf> = match std::env::var_os("SOFTGPU_NVRTC_DIR").filter(|v| !v.is_empty()) {
        Some(root) => vec![root.into()],
        None => Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|a| a.join(".cache/nvrtc")).collect(),
    };
    let found = roots.iter().map(|root| root.join(file)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no {file} in {roots:?}. For the tests that compile: `pip install --target 13 nvidia-cuda-nvrtc`, \
             `pip install --target 12 nvidia-cuda-nvrtc-cu12` and `pip install --target ptxas nvidia-cuda-nvcc \
             nvidia-cuda-cccl nvidia-cuda-runtime-cu12` in a folder that SOFTGPU_NVRTC_DIR names"
        )
    })
}
