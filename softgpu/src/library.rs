//! Finding and loading `libsoftgpu.so` from a Rust program, and talking to it.
//!
//! The library's name inside is `libcuda.so`, its file's is not: no search for a CUDA driver finds it by
//! chance. Once a program has loaded it by its full path, that program's `dlopen("libcuda.so")`
//! gets it, cudarc's included.

use libloading::os::unix::{Library as Loaded, RTLD_GLOBAL, RTLD_NOW};
use std::ffi::{CString, c_char, c_int};
use std::path::{Path, PathBuf};

/// Why the library can't be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LibraryError {
    /// In none of these folders.
    #[error(
        "no lib{package}.so in {}: build it with `cargo build -p {package}`, or name it in {}",
        .folders.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "), variable(.package)
    )]
    NotFound {
        /// The crate that it is made of.
        package: &'static str,
        /// Where it was looked for.
        folders: Vec<PathBuf>,
    },
    /// The file that `SOFTGPU_LIBRARY` names, or `SOFTCUDART_LIBRARY`.
    #[error("{} names {}, which is no file: correct it or unset it", variable(.package), .path.display())]
    NoSuchFile {
        /// The crate that the library is made of.
        package: &'static str,
        /// What the variable says.
        path: PathBuf,
    },
    /// It is there, and the system refuses it.
    #[error("{} can't be loaded: {reason}", .path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// In the loader's words.
        reason: String,
    },
    /// Another driver came first.
    #[error(
        "a CUDA driver other than softgpu is loaded already, and libcuda.so means that one now: load softgpu before \
         anything asks for a driver, or use that driver"
    )]
    Shadowed,
    /// The library is loaded, and a call failed.
    #[error("softgpu refused {what}: {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// Why not.
        message: String,
    },
}

/// Where `libsoftgpu.so` is.
///
/// `SOFTGPU_LIBRARY` if set; else beside the running program, in `deps` there (a program in
/// `target/debug`), or in the folder above (a test in `target/debug/deps`); the newest of those.
pub fn library_path() -> Result<PathBuf, LibraryError> {
    path_of("softgpu")
}

/// The variable that names a library.
fn variable(package: &str) -> String {
    format!("{}_LIBRARY", package.to_uppercase())
}

/// Where the library made of a crate is, looked for as [`library_path`] does.
pub(crate) fn path_of(package: &'static str) -> Result<PathBuf, LibraryError> {
    if let Some(path) = std::env::var_os(variable(package)) {
        let path = PathBuf::from(path);
        return match path.is_file() {
            true => Ok(path.canonicalize().unwrap_or(path)),
            false => Err(LibraryError::NoSuchFile { package, path }),
        };
    }
    let program = std::env::current_exe().unwrap_or_default();
    let here = program.parent().unwrap_or(Path::new(".")).to_path_buf();
    let mut folders = vec![here.clone(), here.join("deps")];
    folders.extend(here.parent().map(Path::to_path_buf));
    let made = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).ok();
    let files = folders.iter().map(|f| f.join(format!("lib{package}.so")));
    let found = files.filter(|f| f.is_file()).max_by_key(made);
    found.ok_or(LibraryError::NotFound { package, folders })
}

type Set = unsafe extern "C" fn(*const c_char, *const c_char) -> c_int;
type Take = unsafe extern "C" fn(*const c_char, *mut c_char, *mut usize) -> c_int;

/// The loaded library. It is never unloaded, so that no function pointer into it dies.
#[derive(Clone, Copy, Debug)]
pub struct Library {
    set: Set,
    take: Take,
}

impl Library {
    /// Loads [`library_path`] so that `dlopen("libcuda.so")` finds it from now on.
    ///
    /// # Errors
    /// The file is not there or can't be loaded, or a real driver was loaded before.
    pub fn load() -> Result<Library, LibraryError> {
        let path = library_path()?;
        let failed = |error: libloading::Error| LibraryError::Load { path: path.clone(), reason: error.to_string() };
        // SAFETY: softgpu's library has no initialisers.
        let loaded = unsafe { Loaded::open(Some(&path), RTLD_NOW | RTLD_GLOBAL) }.map_err(failed)?;
        // SAFETY: these are the types of softgpu's own entry points (`driver/calls/own.rs`).
        let (set, take) = unsafe { (loaded.get::<Set>(c"softgpu_set"), loaded.get::<Take>(c"softgpu_take")) };
        let library = Library { set: *set.map_err(failed)?, take: *take.map_err(failed)? };
        // SAFETY: nothing is loaded by this.
        let by_name = unsafe { Loaded::open(Some("libcuda.so"), RTLD_NOW | libc::RTLD_NOLOAD) };
        let handle = loaded.into_raw();
        match by_name.map(Loaded::into_raw) {
            Ok(found) if found == handle => Ok(library),
            _ => Err(LibraryError::Shadowed),
        }
    }

    /// Changes an option after `cuInit`: `check`, `seed`, `abort`, `counters`, `streams`, with the
    /// values of the variables `SOFTGPU_CHECK` and so on.
    pub fn set(&self, name: &str, value: &str) -> Result<(), LibraryError> {
        let what = format!("{name}={value}");
        let message = match (CString::new(name), CString::new(value)) {
            // SAFETY: two C strings.
            (Ok(name), Ok(value)) => match unsafe { (self.set)(name.as_ptr(), value.as_ptr()) } {
                0 => return Ok(()),
                code => format!("error {code}; the log says why"),
            },
            _ => "it contains a zero byte".into(),
        };
        Err(LibraryError::Refused { what, message })
    }

    /// The findings so far as JSON, `{"findings": [...], "beyond": N}`; they are forgotten then.
    pub fn take_findings(&self) -> Result<String, LibraryError> {
        self.take("findings")
    }

    /// The counters of every launch so far as JSON; they are forgotten then.
    pub fn take_counters(&self) -> Result<String, LibraryError> {
        self.take("counters")
    }

    /// The last line of the log.
    pub fn last_message(&self) -> Result<String, LibraryError> {
        self.take("message")
    }

    fn take(&self, what: &str) -> Result<String, LibraryError> {
        let name = CString::new(what).expect("a plain word");
        let mut room = 4096;
        // The first call tells the room that is needed; it can grow until the second.
        for _ in 0..3 {
            let mut text = vec![0u8; room];
            // SAFETY: `room` bytes of room.
            let code = unsafe { (self.take)(name.as_ptr(), text.as_mut_ptr().cast(), &mut room) };
            if code == 0 {
                text.truncate(room.saturating_sub(1));
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
        }
        Err(LibraryError::Refused { what: what.into(), message: "cuInit has not been called".into() })
    }
}
