//! Allocation: linear memory, stream-ordered memory and pools, pinned host memory.

mod managed;
mod pinned;
mod pool;

pub use pinned::free_pinned;

use super::capture::submit;
use super::entry::*;
use super::errors::*;
use super::queue::Work;
use super::state::*;
use crate::memory::MemoryError;
use std::alloc::Layout;
use std::ffi::c_void;

fn refusal(error: MemoryError) -> Refusal {
    let code = match error {
        MemoryError::OutOfMemory { .. } | MemoryError::NotShared { .. } => OUT_OF_MEMORY,
        _ => INVALID_VALUE,
    };
    Refusal { code, message: error.to_string() }
}

/// What an allocation is made by.
#[derive(Clone, Copy)]
enum Origin {
    Plain,
    Pool(Handle),
    Managed,
}

fn allocate(driver: &Driver, state: &mut State, context: Handle, bytes: usize, origin: Origin) -> Answer<u64> {
    let (call, pool) = match origin {
        Origin::Plain => ("cuMemAlloc", None),
        Origin::Pool(pool) => ("cuMemAllocAsync", Some(pool)),
        Origin::Managed => ("cuMemAllocManaged", None),
    };
    let label = format!("{call} of {bytes} bytes");
    let bytes = bytes as u64;
    let address = match origin {
        Origin::Managed => driver.memory.alloc_managed(bytes, &label),
        _ => driver.memory.alloc(bytes, &label),
    }
    .map_err(refusal)?;
    if let Some(pool) = pool.and_then(|p| state.pools.get_mut(&p)) {
        pool.used += bytes;
        pool.high = pool.high.max(pool.used);
    }
    let entry = Linear { context, bytes, pool, freeing: false, label };
    state.linear.insert(address, entry);
    Ok(address)
}

impl Driver {
    /// Gives an allocation back now.
    pub fn release(&self, state: &mut State, address: u64) -> Answer {
        let Some(entry) = state.linear.remove(&address) else {
            let place = self.memory.describe(address);
            return refuse(INVALID_VALUE, format!("{address:#x} is not the start of an allocation ({place})"));
        };
        if let Some(pool) = entry.pool.and_then(|p| state.pools.get_mut(&p)) {
            pool.used -= entry.bytes;
        }
        self.memory.free(address).map_err(refusal)
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAlloc_v2(out: *mut u64, bytes: usize) -> CuResult {
    call("cuMemAlloc_v2", || {
        let (driver, mut state, context) = enter()?;
        state.not_while_capturing("cuMemAlloc")?;
        let address = allocate(driver, &mut state, context, bytes, Origin::Plain)?;
        store(out, address, "address")
    })
}

/// Rows padded to a multiple of 512 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocPitch_v2(
    out: *mut u64,
    pitch: *mut usize,
    width: usize,
    height: usize,
    element: u32,
) -> CuResult {
    call("cuMemAllocPitch_v2", || {
        let (driver, mut state, context) = enter()?;
        state.not_while_capturing("cuMemAllocPitch")?;
        if !matches!(element, 4 | 8 | 16) {
            return refuse(INVALID_VALUE, format!("an element of {element} bytes; 4, 8 or 16 are possible"));
        }
        let row = width.next_multiple_of(512);
        let Some(bytes) = row.checked_mul(height) else {
            return refuse(OUT_OF_MEMORY, "more bytes than there are addresses");
        };
        store(pitch, row, "pitch")?;
        let address = allocate(driver, &mut state, context, bytes, Origin::Plain)?;
        store(out, address, "address")
    })
}

/// Frees memory after the work of its context is done, as a card does; memory from a pool at once, since
/// for it "the driver assumes that all accesses to the allocation are complete" (CUDA C++ Programming
/// Guide, "Stream Ordered Memory Allocator").
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: u64) -> CuResult {
    call("cuMemFree_v2", || {
        let (driver, mut state, context) = enter()?;
        state.not_while_capturing("cuMemFree")?;
        if address == 0 {
            return Ok(());
        }
        match state.linear.get(&address) {
            Some(entry) if entry.freeing => {
                return refuse(
                    INVALID_VALUE,
                    format!("{address:#x} was freed before with cuMemFreeAsync: a double free"),
                );
            }
            Some(entry) if entry.context != context => {
                return refuse(INVALID_VALUE, format!("{address:#x} belongs to a context that is not current"));
            }
            Some(entry) if entry.pool.is_none() => state = driver.drain(state, context),
            _ => {}
        }
        driver.release(&mut state, address)?;
        state.current().map(|_| ())
    })
}

