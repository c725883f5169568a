//! Finding the NVRTC that fits a device.

use super::nvrtc::Target;
use super::settings;
use softgpu::nvrtc::{self, Nvrtc, Place, Search};

/// The setting that names the library, or a folder that holds it; nothing else is looked at then.
pub const SETTING: &str = "WARP19_NVRTC";
/// The setting that names a folder with what `scripts/fetch_nvrtc.sh` brings.
pub const FOLDER: &str = "WARP19_NVRTC_DIR";

/// The command that installs an NVRTC which knows the compute capability (times ten).
pub fn remedy(sm: u32) -> String {
    let package = if sm >= 110 { "nvidia-cuda-nvrtc" } else { "nvidia-cuda-nvrtc-cu12" };
    format!("`pip install {package}` brings one (no GPU or toolkit is needed for it), or name the library in {SETTING}")
}

/// Looks everywhere.
pub fn search() -> Search {
    nvrtc::search(SETTING, FOLDER, |_| false)
}

/// Folders that may hold the library.
pub fn places() -> Vec<Place> {
    nvrtc::places(FOLDER)
}

/// An NVRTC for a device of a driver (its CUDA version as 12040, or `None` where no driver is asked): first those whose
/// major version the driver knows, since an older driver may refuse newer code; among them one that knows the device
/// exactly before one that can reach it with PTX.
///
/// # Errors
/// What was looked for, where, and the command that fixes it.
pub fn find(sm: u32, driver: Option<i32>) -> Result<Nvrtc, String> {
    settings::path(FOLDER, |p| p.is_dir()).map_err(|e| e.to_string())?;
    let Search { mut found, missed } = search();
    let known = |n: &Nvrtc| driver.is_none_or(|d| n.version.0 <= d / 1000);
    let rank = |n: &Nvrtc| (!known(n), !n.architectures.contains(&sm));
    let usable = (0..found.len()).filter(|&i| Target::of(&found[i], sm).is_some()).min_by_key(|&i| rank(&found[i]));
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
