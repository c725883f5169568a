//! Memory pools.

use super::managed::Location;
use crate::driver::abi::*;
use crate::driver::objects::*;
use std::ffi::c_void;

entry!(cuDeviceGetDefaultMemPool, |out: Out<Handle>, device: i32| {
    out.set(lock_device(device)?.default_pool, "pool")
});

entry!(cuDeviceGetMemPool, |out: Out<Handle>, device: i32| out.set(lock_device(device)?.current_pool, "pool"));

entry!(cuDeviceSetMemPool, |device: i32, pool: Handle| {
    let mut state = lock_device(device)?;
    state.pools.known(pool)?;
    state.current_pool = pool;
    Ok(())
});

/// The beginning of `CUmemPoolProps`.
#[repr(C)]
pub struct PoolProperties {
    allocation: i32,
    handles: i32,
    place: i32,
    device: i32,
}

entry!(cuMemPoolCreate, |out: Out<Handle>, properties: Option<&PoolProperties>| {
    let mut state = lock()?;
    let given = properties.filter(|_| out.is_given()).or_refuse(INVALID_VALUE, "a null pointer")?;
    let possible = (given.allocation, given.place, given.device) == (1, 1, 0);
    valid(possible, "softgpu's pools hold pinned-type allocations on device 0")?;
    ensure(given.handles == 0, NOT_SUPPORTED, "softgpu's pools can't be shared with other processes")?;
    out.set(state.pools.add(Pool::default()), "pool")
});

entry!(cuMemPoolDestroy, |pool: Handle| {
    let mut state = lock()?;
    valid(!state.pools.known(pool)?.default, "the default pool can't be destroyed")?;
    state.pools.remove(&pool);
    if state.current_pool == pool {
        state.current_pool = state.default_pool;
    }
    Ok(())
});

entry!(cuMemPoolTrimTo, |pool: Handle, _keep: usize| lock()?.pools.known(pool).map(|_| ()));

/// `CU_MEM_ACCESS_FLAGS_PROT_READWRITE`, which the device has to all of its memory.
const READ_WRITE: i32 = 3;

/// `CUmemAccessDesc`.
#[repr(C)]
pub struct Access {
    place: Location,
    flags: i32,
}

fn own_device(place: Location) -> Answer {
    valid(place == Location { kind: 1, id: 0 }, "softgpu's pools are for device 0")
}

entry!(cuMemPoolGetAccess, |flags: Out<i32>, pool: Handle, place: Option<&Location>| {
    lock()?.pools.known(pool)?;
    own_device(*place.or_refuse(INVALID_VALUE, "no location")?)?;
    flags.set(READ_WRITE, "flags")
});

entry!(cuMemPoolSetAccess, |pool: Handle, wanted: Array<Access>, count: Count| {
    lock()?.pools.known(pool)?;
    for access in wanted.of(count) {
        own_device(access.place)?;
        valid(access.flags == READ_WRITE, "the device's access to its own memory is to read and write")?;
    }
    Ok(())
});

// 1 to 3 are the reuse policies (int), 4 the release threshold, 5 to 8 the sizes.
entry!(cuMemPoolGetAttribute, |pool: Handle, attribute: i32, out: Out<c_void>| {
    let state = lock()?;
    let entry = state.pools.known(pool)?;
    let set = entry.attributes.get(&attribute).copied();
    let value = match attribute {
        1..=3 => Value::Int(set.unwrap_or(1) as u32),
        4 => Value::Long(set.unwrap_or(0)),
        5 | 7 => Value::Long(entry.used),
        6 | 8 => Value::Long(entry.high),
        _ => return refuse(INVALID_VALUE, format_args!("{attribute} is no pool attribute")),
    };
    // SAFETY: the attribute has a value of that size, by the API.
    unsafe { out.set_value(value, "value") }
});

entry!(cuMemPoolSetAttribute, |pool: Handle, attribute: i32, value: Array<u8>| {
    let mut state = lock()?;
    let entry = state.pools.known_mut(pool)?;
    valid(value.is_given(), "value is a null pointer")?;
    let size = match attribute {
        1..=3 => 4,
        4 => 8,
        6 | 8 => {
            entry.high = entry.used;
            return Ok(());
        }
        _ => return refuse(INVALID_VALUE, format_args!("{attribute} can't be set")),
    };
    let mut number = [0; 8];
    // SAFETY: the attribute has a value of that size, by the API.
    number[..size].copy_from_slice(unsafe { value.first(size) });
    entry.attributes.insert(attribute, u64::from_le_bytes(number));
    Ok(())
});
