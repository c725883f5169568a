//! Memory pools.

use super::*;

pub(super) fn pool_of_device(out: *mut Handle, device: i32, default: bool) -> Answer {
    let state = driver()?.lock();
    if device != 0 {
        return refuse(INVALID_DEVICE, format!("device {device}; softgpu has one, number 0"));
    }
    store(out, if default { state.default_pool } else { state.current_pool }, "pool")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetDefaultMemPool(out: *mut Handle, device: i32) -> CuResult {
    call("cuDeviceGetDefaultMemPool", || pool_of_device(out, device, true))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceGetMemPool(out: *mut Handle, device: i32) -> CuResult {
    call("cuDeviceGetMemPool", || pool_of_device(out, device, false))
}

pub(super) fn known_pool(state: &State, pool: Handle) -> Answer {
    if state.pools.contains_key(&pool) {
        return Ok(());
    }
    refuse(INVALID_VALUE, format!("{pool:#x} is no memory pool, or a destroyed one"))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDeviceSetMemPool(device: i32, pool: Handle) -> CuResult {
    call("cuDeviceSetMemPool", || {
        let mut state = driver()?.lock();
        known_pool(&state, pool)?;
        if device != 0 {
            return refuse(INVALID_DEVICE, format!("device {device}"));
        }
        state.current_pool = pool;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolCreate(out: *mut Handle, properties: *const c_void) -> CuResult {
    call("cuMemPoolCreate", || {
        let mut state = driver()?.lock();
        if properties.is_null() || out.is_null() {
            return refuse(INVALID_VALUE, "a null pointer");
        }
        // SAFETY: CUmemPoolProps begins with allocType, handleTypes, location.type, location.id.
        let [kind, handles, place, device] = unsafe { *properties.cast::<[i32; 4]>() };
        if (kind, place, device) != (1, 1, 0) {
            return refuse(INVALID_VALUE, "softgpu's pools hold pinned-type allocations on device 0");
        }
        if handles != 0 {
            return refuse(NOT_SUPPORTED, "softgpu's pools can't be shared with other processes");
        }
        let pool = state.handle(Kind::Pool);
        state.pools.insert(pool, Pool::default());
        store(out, pool, "pool")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolDestroy(pool: Handle) -> CuResult {
    call("cuMemPoolDestroy", || {
        let mut state = driver()?.lock();
        known_pool(&state, pool)?;
        if state.pools[&pool].default {
            return refuse(INVALID_VALUE, "the default pool can't be destroyed");
        }
        state.pools.remove(&pool);
        if state.current_pool == pool {
            state.current_pool = state.default_pool;
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolTrimTo(pool: Handle, _keep: usize) -> CuResult {
    call("cuMemPoolTrimTo", || known_pool(&driver()?.lock(), pool))
}

/// 1 to 3 are the reuse policies (int), 4 the release threshold, 5 to 8 the sizes.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolGetAttribute(pool: Handle, attribute: i32, out: *mut c_void) -> CuResult {
    call("cuMemPoolGetAttribute", || {
        let state = driver()?.lock();
        known_pool(&state, pool)?;
        let entry = &state.pools[&pool];
        let set = entry.attributes.get(&attribute).copied();
        match attribute {
            1..=3 => store(out.cast(), set.unwrap_or(1) as i32, "value"),
            4 => store(out.cast(), set.unwrap_or(0), "value"),
            5 | 7 => store(out.cast(), entry.used, "value"),
            6 | 8 => store(out.cast(), entry.high, "value"),
            _ => refuse(INVALID_VALUE, format!("{attribute} is no pool attribute")),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPoolSetAttribute(pool: Handle, attribute: i32, value: *const c_void) -> CuResult {
    call("cuMemPoolSetAttribute", || {
        let mut state = driver()?.lock();
        known_pool(&state, pool)?;
        if value.is_null() {
            return refuse(INVALID_VALUE, "value is a null pointer");
        }
        let entry = state.pools.get_mut(&pool).expect("known");
        match attribute {
            // SAFETY: an int and a 64-bit number, by the API.
            1..=3 => entry.attributes.insert(attribute, unsafe { *value.cast::<i32>() } as u64),
            4 => entry.attributes.insert(attribute, unsafe { *value.cast::<u64>() }),
            6 | 8 => {
                entry.high = entry.used;
                None
            }
            _ => return refuse(INVALID_VALUE, format!("{attribute} can't be set")),
        };
        Ok(())
    })
}
