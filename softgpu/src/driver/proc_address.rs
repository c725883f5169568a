//! Looking entry points up by name and version.

use super::entry::*;
use super::errors::*;
use std::ffi::{CStr, c_char, c_void};

// `SYMBOLS`: (name without its `_vN`, driver version since which it is meant, entry point), made by `build.rs`.
include!(concat!(env!("OUT_DIR"), "/symbols.rs"));

/// An entry point as an address.
pub struct Entry(*const c_void);
// SAFETY: the address of a function, never written through.
unsafe impl Sync for Entry {}

const SUCCESS: i32 = 0;
const SYMBOL_NOT_FOUND: i32 = 1;
const VERSION_NOT_SUFFICIENT: i32 = 2;

/// The newest entry point of that name that is no newer than `version` (driver API, "Driver Entry Point
/// Access"). Flag 2, the per-thread default stream, finds nothing: softgpu has those only by
/// passing `CU_STREAM_PER_THREAD`.
fn find(name: &str, version: i32, flags: u64) -> (Option<*const c_void>, i32) {
    let named = || SYMBOLS.iter().filter(|s| s.0 == name);
    if named().next().is_none() || flags & 2 != 0 && has_stream_variant(name) {
        return (None, SYMBOL_NOT_FOUND);
    }
    match named().filter(|s| s.1 <= version).max_by_key(|s| s.1) {
        Some(symbol) => (Some(symbol.2.0), SUCCESS),
        None => (None, VERSION_NOT_SUFFICIENT),
    }
}

fn has_stream_variant(name: &str) -> bool {
    SYMBOLS
        .iter()
        .any(|s| s.0.strip_prefix(name).is_some_and(|rest| rest.ends_with("_ptsz") || rest.ends_with("_ptds")))
}

fn look_up(name: *const c_char, out: *mut *const c_void, version: i32, flags: u64, status: *mut i32) -> Answer {
    if name.is_null() || out.is_null() {
        return refuse(INVALID_VALUE, "a null pointer");
    }
    // SAFETY: a C string, by the API.
    let text = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let (found, outcome) = find(&text, version, flags);
    store(out, found.unwrap_or(std::ptr::null()), "function")?;
    store_if(status, outcome);
    match found {
        Some(_) => Ok(()),
        // With a place for the outcome, a missing symbol is no error (driver API, cuGetProcAddress).
        None if !status.is_null() => Ok(()),
        // Programs ask for everything they know of; a missing one is no event for the log.
        None => refuse(NOT_FOUND, ""),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetProcAddress_v2(
    name: *const c_char,
    out: *mut *const c_void,
    version: i32,
    flags: u64,
    status: *mut i32,
) -> CuResult {
    call("cuGetProcAddress_v2", || look_up(name, out, version, flags, status))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetProcAddress(name: *const c_char, out: *mut *const c_void, version: i32, flags: u64) -> CuResult {
    call("cuGetProcAddress", || look_up(name, out, version, flags, std::ptr::null_mut()))
}