fn alloc_async(out: *mut u64, bytes: usize, pool: Option<Handle>, stream: Handle) -> Answer {
    let (driver, mut state, context) = enter()?;
    let stream = super::queue::resolve(&mut state, context, stream)?;
    state.not_captured(stream, "softgpu has no memory nodes in graphs: allocate before the capture")?;
    let pool = pool.unwrap_or(state.current_pool);
    if !state.pools.contains_key(&pool) {
        return refuse(INVALID_VALUE, format!("{pool:#x} is no memory pool, or a destroyed one"));
    }
    let first = allocate(driver, &mut state, context, bytes, Origin::Pool(pool));
    let address = match first {
        Err(r) if r.code == OUT_OF_MEMORY => {
            // Frees still queued may make room.
            state = driver.drain(state, context);
            allocate(driver, &mut state, context, bytes, Origin::Pool(pool))?
        }
        other => other?,
    };
    store(out, address, "address")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocAsync(out: *mut u64, bytes: usize, stream: Handle) -> CuResult {
    call("cuMemAllocAsync", || alloc_async(out, bytes, None, stream))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocFromPoolAsync(out: *mut u64, bytes: usize, pool: Handle, stream: Handle) -> CuResult {
    call("cuMemAllocFromPoolAsync", || alloc_async(out, bytes, Some(pool), stream))
}

/// Frees when the stream gets there.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeAsync(address: u64, stream: Handle) -> CuResult {
    call("cuMemFreeAsync", || {
        let (driver, mut state, context) = enter()?;
        if address == 0 {
            return Ok(());
        }
        match state.linear.get_mut(&address) {
            None => {
                let place = driver.memory.describe(address);
                return refuse(INVALID_VALUE, format!("{address:#x} is not the start of an allocation ({place})"));
            }
            Some(entry) if entry.freeing => {
                return refuse(INVALID_VALUE, format!("{address:#x} was freed before: a double free"));
            }
            Some(_) => {}
        }
        let (mut state, _) = submit(driver, state, context, stream, Work::Free(address), "cuMemFreeAsync")?;
        if let Some(entry) = state.linear.get_mut(&address) {
            entry.freeing = true;
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> CuResult {
    call("cuMemGetInfo_v2", || {
        let (driver, _state, _) = enter()?;
        let (used, limit) = driver.memory.usage();
        store(free, (limit - used) as usize, "free")?;
        store(total, limit as usize, "total")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemGetAddressRange_v2(base: *mut u64, bytes: *mut usize, address: u64) -> CuResult {
    call("cuMemGetAddressRange_v2", || {
        let (driver, _state, _) = enter()?;
        let Some(found) = driver.memory.find(address) else {
            return refuse(NOT_FOUND, format!("{address:#x} lies in no allocation"));
        };
        store_if(base, found.base);
        store_if(bytes, found.size as usize);
        Ok(())
    })
}

/// Device and registered host memory only; other pointers are unknown to a driver.
#[unsafe(no_mangle)]
pub extern "C" fn cuPointerGetAttribute(out: *mut c_void, attribute: i32, address: u64) -> CuResult {
    call("cuPointerGetAttribute", || {
        let driver = driver()?;
        let state = driver.lock();
        let device = driver.memory.find(address);
        let pinned = state.pinned.range(..=address).next_back().filter(|(base, p)| address - **base < p.bytes);
        let (base, size, context, kind) = match (&device, pinned) {
            (Some(a), _) => {
                let owner = state.linear.get(&a.base).map_or(0, |l| l.context);
                (a.base, a.size, owner, 2u32)
            }
            (None, Some((base, p))) => (*base, p.bytes, p.context, 1),
            _ => {
                return refuse(INVALID_VALUE, format!("{address:#x} is no pointer the driver knows"));
            }
        };
        let managed = device.is_some_and(|a| a.managed);
        match attribute {
            1 => store(out.cast(), context, "value"),
            2 => store(out.cast(), kind, "value"),
            3 if kind == 2 => store(out.cast(), address, "value"),
            4 if kind == 1 || managed => store(out.cast(), address, "value"),
            7 => store(out.cast(), base, "value"),
            8 => store(out.cast(), u32::from(managed), "value"),
            9 => store(out.cast(), 0i32, "value"),
            11 => store(out.cast(), base, "value"),
            12 => store(out.cast(), size as usize, "value"),
            13 => store(out.cast(), 1u32, "value"),
            _ => refuse(INVALID_VALUE, format!("attribute {attribute} does not apply to this pointer")),
        }
    })
}
