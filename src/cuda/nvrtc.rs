//! NVRTC, NVIDIA's CUDA C++ compiler as a library, loaded from a given file.

use super::source;
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

type Program = *mut c_void;
type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
type CountArchs = unsafe extern "C" fn(*mut c_int) -> c_int;
type ListArchs = unsafe extern "C" fn(*mut c_int) -> c_int;
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

/// A loaded NVRTC.
pub struct Nvrtc {
    library: Library,
    /// The file it was loaded from.
    pub path: PathBuf,
    /// Major and minor version.
    pub version: (i32, i32),
    /// Compute capabilities (times ten) it compiles for, ascending.
    pub architectures: Vec<u32>,
}

/// What a compilation gives.
#[derive(Debug)]
pub struct Output {
    /// A cubin, or PTX text without a closing zero.
    pub code: Vec<u8>,
    /// The compiler's own words, warnings included.
    pub log: String,
}

/// For what is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Machine code of exactly this compute capability (times ten), which other minor versions after it also run.
    Cubin(u32),
    /// PTX that this compute capability and every newer one can run, after the driver has compiled it.
    Ptx(u32),
}

impl Target {
    /// NVRTC's option.
    pub fn option(self) -> String {
        match self {
            Target::Cubin(sm) => format!("--gpu-architecture=sm_{sm}"),
            Target::Ptx(sm) => format!("--gpu-architecture=compute_{sm}"),
        }
    }
}

impl Nvrtc {
    /// Loads one library.
    ///
    /// # Errors
    /// The loader's message, or that it is no NVRTC.
    pub fn load(path: &Path) -> Result<Nvrtc, String> {
        // Safety: loading runs the library's initialisers; NVRTC's have no precondition.
        let library = unsafe { Library::new(path) }.map_err(|e| e.to_string())?;
        let mut nvrtc = Nvrtc { library, path: path.into(), version: (0, 0), architectures: Vec::new() };
        let (mut major, mut minor, mut count) = (0, 0, 0);
        // Safety: signatures as in nvrtc.h of every release since 11.2.
        unsafe {
            nvrtc.check(nvrtc.symbol::<Version>("nvrtcVersion")?(&mut major, &mut minor), "nvrtcVersion")?;
            let name = "nvrtcGetNumSupportedArchs";
            nvrtc.check(nvrtc.symbol::<CountArchs>(name)?(&mut count), name)?;
            let mut list = vec![0; count.max(0) as usize];
            let name = "nvrtcGetSupportedArchs";
            nvrtc.check(nvrtc.symbol::<ListArchs>(name)?(list.as_mut_ptr()), name)?;
            nvrtc.architectures = list.iter().filter_map(|&a| u32::try_from(a).ok()).collect();
        }
        nvrtc.version = (major, minor);
        nvrtc.architectures.sort_unstable();
        Ok(nvrtc)
    }

    /// What to compile for a device: its machine code where this NVRTC knows it; else, for a device newer than NVRTC,
    /// PTX for the newest it knows; `None` for a device it has dropped.
    pub fn target(&self, sm: u32) -> Option<Target> {
        if self.architectures.contains(&sm) {
            return Some(Target::Cubin(sm));
        }
        let older = self.architectures.iter().rev().find(|&&a| a < sm)?;
        Some(Target::Ptx(*older))
    }

    /// Compiles a file of `kernels/`.
    ///
    /// # Errors
    /// NVRTC's log as it is, with file and line.
    pub fn compile(&self, file: &str, target: Target, options: &[String]) -> Result<Output, String> {
        let text = source::text(file).ok_or_else(|| format!("kernels/{file} is not embedded"))?;
        let c = |s: &str| CString::new(s).map_err(|_| format!("{file}: a zero byte"));
        let (text, name) = (c(text)?, c(&format!("kernels/{file}"))?);
        let headers = source::FILES.iter().filter(|(n, _)| n.ends_with(".cuh"));
        let (mut names, mut texts) = (Vec::new(), Vec::new());
        for (n, t) in headers {
            names.push(c(n)?);
            texts.push(c(t)?);
        }
        let words =
            std::iter::once(&target.option()).chain(options).map(|o| c(o)).collect::<Result<Vec<CString>, String>>()?;
        let pointers = |v: &[CString]| v.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let (texts, names, words) = (pointers(&texts), pointers(&names), pointers(&words));
        let mut program = std::ptr::null_mut();
        // Safety: signatures as in nvrtc.h; all strings outlive the calls; the program is destroyed once, at the end.
        unsafe {
            let status = self.symbol::<Create>("nvrtcCreateProgram")?(
                &mut program,
                text.as_ptr(),
                name.as_ptr(),
                names.len() as c_int,
                texts.as_ptr(),
                names.as_ptr(),
            );
            self.check(status, "nvrtcCreateProgram")?;
            let status = self.symbol::<Compile>("nvrtcCompileProgram")?(program, words.len() as c_int, words.as_ptr());
            let log = self.bytes(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
            let log = String::from_utf8_lossy(&log.unwrap_or_default()).trim().to_string();
            let result = if status == 0 {
                match target {
                    Target::Cubin(_) => self.bytes(program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN"),
                    Target::Ptx(_) => self.bytes(program, "nvrtcGetPTXSize", "nvrtcGetPTX"),
                }
            } else {
                let (major, minor) = self.version;
                Err(format!(
                    "NVRTC {major}.{minor} ({}) does not compile kernels/{file} with {} {}:\n{log}",
                    self.path.display(),
                    target.option(),
                    options.join(" ")
                ))
            };
            self.symbol::<Destroy>("nvrtcDestroyProgram")?(&mut program);
            let mut code = result?;
            if matches!(target, Target::Ptx(_)) {
                code.truncate(code.iter().position(|&b| b == 0).unwrap_or(code.len()));
            }
            Ok(Output { code, log })
        }
    }

    /// # Safety
    /// `program` must be live, and the two names a size and a get function of NVRTC.
    unsafe fn bytes(&self, program: Program, size: &str, get: &str) -> Result<Vec<u8>, String> {
        let mut length = 0;
        // Safety: by the caller; the buffer has the size NVRTC asked for.
        unsafe {
            self.check(self.symbol::<Size>(size)?(program, &mut length), size)?;
            let mut buffer = vec![0u8; length.max(1)];
            self.check(self.symbol::<Get>(get)?(program, buffer.as_mut_ptr().cast()), get)?;
            buffer.truncate(length);
            if get == "nvrtcGetProgramLog" && buffer.last() == Some(&0) {
                buffer.pop();
            }
            Ok(buffer)
        }
    }

    /// # Safety
    /// `T` must be the function's type.
    unsafe fn symbol<T: Copy>(&self, name: &str) -> Result<T, String> {
        // Safety: by the caller.
        unsafe { self.library.get::<T>(name.as_bytes()) }
            .map(|s| *s)
            .map_err(|e| format!("{} has no {name}: {e}", self.path.display()))
    }

    fn check(&self, status: c_int, what: &str) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        type ErrorText = unsafe extern "C" fn(c_int) -> *const c_char;
        // Safety: nvrtcGetErrorString returns a static string for every status.
        let text = unsafe {
            let get = self.symbol::<ErrorText>("nvrtcGetErrorString")?;
            CStr::from_ptr(get(status)).to_string_lossy().into_owned()
        };
        Err(format!("{what} failed: {text}"))
    }
}
