//! Contexts: the primary one of the device, created ones, and what is current to a thread.

mod limits;
mod primary;

use super::entry::*;
use super::errors::*;
use super::report;
use super::state::*;

/// Makes a context with its legacy stream.
fn make(state: &mut State, primary: bool, flags: u32) -> Handle {
    let handle = state.handle(Kind::Context);
    state.contexts.insert(handle, Context { primary, flags, cache_config: 0, ..Context::default() });
    let legacy = super::stream::create(state, handle, false, 0);
    state.contexts.get_mut(&handle).expect("just made").legacy = legacy;
    handle
}

/// Ends a context: runs what is queued, reports leaks, frees everything in it.
fn destroy(driver: &'static Driver, state: Locked, context: Handle) -> Locked {
    let mut state = driver.drain(state, context);
    report::leaks(&mut state, context);
    let modules: Vec<Handle> = keys_of(&state.modules, |m| m.context == context);
    for module in modules {
        super::module::unload(driver, &mut state, module);
    }
    let blocks: Vec<u64> = keys_of(&state.linear, |l| l.context == context);
    for address in blocks {
        state.linear.remove(&address);
        let _ = driver.memory.free(address);
    }
    let pinned: Vec<u64> = keys_of(&state.pinned, |p| p.context == context);
    for address in pinned {
        let entry = state.pinned.remove(&address).expect("listed");
        super::memory::free_pinned(address, &entry);
    }
    state.streams.retain(|_, s| s.context != context);
    state.events.retain(|_, e| e.context != context);
    state.captures.retain(|_, c| c.context != context);
    state.graphs.retain(|_, g| g.context != context);
    state.execs.retain(|_, e| e.context != context);
    state.contexts.remove(&context);
    if state.primary == Some(context) {
        state.primary = None;
        state.primary_count = 0;
    }
    report::write_files(driver, &state);
    state
}

fn keys_of<'a, V: 'a>(map: impl IntoIterator<Item = (&'a u64, &'a V)>, which: impl Fn(&V) -> bool) -> Vec<u64> {
    map.into_iter().filter(|(_, v)| which(v)).map(|(k, _)| *k).collect()
}

fn check_device(device: i32) -> Answer<&'static Driver> {
    let driver = driver()?;
    if device != 0 {
        return refuse(INVALID_DEVICE, format!("device {device}; softgpu has one, number 0"));
    }
    Ok(driver)
}

fn create(out: *mut Handle, flags: u32, device: i32) -> Answer {
    let mut state = check_device(device)?.lock();
    if out.is_null() {
        return refuse(INVALID_VALUE, "context is a null pointer");
    }
    let handle = make(&mut state, false, flags);
    STACK.with_borrow_mut(|s| s.push(handle));
    store(out, handle, "context")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxCreate_v2(out: *mut Handle, flags: u32, device: i32) -> CuResult {
    call("cuCtxCreate_v2", || create(out, flags, device))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxCreate_v3(
    out: *mut Handle,
    _affinity: *mut u8,
    count: i32,
    flags: u32,
    device: i32,
) -> CuResult {
    call("cuCtxCreate_v3", || {
        if count != 0 {
            return refuse(NOT_SUPPORTED, "softgpu has no execution affinity");
        }
        create(out, flags, device)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxCreate_v4(out: *mut Handle, params: *mut u8, flags: u32, device: i32) -> CuResult {
    call("cuCtxCreate_v4", || {
        if !params.is_null() {
            return refuse(NOT_SUPPORTED, "softgpu has no execution affinity and no graphics contexts");
        }
        create(out, flags, device)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxDestroy_v2(context: Handle) -> CuResult {
    call("cuCtxDestroy_v2", || end(context))
}

/// Deprecated; without `cuCtxAttach`, which is not there, a context is used once and this ends it.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxDetach(context: Handle) -> CuResult {
    call("cuCtxDetach", || end(context))
}

fn end(context: Handle) -> Answer {
    let driver = driver()?;
    let state = driver.lock();
    match state.contexts.get(&context) {
        None => refuse(INVALID_CONTEXT, format!("{context:#x} is no context, or a destroyed one")),
        Some(c) if c.primary => refuse(INVALID_CONTEXT, "the primary context is released, not destroyed"),
        Some(_) => {
            drop(destroy(driver, state, context));
            STACK.with_borrow_mut(|s| {
                if s.last() == Some(&context) {
                    s.pop();
                }
            });
            Ok(())
        }
    }
}

fn known(context: Handle) -> Answer {
    if driver()?.lock().contexts.contains_key(&context) {
        return Ok(());
    }
    refuse(INVALID_CONTEXT, format!("{context:#x} is no context, or a destroyed one"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Handle) -> CuResult {
    call("cuCtxSetCurrent", || {
        if context != 0 {
            known(context)?;
        } else {
            driver()?;
        }
        STACK.with_borrow_mut(|s| {
            s.pop();
            if context != 0 {
                s.push(context);
            }
        });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxPushCurrent_v2(context: Handle) -> CuResult {
    call("cuCtxPushCurrent_v2", || {
        known(context)?;
        STACK.with_borrow_mut(|s| s.push(context));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxPopCurrent_v2(out: *mut Handle) -> CuResult {
    call("cuCtxPopCurrent_v2", || {
        driver()?;
        match STACK.with_borrow_mut(|s| s.pop()) {
            Some(context) => {
                store_if(out, context);
                Ok(())
            }
            None => refuse(INVALID_CONTEXT, "no context is current to this thread"),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetCurrent(out: *mut Handle) -> CuResult {
    call("cuCtxGetCurrent", || {
        driver()?;
        store(out, STACK.with_borrow(|s| s.last().copied().unwrap_or(0)), "context")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetDevice(device: *mut i32) -> CuResult {
    call("cuCtxGetDevice", || {
        driver()?.lock().current_any()?;
        store(device, 0, "device")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetFlags(flags: *mut u32) -> CuResult {
    call("cuCtxGetFlags", || {
        let state = driver()?.lock();
        let context = state.current_any()?;
        store(flags, state.contexts[&context].flags, "flags")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetFlags(flags: u32) -> CuResult {
    call("cuCtxSetFlags", || {
        let mut state = driver()?.lock();
        let context = state.current_any()?;
        state.contexts.get_mut(&context).expect("current").flags = flags;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetApiVersion(context: Handle, version: *mut u32) -> CuResult {
    call("cuCtxGetApiVersion", || {
        if context != 0 {
            known(context)?;
        }
        store(version, 3020, "version")
    })
}

/// Waits for all work of the current context.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSynchronize() -> CuResult {
    call("cuCtxSynchronize", || {
        let (driver, mut state, context) = enter()?;
        state.no_capture_in(context, "the context is synchronised")?;
        let state = driver.drain(state, context);
        state.current().map(|_| ())
    })
}
