//! NVRTC, NVIDIA's CUDA C++ compiler as a library: found and loaded at run time.

use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

type Program = *mut c_void;
type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Get = unsafe extern "C" fn(Program, *mut c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;
type ErrorText = unsafe extern "C" fn(c_int) -> *const c_char;

/// A loaded NVRTC.
pub struct Nvrtc {
    library: Library,
    /// Where it was found.
    pub path: PathBuf,
    /// Major and minor version.
    pub version: (i32, i32),
}

/// What a compilation gave.
pub struct Compiled {
    pub ptx: String,
    pub log: String,
}

const HINT: &str = "Install it with `python3 -m pip install nvidia-cuda-nvrtc` (or \
    `nvidia-cuda-nvrtc-cu12` for devices older than sm_75), or set WARP19_NVRTC to the \
    library's path.";

impl Nvrtc {
    /// Looks in WARP19_NVRTC and NVRTC (a file or a folder; then nowhere else), WARP19_NVRTC_DIR,
    /// CUDA_HOME and CUDA_PATH, conda, Python's site-packages, `.cache/nvrtc` of this or a
    /// parent folder, and the system. The first that compiles for compute capability `sm`
    /// (times ten) is taken.
    ///
    /// # Errors
    /// Says what was tried and the one command that installs it.
    pub fn find(sm: u32) -> Result<Nvrtc, String> {
        for name in ["WARP19_NVRTC", "NVRTC"] {
            if let Some(value) = std::env::var_os(name).filter(|v| !v.is_empty()) {
                let path = PathBuf::from(value);
                let files = if path.is_dir() { libraries_in(&path) } else { vec![path.clone()] };
                return first(&files, sm).map_err(|tried| {
                    format!("{name} names {}, but no usable NVRTC is there ({tried}). {HINT}", path.display())
                });
            }
        }
        let mut files: Vec<PathBuf> = folders().iter().flat_map(|f| libraries_in(f)).collect();
        // The loader's own search: LD_LIBRARY_PATH, ld.so.cache.
        files.extend(["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"].map(PathBuf::from));
        first(&files, sm).map_err(|tried| {
            format!(
                "a .cu file needs NVRTC (libnvrtc.so) for sm_{sm}, which was not found ({tried}). \
                 {HINT}"
            )
        })
    }

    /// Loads one library.
    ///
    /// # Errors
    /// The loader's message, or that it is no NVRTC.
    pub fn load(path: &Path) -> Result<Nvrtc, String> {
        // SAFETY: loading runs the library's initialisers; NVRTC's have no precondition.
        let library = unsafe { Library::new(path) }.map_err(|e| e.to_string())?;
        let (mut major, mut minor) = (0, 0);
        // SAFETY: nvrtcVersion has this signature in every release.
        let status = unsafe {
            let version = library.get::<Version>(b"nvrtcVersion").map_err(|e| e.to_string())?;
            version(&mut major, &mut minor)
        };
        if status != 0 {
            return Err(format!("nvrtcVersion returned {status}"));
        }
        Ok(Nvrtc { library, path: path.into(), version: (major, minor) })
    }

    /// Whether it compiles for a compute capability (times ten): NVRTC 13 begins at sm_75.
    pub fn supports(&self, sm: u32) -> bool {
        self.version.0 < 13 || sm >= 75
    }

    /// Compiles a text. `name` appears in messages and in the `.loc` lines.
    ///
    /// # Errors
    /// NVRTC's log.
    pub fn compile(&self, text: &str, name: &str, options: &[String]) -> Result<Compiled, String> {
        let c_string = |s: &str| CString::new(s).map_err(|_| format!("{name}: a zero byte in the text or an option"));
        let (text, file) = (c_string(text)?, c_string(name)?);
        let words = options.iter().map(|o| c_string(o)).collect::<Result<Vec<CString>, String>>()?;
        let pointers: Vec<*const c_char> = words.iter().map(|o| o.as_ptr()).collect();
        // SAFETY: signatures as in nvrtc.h; strings outlive the calls; the program is
        // destroyed exactly once, after its last use.
        unsafe {
            let create = self.symbol::<Create>("nvrtcCreateProgram")?;
            let compile = self.symbol::<Compile>("nvrtcCompileProgram")?;
            let destroy = self.symbol::<Destroy>("nvrtcDestroyProgram")?;
            let mut program = std::ptr::null_mut();
            self.expect(
                create(&mut program, text.as_ptr(), file.as_ptr(), 0, std::ptr::null(), std::ptr::null()),
                "nvrtcCreateProgram",
            )?;
            let status = compile(program, pointers.len() as c_int, pointers.as_ptr());
            let log = self.text(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
            let result = if status == 0 {
                let ptx = self.text(program, "nvrtcGetPTXSize", "nvrtcGetPTX");
                ptx.and_then(|ptx| Ok(Compiled { ptx, log: log? }))
            } else {
                Err(format!(
                    "NVRTC {}.{} does not compile {name} ({}):\n{}",
                    self.version.0,
                    self.version.1,
                    options.join(" "),
                    log.unwrap_or_else(|e| e).trim_end()
                ))
            };
            destroy(&mut program);
            result
        }
    }

    /// # Safety
    /// `program` must be live, and the two names a size and a get function of NVRTC.
    unsafe fn text(&self, program: Program, size: &str, get: &str) -> Result<String, String> {
        let mut bytes = 0;
        // SAFETY: by the caller; the buffer has the size NVRTC asked for.
        let buffer = unsafe {
            self.expect(self.symbol::<Size>(size)?(program, &mut bytes), size)?;
            let mut buffer = vec![0u8; bytes.max(1)];
            let pointer = buffer.as_mut_ptr().cast();
            self.expect(self.symbol::<Get>(get)?(program, pointer), get)?;
            buffer
        };
        let end = buffer.iter().position(|&b| b == 0).unwrap_or(buffer.len());
        String::from_utf8(buffer[..end].to_vec()).map_err(|_| format!("{get}: not UTF-8"))
    }

    /// # Safety
    /// `T` must be the function's type.
    unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T, String> {
        // SAFETY: by the caller.
        unsafe { self.library.get::<T>(name.as_bytes()) }
            .map(|s| *s)
            .map_err(|e| format!("{} has no {name}: {e}", self.path.display()))
    }

    fn expect(&self, status: c_int, what: &str) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: nvrtcGetErrorString returns a static string for every status.
        let text = unsafe {
            let get = self.symbol::<ErrorText>("nvrtcGetErrorString")?;
            CStr::from_ptr(get(status)).to_string_lossy().into_owned()
        };
        Err(format!("{what} failed: {text}"))
    }
}

/// The first file that loads and supports `sm`, or what was wrong with those that exist.
fn first(files: &[PathBuf], sm: u32) -> Result<Nvrtc, String> {
    let mut tried = Vec::new();
    for file in files {
        match Nvrtc::load(file) {
            Ok(nvrtc) if nvrtc.supports(sm) => return Ok(nvrtc),
            Ok(nvrtc) => tried.push(format!(
                "{} is version {}.{}, which begins at sm_75",
                file.display(),
                nvrtc.version.0,
                nvrtc.version.1
            )),
            // A bare name that the loader does not know is no news.
            Err(_) if file.components().count() == 1 => {}
            Err(e) => tried.push(format!("{}: {e}", file.display())),
        }
    }
    if tried.is_empty() {
        tried.push("no libnvrtc.so in the usual places".into());
    }
    Err(tried.join("; "))
}

/// Files named `libnvrtc.so*` in a folder, the newest first.
fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = entries(folder)
        .into_iter()
        .filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("libnvrtc.so")))
        .collect();
    found.sort();
    found.reverse();
    found
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
fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    if let Some(root) = variable("WARP19_NVRTC_DIR") {
        add_cache(&mut folders, &root);
    }
    let roots = [variable("CUDA_HOME"), variable("CUDA_PATH")];
    for root in roots.into_iter().flatten() {
        folders.push(root.join("lib64"));
        folders.push(root.join("lib"));
    }
    if let Some(root) = variable("CONDA_PREFIX") {
        folders.push(root.join("lib"));
        add_python(&mut folders, &root);
    }
    if let Some(root) = variable("VIRTUAL_ENV") {
        add_python(&mut folders, &root);
    }
    if let Some(home) = variable("HOME") {
        add_python(&mut folders, &home.join(".local"));
    }
    // Where a Python on the PATH lives.
    for folder in std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()) {
        if folder.join("python3").exists()
            && let Some(root) = folder.parent()
        {
            add_python(&mut folders, root);
        }
    }
    if let Ok(here) = std::env::current_dir() {
        for parent in here.ancestors() {
            add_cache(&mut folders, &parent.join(".cache/nvrtc"));
        }
    }
    folders.push("/usr/local/cuda/lib64".into());
    folders
}

/// `ROOT/13` and `ROOT/12`, unpacked wheels.
fn add_cache(folders: &mut Vec<PathBuf>, root: &Path) {
    for major in ["13", "12"] {
        add_wheels(folders, &root.join(major));
    }
}

/// `ROOT/lib/python3.*/{site,dist}-packages`.
fn add_python(folders: &mut Vec<PathBuf>, root: &Path) {
    for library in entries(&root.join("lib")) {
        let name = library.file_name().and_then(|n| n.to_str());
        if name.is_some_and(|n| n.starts_with("python3")) {
            add_wheels(folders, &library.join("site-packages"));
            add_wheels(folders, &library.join("dist-packages"));
        }
    }
}

/// Where NVIDIA's wheels put the library under a package folder.
fn add_wheels(folders: &mut Vec<PathBuf>, packages: &Path) {
    for folder in ["nvidia/cu13/lib", "nvidia/cuda_nvrtc/lib"] {
        let folder = packages.join(folder);
        if folder.is_dir() {
            folders.push(folder);
        }
    }
}
