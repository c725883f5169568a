//! Initialisation, version, devices, error names.

use crate::driver::abi::config::Config;
use crate::driver::abi::*;
use crate::driver::engine::queue::watch_idle;
use crate::driver::engine::report::at_exit;
use crate::driver::objects::*;
use crate::memory::Memory;
use crate::profile::Profile;
use std::ffi::{CStr, c_char, c_void};
use std::sync::Once;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// The driver version reported: the newest whose entry points and PTX (9.x) softgpu knows.
const VERSION: i32 = 13000;

// Initialises the driver from the `SOFTGPU_*` variables.
entry!(cuInit, |flags: u32| {
    valid(flags == 0, format_args!("flags are {flags}, must be 0"))?;
    let config = Config::read(|variable| std::env::var(variable).ok());
    let config = config.or_else(|message| refuse(INVALID_VALUE, message))?;
    let (idle, mut fresh) = (config.idle_ms, false);
    let driver = DRIVER.get_or_init(|| {
        fresh = true;
        let memory = Memory::with_gaps(config.memory, config.gap);
        let mut state = State { random: config.options.seed, config, ..State::default() };
        let pool = state.pools.add(Pool { default: true, ..Pool::default() });
        (state.default_pool, state.current_pool) = (pool, pool);
        Driver { memory, state: Mutex::new(state), changed: Condvar::new() }
    });
    if fresh {
        if idle > 0 {
            watch_idle(driver, Duration::from_millis(idle));
        }
        // SAFETY: a function without arguments.
        unsafe { libc::atexit(at_exit) };
    }
    Ok(())
});

// The version of the driver API that softgpu follows.
entry!(cuDriverGetVersion, |version: Out<i32>| version.set(VERSION, "version"));

/// The profile of a device.
fn profile(device: i32) -> Answer<Profile> {
    Ok(lock_device(device)?.config.profile.clone())
}

entry!(cuDeviceGet, |device: Out<i32>, ordinal: i32| {
    lock_device(ordinal)?;
    device.set(0, "device")
});

entry!(cuDeviceGetCount, |count: Out<i32>| {
    driver()?;
    count.set(1, "count")
});

entry!(cuDeviceGetName, |name: Room<u8>, length: Count<i32>, device: i32| {
    let profile = profile(device)?;
    valid(name.is_given() && length.get() >= 1, "no room for the name")?;
    write_text(name.of(length), &format!("softgpu {} (after {})", profile.name, profile.board));
    Ok(())
});

entry!(cuDeviceGetAttribute, |value: Out<i32>, attribute: i32, device: i32| {
    let found = profile(device)?.attribute(attribute);
    value.set(found.or_refuse(INVALID_VALUE, format_args!("{attribute} is no device attribute"))?, "value")
});

entry!(cuDeviceComputeCapability, |major: Out<i32>, minor: Out<i32>, device: i32| {
    let (a, b) = profile(device)?.capability();
    major.set(a as i32, "major")?;
    minor.set(b as i32, "minor")
});

entry!(cuDeviceTotalMem_v2, |bytes: Out<usize>, device: i32| {
    bytes.set(lock_device(device)?.driver.memory.usage().1 as usize, "bytes")
});

entry!(cuDeviceGetUuid, cuDeviceGetUuid_v2, |out: Out<[u8; 16]>, device: i32| {
    let mut bytes = *b"softgpu-device-0";
    bytes[14] = profile(device)?.sm as u8;
    out.set(bytes, "uuid")
});

/// Where the device is, always.
const BUS_ID: &str = "0000:01:00.0";

entry!(cuDeviceGetPCIBusId, |text: Room<u8>, length: Count<i32>, device: i32| {
    lock_device(device)?;
    let fits = text.is_given() && length.get() > BUS_ID.len();
    valid(fits, "no room for the identifier: 13 bytes are needed")?;
    write_text(text.of(length), BUS_ID);
    Ok(())
});

entry!(cuDeviceGetByPCIBusId, |device: Out<i32>, text: Text| {
    driver()?;
    let text = text.get("no identifier")?.to_string_lossy();
    let ours = text.ends_with("01:00.0") || text.ends_with("01:00");
    ensure(ours, INVALID_DEVICE, format_args!("no device at {text}; softgpu's is at {BUS_ID}"))?;
    device.set(0, "device")
});

entry!(cuDeviceCanAccessPeer, |can: Out<i32>, device: i32, peer: i32| {
    lock_device(device)?;
    lock_device(peer)?;
    can.set(0, "canAccessPeer")
});

/// Gives the name or the description of a code, null for a number that is none.
fn error_text(out: Out<*const c_char>, text: Option<&CStr>) -> Answer {
    valid(out.is_given(), "")?;
    out.set_if_given(text.map_or(std::ptr::null(), CStr::as_ptr));
    valid(text.is_some(), "")
}

entry!(cuGetErrorName, |code: CuResult, out: Out<*const c_char>| error_text(out, describe(code).map(|d| d.0)));
entry!(cuGetErrorString, |code: CuResult, out: Out<*const c_char>| error_text(out, describe(code).map(|d| d.1)));

entry!(cuDeviceGetP2PAttribute, |value: Out<i32>, _attribute: i32, from: i32, to: i32| {
    lock_device(from)?;
    lock_device(to)?;
    value.set(0, "value")
});

// Undocumented tables, which NVIDIA's CUDA runtime asks for; there are none here.
entry!(cuGetExportTable, |table: Out<*const c_void>, _id: Array<c_void>| {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        log_debug(
            "cuGetExportTable: NVIDIA's CUDA runtime, which runs on NVIDIA's driver only, is in this process. \
             Programs on the runtime start with `softgpu run`; one that nvcc has linked the runtime into has to be \
             linked again with `-cudart shared`",
        )
    });
    table.set_if_given(std::ptr::null());
    refuse::<()>(NOT_SUPPORTED, "")
});
