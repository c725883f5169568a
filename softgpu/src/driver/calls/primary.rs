//! The device's primary context.

use crate::driver::abi::*;
use crate::driver::objects::*;

entry!(cuDevicePrimaryCtxRetain, |out: Out<Handle>, device: i32| {
    let mut state = lock_device(device)?;
    let flags = state.primary_flags;
    let handle = match state.primary {
        Some(handle) => handle,
        None => state.create_context(true, flags),
    };
    out.set(handle, "context")?;
    state.primary = Some(handle);
    state.primary_count += 1;
    Ok(())
});

entry!(cuDevicePrimaryCtxRelease_v2, |device: i32| {
    let mut state = lock_device(device)?;
    let Some(handle) = state.primary.filter(|_| state.primary_count > 0) else {
        return refuse(INVALID_CONTEXT, "the primary context is not retained");
    };
    state.primary_count -= 1;
    if state.primary_count == 0 {
        state.no_capture_in(handle, "the primary context is released")?;
        state.destroy_context(handle);
    }
    Ok(())
});

entry!(cuDevicePrimaryCtxReset_v2, |device: i32| {
    let mut state = lock_device(device)?;
    if let Some(handle) = state.primary {
        state.destroy_context(handle);
    }
    Ok(())
});

entry!(cuDevicePrimaryCtxGetState, |device: i32, flags: Out<u32>, active: Out<i32>| {
    let state = lock_device(device)?;
    flags.set(state.primary_flags, "flags")?;
    active.set(state.primary.is_some() as i32, "active")
});

entry!(cuDevicePrimaryCtxSetFlags_v2, |device: i32, flags: u32| {
    let mut state = lock_device(device)?;
    state.primary_flags = flags;
    if let Some(handle) = state.primary {
        state.contexts.at(handle).flags = flags;
    }
    Ok(())
});
