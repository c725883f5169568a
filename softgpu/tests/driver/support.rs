//! Loading the driver, compiling with NVRTC, taking turns.

use crate::common::fetched;
use cudarc::driver::CudaContext;
use softgpu::Library;
use softgpu::nvrtc::{Nvrtc, Source};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

static LIBRARY: OnceLock<Library> = OnceLock::new();
static TURN: Mutex<()> = Mutex::new(());

/// The driver and the right to change its settings until dropped.
pub struct Turn {
    pub library: Library,
    _guard: MutexGuard<'static, ()>,
}

/// Loads the driver once; tests run one after the other since findings and settings are the process's.
pub fn turn() -> Turn {
    let guard = TURN.lock().unwrap_or_else(|p| p.into_inner());
    let library = *LIBRARY.get_or_init(|| Library::load().unwrap());
    cudarc::driver::result::init().unwrap();
    library.set("check", "all").unwrap();
    library.set("seed", "1").unwrap();
    library.set("streams", "late").unwrap();
    library.take_findings().unwrap();
    Turn { library, _guard: guard }
}

/// A context of the test's own, current to its thread.
pub fn context() -> Arc<CudaContext> {
    CudaContext::new_non_primary(0, 0).unwrap()
}

/// PTX of a CUDA C++ text for compute_86, by NVRTC of that major version.
pub fn ptx(major: u32, source: &str) -> String {
    let folder = match major {
        12 => "12/nvidia/cuda_nvrtc/lib",
        _ => "13/nvidia/cu13/lib",
    };
    let file = fetched(&format!("{folder}/libnvrtc.so.{major}"));
    // SAFETY: NVRTC, as it was fetched.
    let nvrtc = unsafe { Nvrtc::load(&file) }.unwrap();
    let options = ["--gpu-architecture=compute_86", "-lineinfo"].map(String::from);
    let compiled = nvrtc.compile(&Source { name: "test.cu", text: source, headers: &[] }, &options);
    let ptx = compiled.unwrap().ptx().unwrap();
    // Unloading NVRTC is not safe on every version; a test process keeps it.
    std::mem::forget(nvrtc);
    ptx
}
