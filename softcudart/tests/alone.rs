//! The library without a driver: what it exports, what it knows by itself, what it says.

use libloading::os::unix::{Library, Symbol};
use std::ffi::{CStr, c_char};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The library of this build, in a process in which no driver can be found.
fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        // SAFETY: the tests read no variables meanwhile: all begin here.
        unsafe { std::env::set_var("SOFTGPU_LIBRARY", "/no/such/driver.so") };
        let program = std::env::current_exe().unwrap();
        let folders = program.ancestors().skip(1).take(2);
        let files = folders.map(|folder| folder.join("libsoftcudart.so")).filter(|file| file.is_file());
        let newest: Option<PathBuf> = files.max_by_key(|file| file.metadata().and_then(|m| m.modified()).unwrap());
        // SAFETY: it has no initialisers.
        unsafe { Library::open(Some(newest.expect("cargo builds it for the tests")), libc::RTLD_NOW) }.unwrap()
    })
}

/// A function by its name.
///
/// # Safety
/// It has that type.
unsafe fn function<T>(name: &str) -> Symbol<T> {
    // SAFETY: by the caller.
    unsafe { library().get(name.as_bytes()) }.unwrap_or_else(|e| panic!("{name}: {e}"))
}

type Plain = unsafe extern "C" fn() -> i32;
type Number = unsafe extern "C" fn(*mut i32) -> i32;
type Text = unsafe extern "C" fn(i32) -> *const c_char;

#[test]
fn every_function_of_nvidias_libraries_is_exported() {
    let names = include_str!("../src/symbols.txt").lines().filter(|line| !line.starts_with('#'));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 480);
    for name in names {
        // SAFETY: only looked up.
        unsafe { function::<Plain>(name) };
    }
}

#[test]
fn without_a_driver_calls_fail_and_say_so() {
    // SAFETY: functions of these types, by the runtime API.
    unsafe {
        let (last, peek) = (function::<Plain>("cudaGetLastError"), function::<Plain>("cudaPeekAtLastError"));
        let mut count = -1;
        assert_eq!(function::<Number>("cudaGetDeviceCount")(&mut count), 35);
        assert_eq!((count, peek(), peek()), (-1, 35, 35));
        assert_eq!((last(), last()), (35, 0));
        // What needs no driver works.
        let mut version = 0;
        assert_eq!(function::<Number>("cudaRuntimeGetVersion")(&mut version), 0);
        assert_eq!(version, 13000);
        assert_eq!(function::<Number>("cudaDriverGetVersion")(&mut version), 0);
        assert_eq!((version, last()), (0, 0));
        assert_eq!(function::<Number>("cudaRuntimeGetVersion")(std::ptr::null_mut()), 1);
        assert_eq!(last(), 1);
    }
}

#[test]
fn what_is_not_there_answers_not_supported() {
    // SAFETY: functions of these types, by the runtime API; refused ones look at no arguments.
    unsafe {
        assert_eq!(function::<Plain>("cudaCreateTextureObject")(), 801);
        assert_eq!(function::<Plain>("cudaGetLastError")(), 801);
        let (name, text) = (function::<Text>("cudaGetErrorName"), function::<Text>("cudaGetErrorString"));
        assert_eq!(CStr::from_ptr(name(801)), c"cudaErrorNotSupported");
        assert_eq!(CStr::from_ptr(text(2)), c"out of memory");
        assert_eq!(CStr::from_ptr(text(12345)), c"unrecognized error code");
    }
}
