//! NVRTC's functions.

use libloading::{Library, Symbol};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

// The functions' types, as in nvrtc.h of every release since 11.2.
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
    /// # Safety
    /// It is NVIDIA's compiler, if it has functions of these names at all.
    ///
    /// # Errors
    /// The loader's message, or that it is no NVRTC.
    pub unsafe fn load(path: &Path) -> Result<Nvrtc, NvrtcError> {
        // SAFETY: loading runs the library's initialisers; NVRTC's have no precondition.
        let library = unsafe { Library::new(path) }.map_err(|e| NvrtcError::Load(e.to_string()))?;
        let mut nvrtc = Nvrtc { library, path: path.into(), version: (0, 0), architectures: Vec::new() };
        let (mut major, mut minor, mut count) = (0, 0, 0);
        // SAFETY: places for the results.
        unsafe { nvrtc.call("nvrtcVersion", |version: Version| version(&mut major, &mut minor)) }?;
        nvrtc.version = (major, minor);
        // SAFETY: a place for the result.
        unsafe { nvrtc.call("nvrtcGetNumSupportedArchs", |get: Numbers| get(&mut count)) }?;
        let mut list = vec![0; count.max(0) as usize];
        // SAFETY: a place for as many as were just counted.
        unsafe { nvrtc.call("nvrtcGetSupportedArchs", |get: Numbers| get(list.as_mut_ptr())) }?;
        nvrtc.architectures = list.iter().filter_map(|&a| u32::try_from(a).ok()).collect();
        nvrtc.architectures.sort_unstable();
        Ok(nvrtc)
    }

    /// A function of the library.
    ///
    /// # Safety
    /// `F` is the type of NVRTC's function of that name.
    unsafe fn function<F>(&self, name: &'static str) -> Result<Symbol<'_, F>, NvrtcError> {
        // SAFETY: by the caller.
        let found = unsafe { self.library.get(name) };
        found.map_err(|e| NvrtcError::Load(format!("{} has no {name}: {e}", self.path.display())))
    }

    /// Calls a function of the library.
    ///
    /// # Safety
    /// `F` is the type of NVRTC's function of that name, and `run` gives it what it asks for.
    unsafe fn call<F: Copy>(&self, name: &'static str, run: impl FnOnce(F) -> c_int) -> Result<(), NvrtcError> {
        // SAFETY: by the caller.
        let status = run(*unsafe { self.function::<F>(name) }?);
        if status == 0 {
            return Ok(());
        }
        // SAFETY: its type.
        let describe = unsafe { self.function::<ErrorText>("nvrtcGetErrorString") }?;
        // SAFETY: it returns a static string for every status.
        let reason = unsafe { CStr::from_ptr(describe(status)) }.to_string_lossy().into_owned();
        Err(NvrtcError::Call { function: name, reason })
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
        let (text, name, count) = (text.as_ptr(), name.as_ptr(), names.len() as c_int);
        let mut program = Program { nvrtc: self, handle: std::ptr::null_mut() };
        let create = |create: Create| {
            // SAFETY: C strings that outlive the call, `count` headers, and a place for the handle.
            unsafe { create(&mut program.handle, text, name, count, texts.as_ptr(), names.as_ptr()) }
        };
        // SAFETY: the function's type.
        unsafe { self.call("nvrtcCreateProgram", create) }?;
        let (handle, count) = (program.handle, words.len() as c_int);
        // SAFETY: a live program and as many C strings as are said, which outlive the call.
        match unsafe { self.call("nvrtcCompileProgram", |compile: Compile| compile(handle, count, words.as_ptr())) } {
            Ok(()) => Ok(program),
            Err(NvrtcError::Call { .. }) => Err(NvrtcError::Refused(program.log())),
            Err(other) => Err(other),
        }
    }
}

/// A compiled text.
pub struct Program<'a> {
    nvrtc: &'a Nvrtc,
    /// Null, or live until this is dropped.
    handle: Handle,
}

impl Program<'_> {
    /// The compiler's own words, warnings included; with `--ptxas-options=-v`, see [`crate::ptxas::usage`].
    pub fn log(&self) -> String {
        let bytes = self.bytes("nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
        text(bytes.unwrap_or_default()).trim().to_string()
    }

    /// The PTX.
    ///
    /// # Errors
    /// NVRTC gives none.
    pub fn ptx(&self) -> Result<String, NvrtcError> {
        self.bytes("nvrtcGetPTXSize", "nvrtcGetPTX").map(text)
    }

    /// The machine code, where the architecture in the options is a real one (`sm_86`).
    ///
    /// # Errors
    /// NVRTC gives none.
    pub fn cubin(&self) -> Result<Vec<u8>, NvrtcError> {
        self.bytes("nvrtcGetCUBINSize", "nvrtcGetCUBIN")
    }

    /// One of the results, by the names of the function that tells its size and of the one that gives it.
    fn bytes(&self, size: &'static str, get: &'static str) -> Result<Vec<u8>, NvrtcError> {
        let mut length = 0;
        // SAFETY: the program lives, and a place for the result.
        unsafe { self.nvrtc.call(size, |size: Size| size(self.handle, &mut length)) }?;
        let mut buffer = vec![0u8; length.max(1)];
        // SAFETY: the buffer has the size that NVRTC asked for.
        unsafe { self.nvrtc.call(get, |get: Get| get(self.handle, buffer.as_mut_ptr().cast())) }?;
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: the program lives until here. Nothing is lost if it can't be freed.
            let _ = unsafe { self.nvrtc.call("nvrtcDestroyProgram", |destroy: Destroy| destroy(&mut self.handle)) };
        }
    }
}

/// A text up to its closing zero.
fn text(bytes: Vec<u8>) -> String {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
