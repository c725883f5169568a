//! NVRTC's functions.

use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

type Handle = *mut c_void;
type Texts = *const *const c_char;
type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
type Numbers = unsafe extern "C" fn(*mut c_int) -> c_int;
type Create = unsafe extern "C" fn(*mut Handle, *const c_char, *const c_char, c_int, Texts, Texts) -> c_int;
type Compile = unsafe extern "C" fn(Handle, c_int, Texts) -> c_int;
type Size = unsafe extern "C" fn(Handle, *mut usize) -> c_int;
type Get = unsafe extern "C" fn(Handle, *mut c_char) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Handle) -> c_int;
type ErrorText = unsafe extern "C" fn(c_int) -> *const c_char;

/// The functions, with their types as in nvrtc.h of every release since 11.2.
struct Functions {
    version: Version,
    architecture_count: Numbers,
    architectures: Numbers,
    create: Create,
    compile: Compile,
    log_size: Size,
    log: Get,
    ptx_size: Size,
    ptx: Get,
    cubin_size: Size,
    cubin: Get,
    destroy: Destroy,
    error_text: ErrorText,
}

/// A loaded NVRTC.
pub struct Nvrtc {
    functions: Functions,
    /// Keeps the functions alive.
    _library: Library,
    /// The file it was loaded from.
    pub path: PathBuf,
    /// Major and minor version.
    pub version: (i32, i32),
    /// Compute capabilities (times ten) it compiles for, ascending.
    pub architectures: Vec<u32>,
}

/// A text to compile.
pub struct Source<'a> {
    /// Its name in messages and in the `.loc` lines.
    pub name: &'a str,
    /// CUDA C++.
    pub text: &'a str,
    /// Headers that it may include: name and text.
    pub headers: &'a [(&'a str, &'a str)],
}

/// Why NVRTC gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum NvrtcError {
    /// The library can't be loaded, or is no NVRTC.
    #[error("{0}")]
    Load(String),
    /// A call failed for another reason than the text.
    #[error("{function} failed: {reason}")]
    Call {
        /// NVRTC's function.
        function: &'static str,
        /// What it says.
        reason: String,
    },
    /// A name, a text or an option has a zero byte.
    #[error("{0}: a zero byte in the text or an option")]
    ZeroByte(String),
    /// NVRTC does not compile the text; this is its log.
    #[error("{0}")]
    Refused(String),
}

impl Nvrtc {
    /// Loads one library.
    ///
    /// # Errors
    /// The loader's message, or that it is no NVRTC.
    pub fn load(path: &Path) -> Result<Nvrtc, NvrtcError> {
        // SAFETY: loading runs the library's initialisers; NVRTC's have no precondition.
        let library = unsafe { Library::new(path) }.map_err(|e| NvrtcError::Load(e.to_string()))?;
        macro_rules! function {
            ($name:literal) => {
                // SAFETY: the type of the field is the function's; the library is kept as long.
                *unsafe { library.get($name.to_bytes()) }
                    .map_err(|e| NvrtcError::Load(format!("{} has no {:?}: {e}", path.display(), $name)))?
            };
        }
        let functions = Functions {
            version: function!(c"nvrtcVersion"),
            architecture_count: function!(c"nvrtcGetNumSupportedArchs"),
            architectures: function!(c"nvrtcGetSupportedArchs"),
            create: function!(c"nvrtcCreateProgram"),
            compile: function!(c"nvrtcCompileProgram"),
            log_size: function!(c"nvrtcGetProgramLogSize"),
            log: function!(c"nvrtcGetProgramLog"),
            ptx_size: function!(c"nvrtcGetPTXSize"),
            ptx: function!(c"nvrtcGetPTX"),
            cubin_size: function!(c"nvrtcGetCUBINSize"),
            cubin: function!(c"nvrtcGetCUBIN"),
            destroy: function!(c"nvrtcDestroyProgram"),
            error_text: function!(c"nvrtcGetErrorString"),
        };
        let (mut major, mut minor, mut count) = (0, 0, 0);
        // SAFETY: places for the results.
        functions.check(unsafe { (functions.version)(&mut major, &mut minor) }, "nvrtcVersion")?;
        // SAFETY: a place for the result.
        functions.check(unsafe { (functions.architecture_count)(&mut count) }, "nvrtcGetNumSupportedArchs")?;
        let mut list = vec![0; count.max(0) as usize];
        // SAFETY: a place for as many as were just counted.
        functions.check(unsafe { (functions.architectures)(list.as_mut_ptr()) }, "nvrtcGetSupportedArchs")?;
        let mut architectures: Vec<u32> = list.iter().filter_map(|&a| u32::try_from(a).ok()).collect();
        architectures.sort_unstable();
        Ok(Nvrtc { functions, _library: library, path: path.into(), version: (major, minor), architectures })
    }

