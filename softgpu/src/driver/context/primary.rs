//! The device's primary context.

use super::*;

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRetain(out: *mut Handle, device: i32) -> CuResult {
    call("cuDevicePrimaryCtxRetain", || {
        let mut state = check_device(device)?.lock();
        let flags = state.primary_flags;
        let handle = match state.primary {
            Some(handle) => handle,
            None => make(&mut state, true, flags),
        };
        store(out, handle, "context")?;
        state.primary = Some(handle);
        state.primary_count += 1;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(device: i32) -> CuResult {
    call("cuDevicePrimaryCtxRelease_v2", || {
        let driver = check_device(device)?;
        let mut state = driver.lock();
        let Some(handle) = state.primary.filter(|_| state.primary_count > 0) else {
            return refuse(INVALID_CONTEXT, "the primary context is not retained");
        };
        state.primary_count -= 1;
        if state.primary_count == 0 {
            state.no_capture_in(handle, "the primary context is released")?;
            drop(destroy(driver, state, handle));
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxReset_v2(device: i32) -> CuResult {
    call("cuDevicePrimaryCtxReset_v2", || {
        let driver = check_device(device)?;
        let state = driver.lock();
        if let Some(handle) = state.primary {
            drop(destroy(driver, state, handle));
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxGetState(device: i32, flags: *mut u32, active: *mut i32) -> CuResult {
    call("cuDevicePrimaryCtxGetState", || {
        let state = check_device(device)?.lock();
        store(flags, state.primary_flags, "flags")?;
        store(active, state.primary.is_some() as i32, "active")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxSetFlags_v2(device: i32, flags: u32) -> CuResult {
    call("cuDevicePrimaryCtxSetFlags_v2", || {
        let mut state = check_device(device)?.lock();
        state.primary_flags = flags;
        if let Some(handle) = state.primary {
            state.contexts.get_mut(&handle).expect("live").flags = flags;
        }
        Ok(())
    })
}
