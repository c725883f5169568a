//! Under which name the library was loaded: programs built with CUDA 12 ask for `libcudart.so.12`, those built with
//! CUDA 13 for `libcudart.so.13`, and some functions of one name take other arguments in the two.

use std::ffi::{CStr, c_void};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The file by which the system's loader found this library, links not followed.
pub fn own_path() -> Option<PathBuf> {
    let mut found: libc::Dl_info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: an address inside this library, and a place for the answer.
    let known = unsafe { libc::dladdr(own_path as *const c_void, &mut found) } != 0;
    // SAFETY: the loader's own name of the file, which lives as long as the library.
    let name = (known && !found.dli_fname.is_null()).then(|| unsafe { CStr::from_ptr(found.dli_fname) });
    Some(PathBuf::from(name?.to_str().ok()?))
}

/// The CUDA version whose functions a program expects: 12 if it asked for `libcudart.so.12`, else 13. In a process that
/// asks for both, the one asked for first.
pub fn major() -> u32 {
    static MAJOR: OnceLock<u32> = OnceLock::new();
    *MAJOR.get_or_init(|| match own_path() {
        Some(path) if path.to_string_lossy().ends_with(".so.12") => 12,
        _ => 13,
    })
}