    /// Compiles a text.
    ///
    /// # Errors
    /// [`NvrtcError::Refused`] with NVRTC's log, with file and line.
    pub fn compile(&self, source: &Source, options: &[String]) -> Result<Program<'_>, NvrtcError> {
        let c = |s: &str| CString::new(s).map_err(|_| NvrtcError::ZeroByte(source.name.to_string()));
        let (text, name) = (c(source.text)?, c(source.name)?);
        let names = source.headers.iter().map(|h| c(h.0)).collect::<Result<Vec<CString>, _>>()?;
        let texts = source.headers.iter().map(|h| c(h.1)).collect::<Result<Vec<CString>, _>>()?;
        let options = options.iter().map(|o| c(o)).collect::<Result<Vec<CString>, _>>()?;
        let pointers = |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let (names, texts, words) = (pointers(&names), pointers(&texts), pointers(&options));
        let (functions, count) = (&self.functions, names.len() as c_int);
        let mut handle = std::ptr::null_mut();
        // SAFETY: C strings that outlive the call, `count` headers, and a place for the handle.
        let status = unsafe {
            let (text, name) = (text.as_ptr(), name.as_ptr());
            (functions.create)(&mut handle, text, name, count, texts.as_ptr(), names.as_ptr())
        };
        functions.check(status, "nvrtcCreateProgram")?;
        let program = Program { functions, handle };
        // SAFETY: a live program and as many C strings as are said, which outlive the call.
        let status = unsafe { (functions.compile)(program.handle, words.len() as c_int, words.as_ptr()) };
        if status == 0 { Ok(program) } else { Err(NvrtcError::Refused(program.log())) }
    }
}

impl Functions {
    fn check(&self, status: c_int, function: &'static str) -> Result<(), NvrtcError> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: nvrtcGetErrorString returns a static string for every status.
        let reason = unsafe { CStr::from_ptr((self.error_text)(status)) }.to_string_lossy().into_owned();
        Err(NvrtcError::Call { function, reason })
    }
}

/// A compiled text.
pub struct Program<'a> {
    functions: &'a Functions,
    /// Live until this is dropped.
    handle: Handle,
}

impl Program<'_> {
    /// The compiler's own words, warnings included; with `--ptxas-options=-v`, see [`crate::ptxas::usage`].
    pub fn log(&self) -> String {
        let bytes = self.bytes(self.functions.log_size, self.functions.log, "nvrtcGetProgramLog");
        text(bytes.unwrap_or_default()).trim().to_string()
    }

    /// The PTX.
    ///
    /// # Errors
    /// NVRTC gives none.
    pub fn ptx(&self) -> Result<String, NvrtcError> {
        self.bytes(self.functions.ptx_size, self.functions.ptx, "nvrtcGetPTX").map(text)
    }

    /// The machine code, where the architecture in the options is a real one (`sm_86`).
    ///
    /// # Errors
    /// NVRTC gives none.
    pub fn cubin(&self) -> Result<Vec<u8>, NvrtcError> {
        self.bytes(self.functions.cubin_size, self.functions.cubin, "nvrtcGetCUBIN")
    }

    fn bytes(&self, size: Size, get: Get, function: &'static str) -> Result<Vec<u8>, NvrtcError> {
        let mut length = 0;
        // SAFETY: the program lives, and a place for the result.
        self.functions.check(unsafe { size(self.handle, &mut length) }, function)?;
        let mut buffer = vec![0u8; length.max(1)];
        // SAFETY: the buffer has the size that NVRTC asked for.
        self.functions.check(unsafe { get(self.handle, buffer.as_mut_ptr().cast()) }, function)?;
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // SAFETY: the program lives until here.
        unsafe { (self.functions.destroy)(&mut self.handle) };
    }
}

/// A text up to its closing zero.
fn text(bytes: Vec<u8>) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
