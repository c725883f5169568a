//! Finding the library, and that it can't be taken for a real driver by accident.

use softgpu::{Library, LibraryError, library_path};

/// One test: it changes the environment of its process.
#[test]
fn found_named_and_never_in_the_way() {
    let path = library_path().unwrap();
    assert_eq!(path.file_name().unwrap(), "libsoftgpu.so");
    // Nothing that a search for a driver would find lies where cargo puts things.
    let folder = path.parent().unwrap();
    for folder in [folder, folder.parent().unwrap()] {
        for name in ["libcuda.so", "libcuda.so.1"] {
            assert!(!folder.join(name).exists(), "{name} in {}", folder.display());
        }
    }
    // The search alone does not find it; after loading it by its path the name does.
    // SAFETY: a C string.
    let by_name = || unsafe { libc::dlopen(c"libcuda.so".as_ptr(), libc::RTLD_NOW | libc::RTLD_NOLOAD) };
    assert!(by_name().is_null());
    let library = Library::load().unwrap();
    assert!(!by_name().is_null());
    assert!(library.take_findings().is_err(), "before cuInit there are none");

    // SAFETY: the only thread that uses the environment.
    unsafe { std::env::set_var("SOFTGPU_LIBRARY", "/nowhere/libsoftgpu.so") };
    assert!(matches!(library_path(), Err(LibraryError::NoSuchFile { .. })));
    // SAFETY: as above.
    unsafe { std::env::set_var("SOFTGPU_LIBRARY", &path) };
    assert_eq!(library_path().unwrap(), path.canonicalize().unwrap());
}
