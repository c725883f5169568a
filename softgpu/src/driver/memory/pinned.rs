//! Pinned host memory.

use super::*;

pub(super) fn layout(bytes: u64) -> Option<Layout> {
    Layout::from_size_align(bytes as usize, 4096).ok()
}

/// Frees what [`host_alloc`] made; registered memory stays the program's.
pub fn free_pinned(address: u64, entry: &Pinned) {
    if let (false, Some(layout)) = (entry.registered, layout(entry.bytes)) {
        // SAFETY: allocated with this layout by `host_alloc`.
        unsafe { std::alloc::dealloc(address as *mut u8, layout) };
    }
}

pub(super) fn host_alloc(out: *mut *mut c_void, bytes: usize, flags: u32) -> Answer {
    let (_, mut state, context) = enter()?;
    state.not_while_capturing("an allocation of pinned memory")?;
    let Some(layout) = layout(bytes as u64).filter(|_| bytes > 0) else {
        return refuse(INVALID_VALUE, format!("{bytes} bytes can't be allocated"));
    };
    if out.is_null() {
        return refuse(INVALID_VALUE, "the address is a null pointer");
    }
    // SAFETY: the size is not 0. Filled, so that reading before a copy landed is visible, not undefined.
    let memory = unsafe { std::alloc::alloc(layout) };
    if memory.is_null() {
        return refuse(OUT_OF_MEMORY, format!("no {bytes} bytes of host memory"));
    }
    // SAFETY: fresh memory of that size.
    unsafe { std::ptr::write_bytes(memory, 0xcb, bytes) };
    let entry = Pinned { context, bytes: bytes as u64, registered: false, flags };
    state.pinned.insert(memory as u64, entry);
    store(out, memory.cast(), "address")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostAlloc(out: *mut *mut c_void, bytes: usize, flags: u32) -> CuResult {
    call("cuMemHostAlloc", || host_alloc(out, bytes, flags))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocHost_v2(out: *mut *mut c_void, bytes: usize) -> CuResult {
    call("cuMemAllocHost_v2", || host_alloc(out, bytes, 0))
}

pub(super) fn unpin(address: u64, registered: bool) -> Answer {
    let (driver, mut state, context) = enter()?;
    state.not_while_capturing("freeing pinned memory")?;
    match state.pinned.get(&address) {
        Some(entry) if entry.registered == registered => {}
        _ if registered => {
            return refuse(HOST_MEMORY_NOT_REGISTERED, format!("{address:#x} is not registered"));
        }
        _ => {
            return refuse(INVALID_VALUE, format!("{address:#x} was not allocated as pinned memory"));
        }
    }
    let mut state = driver.drain(state, context);
    if let Some(entry) = state.pinned.remove(&address) {
        free_pinned(address, &entry);
    }
    Ok(())
}

/// Frees pinned memory after the work queued so far.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(address: *mut c_void) -> CuResult {
    call("cuMemFreeHost", || unpin(address as u64, false))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostRegister_v2(address: *mut c_void, bytes: usize, flags: u32) -> CuResult {
    call("cuMemHostRegister_v2", || {
        let (_, mut state, context) = enter()?;
        state.not_while_capturing("registering host memory")?;
        let start = address as u64;
        if start == 0 || bytes == 0 {
            return refuse(INVALID_VALUE, "no memory to register");
        }
        let end = start + bytes as u64;
        let overlaps = state.pinned.range(..end).next_back().is_some_and(|(base, p)| base + p.bytes > start);
        if overlaps {
            return refuse(HOST_MEMORY_ALREADY_REGISTERED, "part of the range is registered already");
        }
        let entry = Pinned { context, bytes: bytes as u64, registered: true, flags };
        state.pinned.insert(start, entry);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostUnregister(address: *mut c_void) -> CuResult {
    call("cuMemHostUnregister", || unpin(address as u64, true))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostGetFlags(flags: *mut u32, address: *mut c_void) -> CuResult {
    call("cuMemHostGetFlags", || {
        let (_, state, _) = enter()?;
        match state.pinned.get(&(address as u64)) {
            Some(entry) => store(flags, entry.flags, "flags"),
            None => refuse(INVALID_VALUE, "not pinned memory"),
        }
    })
}
