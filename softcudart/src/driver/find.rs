//! Finding and initialising the driver.

use super::functions::Driver;
use crate::abi::{Answer, INSUFFICIENT_DRIVER, own_path, refuse};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use std::path::PathBuf;
use std::sync::OnceLock;

/// The driver, found and initialised at the first call.
pub fn driver() -> Answer<&'static Driver> {
    static DRIVER: OnceLock<Answer<Driver>> = OnceLock::new();
    let start = || {
        let library = find()?;
        let driver = Driver::of(&library);
        // It is never unloaded, so that no function of the driver's dies.
        library.into_raw();
        driver.cuInit(0)?;
        Ok(driver)
    };
    DRIVER.get_or_init(start).as_ref().map_err(Clone::clone)
}

/// The library: one that the process has loaded already, whatever it is; the file that `SOFTGPU_LIBRARY` names;
/// `libcuda.so.1` or `libsoftgpu.so` beside this library; the system's.
///
/// So a program that has chosen its driver keeps it, one that was started by `softgpu run` gets softgpu, and a program
/// elsewhere gets the driver of its machine.
fn find() -> Answer<Library> {
    for name in ["libcuda.so.1", "libcuda.so"] {
        // SAFETY: nothing is loaded by this.
        if let Ok(loaded) = unsafe { Library::open(Some(name), RTLD_NOW | libc::RTLD_NOLOAD) } {
            return Ok(loaded);
        }
    }
    let mut files = Vec::new();
    match std::env::var_os("SOFTGPU_LIBRARY") {
        Some(path) => files.push(PathBuf::from(path)),
        None => {
            let own = own_path().unwrap_or_default();
            // The file itself, where it was found by a link.
            let real = own.canonicalize().unwrap_or_default();
            let beside = [own.with_file_name("libcuda.so.1"), real.with_file_name("libsoftgpu.so")];
            files.extend(beside.into_iter().filter(|file| file.is_file()));
            files.push("libcuda.so.1".into());
        }
    }
    let mut tried = String::new();
    for file in files {
        // SAFETY: a CUDA driver by its name, where the owner of the machine keeps it or says that it is.
        match unsafe { Library::open(Some(&file), RTLD_NOW | RTLD_GLOBAL) } {
            Ok(loaded) => return Ok(loaded),
            Err(error) => tried = format!("{}: {error}", file.display()),
        }
    }
    refuse(
        INSUFFICIENT_DRIVER,
        format_args!(
            "no CUDA driver ({tried}). Start the program with `softgpu run`, or name libsoftgpu.so in SOFTGPU_LIBRARY"
        ),
    )
}
