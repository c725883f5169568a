//! The device and the context of a thread.
//!
//! A runtime call works on the context current to its thread, whoever made it current; where there is none, on the
//! primary context of the thread's device, which is retained once and made current (runtime API, "Interactions with the
//! CUDA Driver API").

use crate::abi::*;
use crate::driver::{Driver, driver};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

thread_local! {
    /// What `cudaSetDevice` chose, if it was called.
    static DEVICE: Cell<Option<i32>> = const { Cell::new(None) };
    /// The primary context that was made current here, and how many resets there had been.
    static BOUND: Cell<(Handle, u64)> = const { Cell::new((Handle::NULL, 0)) };
}

/// How often a device was reset: primary contexts bound before are gone.
static RESETS: AtomicU64 = AtomicU64::new(0);
/// The devices that `cudaSetValidDevices` names, in order.
static VALID: Mutex<Vec<i32>> = Mutex::new(Vec::new());
/// The process is ending: its drivers may have gone.
static ENDING: AtomicBool = AtomicBool::new(false);

extern "C" fn at_exit() {
    ENDING.store(true, Ordering::Relaxed);
}

/// Whether the process is ending.
pub fn ending() -> bool {
    ENDING.load(Ordering::Relaxed)
}

/// The driver, unless the process is ending.
pub fn running() -> Answer<&'static Driver> {
    static NOTED: std::sync::Once = std::sync::Once::new();
    if ending() {
        return Err(Refusal { code: CUDART_UNLOADING, message: String::new() });
    }
    let driver = driver()?;
    NOTED.call_once(|| {
        // SAFETY: a function without arguments. Registered after the driver's own, so that it runs before.
        let _ = unsafe { libc::atexit(at_exit) };
    });
    Ok(driver)
}

/// The driver, with a context current to the thread.
pub fn current() -> Answer<&'static Driver> {
    let driver = running()?;
    let mut context = Handle::NULL;
    driver.cuCtxGetCurrent(Out::of(&mut context))?;
    let (bound, resets) = BOUND.get();
    let gone = context == bound && resets != RESETS.load(Ordering::Relaxed);
    if context.is_null() || gone {
        bind(driver, device())?;
    }
    Ok(driver)
}

/// The primary context of a device, retained at the first call and after a reset.
pub fn primary(driver: &Driver, device: i32) -> Answer<Handle> {
    static RETAINED: Mutex<Option<HashMap<i32, (Handle, u64)>>> = Mutex::new(None);
    let resets = RESETS.load(Ordering::Relaxed);
    let mut guard = RETAINED.lock().unwrap_or_else(|p| p.into_inner());
    let retained = guard.get_or_insert_default();
    if let Some((context, at)) = retained.get(&device)
        && *at == resets
    {
        return Ok(*context);
    }
    let mut context = Handle::NULL;
    driver.cuDevicePrimaryCtxRetain(Out::of(&mut context), device)?;
    retained.insert(device, (context, resets));
    Ok(context)
}

fn bind(driver: &Driver, device: i32) -> Answer {
    let context = primary(driver, device)?;
    driver.cuCtxSetCurrent(context)?;
    BOUND.set((context, RESETS.load(Ordering::Relaxed)));
    Ok(())
}

/// The device that the thread chose, or the first.
fn device() -> i32 {
    DEVICE.get().unwrap_or_else(|| VALID.lock().unwrap_or_else(|p| p.into_inner()).first().copied().unwrap_or(0))
}

/// Refuses a device that is not there.
pub fn known_device(device: i32) -> Answer<&'static Driver> {
    let driver = running()?;
    let mut count = 0;
    driver.cuDeviceGetCount(Out::of(&mut count))?;
    if (0..count).contains(&device) {
        return Ok(driver);
    }
    refuse(INVALID_DEVICE, format_args!("device {device}; there are {count}"))
}

/// Chooses the thread's device and makes its primary context current.
pub fn choose(device: i32) -> Answer {
    let driver = known_device(device)?;
    DEVICE.set(Some(device));
    bind(driver, device)
}

/// The device of the thread's context, or the one it would get.
pub fn chosen() -> Answer<i32> {
    let driver = running()?;
    let (mut context, mut found) = (Handle::NULL, 0);
    driver.cuCtxGetCurrent(Out::of(&mut context))?;
    if context.is_null() {
        return Ok(device());
    }
    driver.cuCtxGetDevice(Out::of(&mut found))?;
    Ok(found)
}

/// Prefers these devices, in this order, where a thread has not chosen.
pub fn prefer(devices: &[i32]) -> Answer {
    for device in devices {
        known_device(*device)?;
    }
    *VALID.lock().unwrap_or_else(|p| p.into_inner()) = devices.to_vec();
    Ok(())
}

/// Ends the primary context of the thread's device; the next call makes a new one.
pub fn reset() -> Answer {
    let device = chosen()?;
    let driver = running()?;
    driver.cuDevicePrimaryCtxReset_v2(device)?;
    RESETS.fetch_add(1, Ordering::Relaxed);
    driver.cuCtxSetCurrent(Handle::NULL)?;
    BOUND.set((Handle::NULL, 0));
    forget_last_error();
    Ok(())
}
