//! Pinned host memory.

use crate::driver::abi::*;
use crate::driver::objects::*;
use std::ffi::c_void;

fn host_alloc(out: Out<*mut c_void>, bytes: usize, flags: u32) -> Answer {
    let mut state = enter()?;
    state.not_while_capturing("an allocation of pinned memory")?;
    let possible = 1..=isize::MAX as usize - size_of::<Page>();
    valid(possible.contains(&bytes), format_args!("{bytes} bytes can't be allocated"))?;
    out.required("the address")?;
    let count = bytes.div_ceil(size_of::<Page>());
    let mut pages: Vec<Page> = Vec::new();
    let room = pages.try_reserve_exact(count).ok();
    room.or_refuse(OUT_OF_MEMORY, format_args!("no {bytes} bytes of host memory"))?;
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
    let known = state.pinned.get(&address).is_some_and(|entry| entry.pages.is_none() == registered);
    ensure(known || !registered, HOST_MEMORY_NOT_REGISTERED, format_args!("{address:#x} is not registered"))?;
    valid(known, format_args!("{address:#x} was not allocated as pinned memory"))?;
    let context = state.context;
    state.drain(context);
    state.pinned.remove(&address);
    Ok(())
}

entry!(cuMemFreeHost, |address: u64| unpin(address, false));

entry!(cuMemHostRegister_v2, |start: u64, bytes: usize, flags: u32| {
    let mut state = enter()?;
    state.not_while_capturing("registering host memory")?;
    let end = start.checked_add(bytes as u64).filter(|end| start != 0 && *end > start);
    let end = end.or_refuse(INVALID_VALUE, "no memory to register")?;
    let overlaps = state.pinned.range(..end).next_back().is_some_and(|(base, p)| base + p.bytes > start);
    ensure(!overlaps, HOST_MEMORY_ALREADY_REGISTERED, "part of the range is registered already")?;
    let entry = Pinned { context: state.context, bytes: bytes as u64, pages: None, flags };
    state.pinned.insert(start, entry);
    Ok(())
});

entry!(cuMemHostUnregister, |address: u64| unpin(address, true));

entry!(cuMemHostGetFlags, |flags: Out<u32>, address: u64| {
    let found = enter()?.pinned.get(&address).map(|entry| entry.flags);
    flags.set(found.or_refuse(INVALID_VALUE, "not pinned memory")?, "flags")
});
