//! Loading the driver, compiling with NVRTC, taking turns.

use cudarc::driver::CudaContext;
use softgpu::Library;
use std::ffi::CString;
use std::path::PathBuf;
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
    Turn {
        library,
        _guard: guard,
    }
}

/// A context of the test's own, current to its thread.
pub fn context() -> Arc<CudaContext> {
    CudaContext::new_non_primary(0, 0).unwrap()
}

/// The NVRTC library of a major version, from `WARP19_NVRTC_DIR` or the repository's `.cache/nvrtc`.
fn nvrtc_file(major: u32) -> PathBuf {
    let root = std::env::var_os("WARP19_NVRTC_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.cache/nvrtc"),
        PathBuf::from,
    );
    let name = format!("libnvrtc.so.{major}");
    let inner = match major {
        12 => "12/nvidia/cuda_nvrtc/lib",
        _ => "13/nvidia/cu13/lib",
    };
    let file = root.join(inner).join(name);
    assert!(
        file.is_file(),
        "{} is missing: run scripts/fetch_nvrtc.sh",
        file.display()
    );
    file
}

/// PTX of a CUDA C++ text for compute_86, by NVRTC of that major version.
pub fn ptx(major: u32, source: &str) -> String {
    type Create = unsafe extern "C" fn(
        *mut usize,
        *const i8,
        *const i8,
        i32,
        *const *const i8,
        *const *const i8,
    ) -> i32;
    type Compile = unsafe extern "C" fn(usize, i32, *const *const i8) -> i32;
    type Size = unsafe extern "C" fn(usize, *mut usize) -> i32;
    type Get = unsafe extern "C" fn(usize, *mut i8) -> i32;
    let source = CString::new(source).unwrap();
    let options = [
        c"--gpu-architecture=compute_86".as_ptr(),
        c"-lineinfo".as_ptr(),
    ];
    // SAFETY: NVRTC's documented interface, each call checked.
    unsafe {
        let library = libloading::Library::new(nvrtc_file(major)).unwrap();
        let create = library.get::<Create>(b"nvrtcCreateProgram").unwrap();
        let compile = library.get::<Compile>(b"nvrtcCompileProgram").unwrap();
        let get = |size: &[u8], text: &[u8], program: usize| {
            let mut n = 0;
            assert_eq!(library.get::<Size>(size).unwrap()(program, &mut n), 0);
            let mut out = vec![0u8; n];
            assert_eq!(
                library.get::<Get>(text).unwrap()(program, out.as_mut_ptr().cast()),
                0
            );
            out.truncate(n.saturating_sub(1));
            String::from_utf8(out).unwrap()
        };
        let mut program = 0;
        let none = std::ptr::null();
        let code = create(
            &mut program,
            source.as_ptr(),
            c"test.cu".as_ptr(),
            0,
            none,
            none,
        );
        assert_eq!(code, 0);
        let code = compile(program, options.len() as i32, options.as_ptr());
        let log = || get(b"nvrtcGetProgramLogSize", b"nvrtcGetProgramLog", program);
        assert_eq!(code, 0, "{}", log());
        let text = get(b"nvrtcGetPTXSize", b"nvrtcGetPTX", program);
        // Unloading NVRTC is not safe on every version; a test process keeps it.
        std::mem::forget(library);
        text
    }
}
