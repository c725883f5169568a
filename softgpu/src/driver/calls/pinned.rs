//! Pinned host memory.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::ffi::c_void;

fn host_alloc(out: Out<*mut c_void>, bytes: usize, flags: u32) -> Answer {
    let mut state = enter()?;
    state.not_while_capturing("an allocation of pinned memory")?;
    if bytes == 0 || bytes > isize::MAX as usize - size_of::<Page>() {
        return refuse(INVALID_VALUE, format!("{bytes} bytes can't be allocated"));
    }
    out.required("the address")?;
    let count = bytes.div_ceil(size_of::<Page>());
    let mut pages: Vec<Page> = Vec::new();
    if pages.try_reserve_exact(count).is_err() {
        return refuse(OUT_OF_MEMORY, format!("no {bytes} bytes of host memory"));
    }
    pages.resize(count, Page([0; _]));
    // Filled, so that reading before a copy landed is visible.
    for page in &mut pages {
        page.0.fill(0xcb);
    }
    let address = pages.as_mut_ptr().cast::<c_void>();
    let entry = Pinned { context: state.context, bytes: bytes as u64, pages: Some(pages), flags };
    state.pinned.insert(address as u64, entry);
    out.set(address, "address")
}

entry!(cuMemHostAlloc, |out: Out<*mut c_void>, bytes: usize, flags: u32| host_alloc(out, bytes, flags));

entry!(cuMemAllocHost_v2, |out: Out<*mut c_void>, bytes: usize| host_alloc(out, bytes, 0));

/// Forgets pinned memory after the work queued so far, with what the driver allocated for it.
fn unpin(address: u64, registered: bool) -> Answer {
    let mut state = enter()?;
    state.not_while_capturing("freeing pinned memory")?;
    match state.pinned.get(&address) {
        Some(entry) if entry.pages.is_none() == registered => {}
        _ if registered => return refuse(HOST_MEMORY_NOT_REGISTERED, format!("{address:#x} is not registered")),
        _ => return refuse(INVALID_VALUE, format!("{address:#x} was not allocated as pinned memory")),
    }
    let context = state.context;
    state.drain(context);
    state.pinned.remove(&address);
    Ok(())
}

entry!(cuMemFreeHost, |address: u64| unpin(address, false));

entry!(cuMemHostRegister_v2, |start: u64, bytes: usize, flags: u32| {
    let mut state = enter()?;
    state.not_while_capturing("registering host memory")?;
    if start == 0 || bytes == 0 {
        return refuse(INVALID_VALUE, "no memory to register");
    }
    let end = start + bytes as u64;
    let overlaps = state.pinned.range(..end).next_back().is_some_and(|(base, p)| base + p.bytes > start);
    if overlaps {
        return refuse(HOST_MEMORY_ALREADY_REGISTERED, "part of the range is registered already");
    }
    let entry = Pinned { context: state.context, bytes: bytes as u64, pages: None, flags };
    state.pinned.insert(start, entry);
    Ok(())
});

entry!(cuMemHostUnregister, |address: u64| unpin(address, true));

entry!(cuMemHostGetFlags, |flags: Out<u32>, address: u64| match enter()?.pinned.get(&address) {
    Some(entry) => flags.set(entry.flags, "flags"),
    None => refuse(INVALID_VALUE, "not pinned memory"),
});
