//! Managed (unified) memory: the host's and the device's at one address. The driver has nothing to move; hints about where
//! it should be are checked and do nothing more.

use super::*;
use crate::driver::queue::resolve;

/// `CU_MEM_ATTACH_GLOBAL`, `_HOST`, `_SINGLE`.
const ATTACH: [u32; 3] = [1, 2, 4];

/// `CUmemLocation`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Location {
    kind: i32,
    id: i32,
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAllocManaged(out: *mut u64, bytes: usize, flags: u32) -> CuResult {
    call("cuMemAllocManaged", || {
        let (driver, mut state, context) = enter()?;
        state.not_while_capturing("cuMemAllocManaged")?;
        if !ATTACH[..2].contains(&flags) {
            return refuse(
                INVALID_VALUE,
                format!("flags {flags}; CU_MEM_ATTACH_GLOBAL (1) and _HOST (2) are possible"),
            );
        }
        let origin = Origin::Managed;
        let address = allocate(driver, &mut state, context, bytes, origin)?;
        store(out, address, "address")
    })
}

fn managed(driver: &Driver, address: u64, bytes: usize) -> Answer {
    if bytes > 0 && driver.memory.is_managed(address, bytes as u64) {
        return Ok(());
    }
    refuse(
        INVALID_VALUE,
        format!("{bytes} bytes at {address:#x} are not managed memory ({})", driver.memory.describe(address)),
    )
}

/// -1 is the host.
fn on_device(device: i32) -> Location {
    Location { kind: if device == -1 { 2 } else { 1 }, id: device }
}

/// `CU_MEM_LOCATION_TYPE_DEVICE` (1), `_HOST` (2), `_HOST_NUMA` (3), `_HOST_NUMA_CURRENT` (4).
fn known_place(place: Location) -> Answer {
    match place {
        Location { kind: 1, id: 0 } | Location { kind: 2..=4, .. } => Ok(()),
        Location { kind: 1, id } => refuse(INVALID_DEVICE, format!("device {id}; softgpu has one, number 0")),
        Location { kind, .. } => refuse(INVALID_VALUE, format!("{kind} is no kind of location")),
    }
}

fn prefetch(address: u64, bytes: usize, place: Location, stream: Handle) -> Answer {
    let (driver, mut state, context) = enter()?;
    managed(driver, address, bytes)?;
    known_place(place)?;
    let stream = resolve(&mut state, context, stream)?;
    state.not_captured(stream, "a prefetch can't be captured")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPrefetchAsync(address: u64, bytes: usize, device: i32, stream: Handle) -> CuResult {
    call("cuMemPrefetchAsync", || prefetch(address, bytes, on_device(device), stream))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPrefetchAsync_v2(
    address: u64,
    bytes: usize,
    place: Location,
    flags: u32,
    stream: Handle,
) -> CuResult {
    call("cuMemPrefetchAsync_v2", || {
        if flags != 0 {
            return refuse(INVALID_VALUE, "flags must be 0");
        }
        prefetch(address, bytes, place, stream)
    })
}

fn advise(address: u64, bytes: usize, advice: i32, place: Location) -> Answer {
    let (driver, _state, _) = enter()?;
    managed(driver, address, bytes)?;
    match advice {
        // read mostly and its end, no preferred location: the place is not looked at
        1 | 2 | 4 => Ok(()),
        3 | 5 | 6 => known_place(place),
        _ => refuse(INVALID_VALUE, format!("{advice} is no advice")),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAdvise(address: u64, bytes: usize, advice: i32, device: i32) -> CuResult {
    call("cuMemAdvise", || advise(address, bytes, advice, on_device(device)))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAdvise_v2(address: u64, bytes: usize, advice: i32, place: Location) -> CuResult {
    call("cuMemAdvise_v2", || advise(address, bytes, advice, place))
}

/// Which streams may touch it isn't watched.
#[unsafe(no_mangle)]
pub extern "C" fn cuStreamAttachMemAsync(stream: Handle, address: u64, bytes: usize, flags: u32) -> CuResult {
    call("cuStreamAttachMemAsync", || {
        let (driver, mut state, context) = enter()?;
        managed(driver, address, bytes.max(1))?;
        let whole = driver.memory.find(address);
        if !whole.is_some_and(|a| a.base == address && (bytes == 0 || bytes as u64 == a.size)) {
            return refuse(INVALID_VALUE, "only a whole allocation can be attached: its address, and its size or 0");
        }
        if !ATTACH.contains(&flags) {
            return refuse(INVALID_VALUE, format!("flags {flags}; 1, 2 or 4 are possible"));
        }
        // Driver API: CU_MEM_ATTACH_SINGLE needs a stream of the program's own
        if flags == 4 && stream <= 2 {
            return refuse(INVALID_VALUE, "CU_MEM_ATTACH_SINGLE with a default stream; it needs one that was created");
        }
        resolve(&mut state, context, stream).map(|_| ())
    })
}
