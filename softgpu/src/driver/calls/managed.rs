//! Managed (unified) memory: the host's and the device's at one address. The driver has nothing to move; hints about
//! where it should be are checked and do nothing more.

use crate::driver::abi::*;
use crate::driver::objects::*;

/// `CUmemLocation`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq)]
pub struct Location {
    pub kind: i32,
    pub id: i32,
}

fn managed(driver: &Driver, address: u64, bytes: usize) -> Answer {
    let place = driver.memory.describe(address);
    let message = format_args!("{bytes} bytes at {address:#x} are not managed memory ({place})");
    valid(bytes > 0 && driver.memory.is_managed(address, bytes as u64), message)
}

/// -1 is the host.
fn on_device(device: i32) -> Location {
    Location { kind: if device == -1 { 2 } else { 1 }, id: device }
}

/// `CU_MEM_LOCATION_TYPE_DEVICE` (1), `_HOST` (2), `_HOST_NUMA` (3), `_HOST_NUMA_CURRENT` (4).
fn known_place(place: Location) -> Answer {
    match place {
        Location { kind: 1, id } => known_device(id),
        Location { kind: 2..=4, .. } => Ok(()),
        Location { kind, .. } => refuse(INVALID_VALUE, format_args!("{kind} is no kind of location")),
    }
}

fn prefetch(address: u64, bytes: usize, place: Location, stream: Handle) -> Answer {
    let mut state = enter()?;
    managed(state.driver, address, bytes)?;
    known_place(place)?;
    let stream = state.stream(stream)?;
    state.not_captured(stream, "a prefetch can't be captured")
}

entry!(cuMemPrefetchAsync, cuMemPrefetchAsync_ptsz, |address: u64, bytes: usize, device: i32, stream: Handle| {
    prefetch(address, bytes, on_device(device), stream)
});

entry!(
    cuMemPrefetchAsync_v2,
    cuMemPrefetchAsync_v2_ptsz,
    |address: u64, bytes: usize, place: Location, flags: u32, stream: Handle| {
        valid(flags == 0, "flags must be 0")?;
        prefetch(address, bytes, place, stream)
    }
);

fn advise(address: u64, bytes: usize, advice: i32, place: Location) -> Answer {
    managed(enter()?.driver, address, bytes)?;
    match advice {
        // read mostly and its end, no preferred location: the place is not looked at
        1 | 2 | 4 => Ok(()),
        3 | 5 | 6 => known_place(place),
        _ => refuse(INVALID_VALUE, format_args!("{advice} is no advice")),
    }
}

entry!(cuMemAdvise, |address: u64, bytes: usize, advice: i32, device: i32| {
    advise(address, bytes, advice, on_device(device))
});

entry!(cuMemAdvise_v2, |address: u64, bytes: usize, advice: i32, place: Location| {
    advise(address, bytes, advice, place)
});

// Which streams may touch it isn't watched. Flags: CU_MEM_ATTACH_GLOBAL (1), _HOST (2), _SINGLE (4).
entry!(
    cuStreamAttachMemAsync,
    cuStreamAttachMemAsync_ptsz,
    |stream: Handle, address: u64, bytes: usize, flags: u32| {
        let mut state = enter()?;
        managed(state.driver, address, bytes.max(1))?;
        let whole = state.driver.memory.find(address);
        let whole = whole.is_some_and(|a| a.base == address && (bytes == 0 || bytes as u64 == a.size));
        valid(whole, "only a whole allocation can be attached: its address, and its size or 0")?;
        valid(matches!(flags, 1 | 2 | 4), format_args!("flags {flags}; 1, 2 or 4 are possible"))?;
        // Driver API: CU_MEM_ATTACH_SINGLE needs a stream of the program's own
        valid(flags != 4 || stream > 2, "CU_MEM_ATTACH_SINGLE with a default stream; it needs one that was created")?;
        state.stream(stream)
    }
);
