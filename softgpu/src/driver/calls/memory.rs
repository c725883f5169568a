//! Allocation: linear memory, stream-ordered memory, and what is known of an address.

use crate::driver::abi::*;
use crate::driver::engine::memory::Origin;
use crate::driver::engine::stream::enter_on;
use crate::driver::objects::*;
use crate::memory::Memory;
use std::ffi::c_void;

entry!(cuMemAlloc_v2, |out: Out<u64>, bytes: usize| {
    let mut state = enter()?;
    state.not_while_capturing("cuMemAlloc")?;
    out.set(state.allocate(bytes, Origin::Plain)?, "address")
});

// Rows padded to a multiple of 512 bytes.
entry!(cuMemAllocPitch_v2, |out: Out<u64>, pitch: Out<usize>, width: usize, height: usize, element: u32| {
    let mut state = enter()?;
    state.not_while_capturing("cuMemAllocPitch")?;
    let message = format_args!("an element of {element} bytes; 4, 8 or 16 are possible");
    valid(matches!(element, 4 | 8 | 16), message)?;
    let sizes = width.checked_next_multiple_of(512).and_then(|row| Some((row, row.checked_mul(height)?)));
    let (row, bytes) = sizes.or_refuse(OUT_OF_MEMORY, "more bytes than there are addresses")?;
    pitch.set(row, "pitch")?;
    out.set(state.allocate(bytes, Origin::Plain)?, "address")
});

entry!(cuMemAllocManaged, |out: Out<u64>, bytes: usize, flags: u32| {
    let mut state = enter()?;
    state.not_while_capturing("cuMemAllocManaged")?;
    let message = format_args!("flags {flags}; CU_MEM_ATTACH_GLOBAL (1) and _HOST (2) are possible");
    valid(matches!(flags, 1 | 2), message)?;
    out.set(state.allocate(bytes, Origin::Managed)?, "address")
});

// Frees memory after the work of its context is done, as a card does; memory from a pool at once, since
// for it "the driver assumes that all accesses to the allocation are complete" (CUDA C++ Programming
// Guide, "Stream Ordered Memory Allocator").
entry!(cuMemFree_v2, |address: u64| {
    let mut state = enter()?;
    state.not_while_capturing("cuMemFree")?;
    if address == 0 {
        return Ok(());
    }
    let entry = state.live(address)?;
    let (context, pooled) = (entry.context, entry.pool.is_some());
    valid(context == state.context, format_args!("{address:#x} belongs to a context that is not current"))?;
    if !pooled {
        state.drain(context);
    }
    state.release(address)?;
    state.current()?;
    Ok(())
});

fn alloc_async(out: Out<u64>, bytes: usize, pool: Option<Handle>, stream: Handle) -> Answer {
    let (mut state, stream) = enter_on(stream)?;
    let pool = pool.unwrap_or(state.current_pool);
    state.pools.known(pool)?;
    if state.capture_of(stream)?.is_some() {
        let memory = state.reserve(bytes)?;
        let address = memory.address;
        state.submit(stream, Work::Allocate(memory), called())?;
        return out.set(address, "address");
    }
    let address = match state.allocate(bytes, Origin::Pool(pool)) {
        Err(r) if r.code == OUT_OF_MEMORY => {
            // Frees still queued may make room.
            let context = state.context;
            state.drain(context);
            state.allocate(bytes, Origin::Pool(pool))?
        }
        other => other?,
    };
    out.set(address, "address")
}

entry!(cuMemAllocAsync, cuMemAllocAsync_ptsz, |out: Out<u64>, bytes: usize, stream: Handle| alloc_async(
    out, bytes, None, stream
));

entry!(
    cuMemAllocFromPoolAsync,
    cuMemAllocFromPoolAsync_ptsz,
    |out: Out<u64>, bytes: usize, pool: Handle, stream: Handle| { alloc_async(out, bytes, Some(pool), stream) }
);

// Frees when the stream gets there.
entry!(cuMemFreeAsync, cuMemFreeAsync_ptsz, |address: u64, stream: Handle| {
    let mut state = enter()?;
    if address == 0 {
        return Ok(());
    }
    let captured = state.stream(stream).and_then(|stream| state.capture_of(stream))?;
    match captured.map(|capture| &state.captures[&capture].graph) {
        Some(graph) => graph.may_free(address)?,
        None => drop(state.live(address)?),
    }
    state.submit(stream, Work::Free(address), called())?;
    if captured.is_some() {
        return Ok(());
    }
    if let Some(entry) = state.linear.get_mut(&address) {
        entry.freeing = true;
    }
    Ok(())
});

entry!(cuMemGetInfo_v2, |free: Out<usize>, total: Out<usize>| {
    let (used, limit) = enter()?.driver.memory.usage();
    free.set((limit - used) as usize, "free")?;
    total.set(limit as usize, "total")
});

entry!(cuMemGetAddressRange_v2, |base: Out<u64>, bytes: Out<usize>, address: u64| {
    let found = enter()?.driver.memory.find(address);
    let found = found.or_refuse(NOT_FOUND, format_args!("{address:#x} lies in no allocation"))?;
    base.set_if_given(found.base);
    bytes.set_if_given(found.size as usize);
    Ok(())
});

/// What is known of a pointer. The driver knows device memory and registered host memory only.
fn known(state: &State, memory: &Memory, attribute: i32, address: u64) -> Answer<Value> {
    let device = memory.find(address);
    let pinned = state.pinned.range(..=address).next_back().filter(|(base, p)| address - **base < p.bytes);
    let (base, size, context, kind) = match (&device, pinned) {
        (Some(a), _) => (a.base, a.size, state.linear.get(&a.base).map_or(0, |l| l.context), 2),
        (None, Some((base, p))) => (*base, p.bytes, p.context, 1),
        _ => return refuse(INVALID_VALUE, format_args!("{address:#x} is no pointer the driver knows")),
    };
    let managed = device.is_some_and(|a| a.managed);
    Ok(match attribute {
        1 => Value::Long(context),
        2 => Value::Int(kind),
        3 if kind == 2 => Value::Long(address),
        4 if kind == 1 || managed => Value::Long(address),
        7 | 11 => Value::Long(base),
        8 => Value::Int(managed as u32),
        9 => Value::Int(0),
        12 => Value::Long(size),
        13 => Value::Int(1),
        _ => return refuse(INVALID_VALUE, format_args!("attribute {attribute} does not apply to this pointer")),
    })
}

entry!(cuPointerGetAttribute, |out: Out<c_void>, attribute: i32, address: u64| {
    let state = lock()?;
    let value = known(&state, &state.driver.memory, attribute, address)?;
    // SAFETY: the attribute has a value of that size, by the API.
    unsafe { out.set_value(value, "value") }
});

// Of an unknown pointer, or where an attribute does not apply, the value is zero and no error.
entry!(cuPointerGetAttributes, |count: Count<u32>, attributes: Array<i32>, out: Array<Out<c_void>>, address: u64| {
    let state = lock()?;
    // SAFETY: there are as many places as attributes.
    let places = unsafe { out.first(count.get()) };
    for (attribute, place) in attributes.of(count).iter().zip(places) {
        let nothing = match attribute {
            // A memory type, switches, the device's number.
            2 | 6 | 8 | 9 | 10 | 13 | 15 | 16 => Value::Int(0),
            _ => Value::Long(0),
        };
        let value = known(&state, &state.driver.memory, *attribute, address).unwrap_or(nothing);
        // SAFETY: the attribute has a value of that size, by the API.
        unsafe { place.set_value(value, "value") }?;
    }
    Ok(())
});
