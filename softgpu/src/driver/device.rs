//! Initialisation, version, devices, error names.

use super::config::Config;
use super::entry::*;
use super::errors::*;
use super::state::*;
use crate::memory::Memory;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Mutex;
use std::time::Duration;

/// The driver version reported: the newest whose entry points and PTX (9.x) softgpu knows.
pub const VERSION: i32 = 13000;

/// Initialises the driver from the `SOFTGPU_*` variables.
#[unsafe(no_mangle)]
pub extern "C" fn cuInit(flags: u32) -> CuResult {
    call("cuInit", || {
        if flags != 0 {
            return refuse(INVALID_VALUE, format!("flags are {flags}, must be 0"));
        }
        let config = Config::read(|name| std::env::var(name).ok());
        if let Some(complaint) = config.complaints.first() {
            return refuse(INVALID_VALUE, complaint.clone());
        }
        let mut fresh = false;
        let driver = DRIVER.get_or_init(|| {
            fresh = true;
            let memory = Memory::new(config.memory);
            let mut state = State { random: config.options.seed, ..State::default() };
            let pool = state.handle(Kind::Pool);
            state.pools.insert(pool, Pool { default: true, ..Pool::default() });
            (state.default_pool, state.current_pool) = (pool, pool);
            Driver { config: Mutex::new(config.clone()), memory, state: Mutex::new(state), changed: Default::default() }
        });
        if fresh {
            if config.idle_ms > 0 {
                driver.watch_idle(Duration::from_millis(config.idle_ms));
            }
            // SAFETY: a function without arguments.
            unsafe { libc::atexit(super::report::at_exit) };
        }
        Ok(())
    })
}

/// The version of the driver API that softgpu follows.
#[unsafe(no_mangle)]
pub extern "C" fn cuDriverGetVersion(version: *mut i32) -> CuResult {
    call("cuDriverGetVersion", || store(version, VERSION, "version"))
}

fn one_device(device: i32) -> Answer<&'static Driver> {
    let driver = driver()?;
    if device != 0 {
        return refuse(INVALID_DEVICE, format!("device {device}; softgpu has one, number 0"));
    }
    Ok(driver)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGet(device: *mut i32, ordinal: i32) -> CuResult {
    call("cuDeviceGet", || {
        one_device(ordinal)?;
        store(device, 0, "device")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetCount(count: *mut i32) -> CuResult {
    call("cuDeviceGetCount", || {
        driver()?;
        store(count, 1, "count")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetName(name: *mut c_char, length: i32, device: i32) -> CuResult {
    call("cuDeviceGetName", || {
        let profile = one_device(device)?.config().profile;
        if name.is_null() || length < 1 {
            return refuse(INVALID_VALUE, "no room for the name");
        }
        let text = format!("softgpu {} (after {})", profile.name, profile.board);
        let n = text.len().min(length as usize - 1);
        // SAFETY: the caller's buffer has `length` bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(text.as_ptr(), name.cast(), n);
            *name.add(n) = 0;
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetAttribute(value: *mut i32, attribute: i32, device: i32) -> CuResult {
    call("cuDeviceGetAttribute", || match one_device(device)?.config().profile.attribute(attribute) {
        Some(v) => store(value, v, "value"),
        None => refuse(INVALID_VALUE, format!("{attribute} is no device attribute")),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceComputeCapability(major: *mut i32, minor: *mut i32, device: i32) -> CuResult {
    call("cuDeviceComputeCapability", || {
        let (a, b) = one_device(device)?.config().profile.capability();
        store(major, a as i32, "major")?;
        store(minor, b as i32, "minor")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, device: i32) -> CuResult {
    call("cuDeviceTotalMem_v2", || {
        let driver = one_device(device)?;
        store(bytes, driver.memory.usage().1 as usize, "bytes")
    })
}

fn uuid(out: *mut [u8; 16], device: i32) -> Answer {
    let profile = one_device(device)?.config().profile;
    let mut bytes = *b"softgpu-device-0";
    bytes[14] = profile.sm as u8;
    store(out, bytes, "uuid")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetUuid(out: *mut [u8; 16], device: i32) -> CuResult {
    call("cuDeviceGetUuid", || uuid(out, device))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetUuid_v2(out: *mut [u8; 16], device: i32) -> CuResult {
    call("cuDeviceGetUuid_v2", || uuid(out, device))
}

/// Always 0000:01:00.0.
#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetPCIBusId(text: *mut c_char, length: i32, device: i32) -> CuResult {
    call("cuDeviceGetPCIBusId", || {
        one_device(device)?;
        let id = c"0000:01:00.0".to_bytes_with_nul();
        if text.is_null() || (length as usize) < id.len() {
            return refuse(INVALID_VALUE, "no room for the identifier: 13 bytes are needed");
        }
        // SAFETY: the buffer is large enough.
        unsafe { std::ptr::copy_nonoverlapping(id.as_ptr(), text.cast(), id.len()) };
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetByPCIBusId(device: *mut i32, text: *const c_char) -> CuResult {
    call("cuDeviceGetByPCIBusId", || {
        driver()?;
        if text.is_null() {
            return refuse(INVALID_VALUE, "no identifier");
        }
        // SAFETY: a C string, by the API.
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        if !text.ends_with("01:00.0") && !text.ends_with("01:00") {
            return refuse(INVALID_DEVICE, format!("no device at {text}; softgpu's is at 0000:01:00.0"));
        }
        store(device, 0, "device")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceCanAccessPeer(can: *mut i32, device: i32, peer: i32) -> CuResult {
    call("cuDeviceCanAccessPeer", || {
        one_device(device)?;
        one_device(peer)?;
        store(can, 0, "canAccessPeer")
    })
}

fn error_text(code: CuResult, out: *mut *const c_char, which: usize) -> CuResult {
    let found = describe(code);
    let text = found.map_or(std::ptr::null(), |(name, text)| [name, text][which].as_ptr());
    if out.is_null() {
        return INVALID_VALUE;
    }
    store_if(out, text);
    if found.is_some() { 0 } else { INVALID_VALUE }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetErrorName(code: CuResult, out: *mut *const c_char) -> CuResult {
    error_text(code, out, 0)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuGetErrorString(code: CuResult, out: *mut *const c_char) -> CuResult {
    error_text(code, out, 1)
}

/// Undocumented tables of the CUDA runtime; there are none here.
#[unsafe(no_mangle)]
pub extern "C" fn cuGetExportTable(table: *mut *const c_void, _id: *const c_void) -> CuResult {
    store_if(table, std::ptr::null());
    unsupported("cuGetExportTable")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuProfilerStart() -> CuResult {
    call("cuProfilerStart", || enter().map(|_| ()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuProfilerStop() -> CuResult {
    call("cuProfilerStop", || enter().map(|_| ()))
}
