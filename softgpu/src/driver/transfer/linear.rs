//! Copies of consecutive bytes.

use super::*;
use std::ffi::c_void;

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) -> CuResult {
    let what = "cuMemcpyHtoD_v2";
    call(what, || linear(Place::Device(to), Place::Host(from as usize), bytes, None, what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: Handle) -> CuResult {
    let what = "cuMemcpyHtoDAsync_v2";
    call(what, || linear(Place::Device(to), Place::Host(from as usize), bytes, Some(stream), what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) -> CuResult {
    let what = "cuMemcpyDtoH_v2";
    call(what, || linear(Place::Host(to as usize), Place::Device(from), bytes, None, what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: Handle) -> CuResult {
    let what = "cuMemcpyDtoHAsync_v2";
    call(what, || linear(Place::Host(to as usize), Place::Device(from), bytes, Some(stream), what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) -> CuResult {
    let what = "cuMemcpyDtoD_v2";
    call(what, || linear(Place::Device(to), Place::Device(from), bytes, None, what))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: Handle) -> CuResult {
    let what = "cuMemcpyDtoDAsync_v2";
    call(what, || linear(Place::Device(to), Place::Device(from), bytes, Some(stream), what))
}

fn unified(to: u64, from: u64, bytes: usize, stream: Option<Handle>, what: &str) -> Answer {
    let driver = driver()?;
    linear(place(driver, to), place(driver, from), bytes, stream, what)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpy(to: u64, from: u64, bytes: usize) -> CuResult {
    call("cuMemcpy", || unified(to, from, bytes, None, "cuMemcpy"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyAsync(to: u64, from: u64, bytes: usize, stream: Handle) -> CuResult {
    call("cuMemcpyAsync", || unified(to, from, bytes, Some(stream), "cuMemcpyAsync"))
}

/// Between contexts of the one device; both must exist.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyPeerAsync(
    to: u64,
    to_context: Handle,
    from: u64,
    from_context: Handle,
    bytes: usize,
    stream: Handle,
) -> CuResult {
    let what = "cuMemcpyPeerAsync";
    call(what, || {
        let state = driver()?.lock();
        for context in [to_context, from_context] {
            if !state.contexts.contains_key(&context) {
                return refuse(INVALID_CONTEXT, format!("{context:#x} is no context"));
            }
        }
        drop(state);
        linear(Place::Device(to), Place::Device(from), bytes, Some(stream), what)
    })
}
