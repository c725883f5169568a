//! Contexts: created ones, what is current to a thread, the primary one of the device; limits and cache preferences.

use crate::driver::abi::*;
use crate::driver::engine::stream::GREATEST_PRIORITY;
use crate::driver::objects::*;

fn create(out: Out<Handle>, flags: u32, device: i32) -> Answer {
    let mut state = lock_device(device)?;
    out.required("context")?;
    let handle = state.create_context(false, flags);
    STACK.with_borrow_mut(|s| s.push(handle));
    out.set(handle, "context")
}

entry!(cuCtxCreate_v2, |out: Out<Handle>, flags: u32, device: i32| create(out, flags, device));

entry!(cuCtxCreate_v3, |out: Out<Handle>, _affinity: Array<u8>, count: i32, flags: u32, device: i32| {
    ensure(count == 0, NOT_SUPPORTED, "softgpu has no execution affinity")?;
    create(out, flags, device)
});

entry!(cuCtxCreate_v4, |out: Out<Handle>, params: Array<u8>, flags: u32, device: i32| {
    ensure(!params.is_given(), NOT_SUPPORTED, "softgpu has no execution affinity and no graphics contexts")?;
    create(out, flags, device)
});

// `cuCtxDetach` is deprecated; without `cuCtxAttach`, which is not there, a context is used once and this ends it.
entry!(cuCtxDestroy_v2, cuCtxDetach, |context: Handle| {
    let mut state = lock()?;
    ensure(!state.contexts.known(context)?.primary, INVALID_CONTEXT, "the primary context is released, not destroyed")?;
    state.destroy_context(context);
    STACK.with_borrow_mut(|s| s.pop_if(|c| *c == context));
    Ok(())
});

/// Refuses a context that is not there; 0 is none.
fn known_or_none(context: Handle) -> Answer {
    let state = lock()?;
    if context != 0 {
        state.contexts.known(context)?;
    }
    Ok(())
}

entry!(cuCtxSetCurrent, |context: Handle| {
    known_or_none(context)?;
    STACK.with_borrow_mut(|s| {
        s.pop();
        s.extend((context != 0).then_some(context));
    });
    Ok(())
});

entry!(cuCtxPushCurrent_v2, |context: Handle| {
    lock()?.contexts.known(context)?;
    STACK.with_borrow_mut(|s| s.push(context));
    Ok(())
});

entry!(cuCtxPopCurrent_v2, |out: Out<Handle>| {
    driver()?;
    let context = STACK.with_borrow_mut(|s| s.pop());
    out.set_if_given(context.or_refuse(INVALID_CONTEXT, "no context is current to this thread")?);
    Ok(())
});

entry!(cuCtxGetCurrent, |out: Out<Handle>| {
    driver()?;
    out.set(STACK.with_borrow(|s| s.last().copied().unwrap_or(0)), "context")
});

entry!(cuCtxGetDevice, |device: Out<i32>| {
    lock()?.current_any()?;
    device.set(0, "device")
});

entry!(cuCtxGetFlags, |flags: Out<u32>| {
    let state = lock()?;
    flags.set(state.contexts[&state.current_any()?].flags, "flags")
});

entry!(cuCtxSetFlags, |flags: u32| {
    let mut state = lock()?;
    let context = state.current_any()?;
    state.contexts.at(context).flags = flags;
    Ok(())
});

entry!(cuCtxGetApiVersion, |context: Handle, version: Out<u32>| {
    known_or_none(context)?;
    version.set(3020, "version")
});

// Waits for all work of the current context.
entry!(cuCtxSynchronize, || {
    let mut state = enter()?;
    let context = state.context;
    state.no_capture_in(context, "the context is synchronised")?;
    state.drain(context);
    state.current()
});

entry!(cuProfilerStart, cuProfilerStop, || enter());

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
    let retained = state.primary.filter(|_| state.primary_count > 0);
    let handle = retained.or_refuse(INVALID_CONTEXT, "the primary context is not retained")?;
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

entry!(cuCtxGetStreamPriorityRange, |least: Out<i32>, greatest: Out<i32>| {
    drop(enter()?);
    least.set_if_given(0);
    greatest.set_if_given(GREATEST_PRIORITY);
    Ok(())
});

/// Limits and what they are at first: stack, printf buffer, heap, depth and number of a kernel's own launches, bytes
/// fetched into the L2 cache, persisting L2 cache, shared memory and two of graphics contexts. None of them limits
/// anything here; values are kept and given back.
const LIMITS: [(i32, u64); 10] =
    [(0, 1024), (1, 1 << 20), (2, 8 << 20), (3, 2), (4, 2048), (5, 128), (6, 0), (7, 0), (8, 0), (9, 0)];

fn default_of(limit: i32) -> Answer<u64> {
    let found = LIMITS.iter().find(|l| l.0 == limit).map(|l| l.1);
    found.or_refuse(UNSUPPORTED_LIMIT, format_args!("softgpu has no limit {limit}"))
}

entry!(cuCtxGetLimit, |value: Out<usize>, limit: i32| {
    let mut state = enter()?;
    let default = default_of(limit)?;
    let set = state.current_context().limits.get(&limit).copied();
    value.set(set.unwrap_or(default) as usize, "value")
});

entry!(cuCtxSetLimit, |limit: i32, value: usize| {
    let mut state = enter()?;
    default_of(limit)?;
    state.current_context().limits.insert(limit, value as u64);
    Ok(())
});

entry!(cuCtxGetCacheConfig, |config: Out<i32>| config.set(enter()?.current_context().cache_config, "config"));

entry!(cuCtxSetCacheConfig, |config: i32| {
    let mut state = enter()?;
    check_cache_config(config)?;
    state.current_context().cache_config = config;
    Ok(())
});

// Checked, and without effect.
entry!(cuFuncSetCacheConfig, |function: Handle, config: i32| {
    enter()?.function(function)?;
    check_cache_config(config)
});

entry!(cuKernelSetCacheConfig, |kernel: Handle, config: i32, device: i32| {
    lock_device(device)?.kernels.known(kernel)?;
    check_cache_config(config)
});

fn check_cache_config(config: i32) -> Answer {
    valid((0..=3).contains(&config), format_args!("{config} is no cache configuration"))
}
