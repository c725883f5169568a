//! Priorities, limits and cache preferences of the current context.

use super::*;

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetStreamPriorityRange(least: *mut i32, greatest: *mut i32) -> CuResult {
    call("cuCtxGetStreamPriorityRange", || {
        drop(enter()?);
        store_if(least, 0);
        store_if(greatest, crate::driver::stream::GREATEST_PRIORITY);
        Ok(())
    })
}

/// Stack, printf buffer and heap have no limit here; their values are kept and given back.
#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetLimit(value: *mut usize, limit: i32) -> CuResult {
    call("cuCtxGetLimit", || {
        let (_, state, context) = enter()?;
        let default = match limit {
            0 => 1024,
            1 => 1 << 20,
            2 => 8 << 20,
            5 => 128,
            _ => return refuse(UNSUPPORTED_LIMIT, format!("softgpu has no limit {limit}")),
        };
        let set = state.contexts[&context].limits.get(&limit).copied();
        store(value, set.unwrap_or(default) as usize, "value")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetLimit(limit: i32, value: usize) -> CuResult {
    call("cuCtxSetLimit", || {
        let (_, mut state, context) = enter()?;
        if !matches!(limit, 0 | 1 | 2 | 5) {
            return refuse(UNSUPPORTED_LIMIT, format!("softgpu has no limit {limit}"));
        }
        let entry = state.contexts.get_mut(&context).expect("current");
        entry.limits.insert(limit, value as u64);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetCacheConfig(config: *mut i32) -> CuResult {
    call("cuCtxGetCacheConfig", || {
        let (_, state, context) = enter()?;
        store(config, state.contexts[&context].cache_config, "config")
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCacheConfig(config: i32) -> CuResult {
    call("cuCtxSetCacheConfig", || {
        let (_, mut state, context) = enter()?;
        if !(0..=3).contains(&config) {
            return refuse(INVALID_VALUE, format!("{config} is no cache configuration"));
        }
        state.contexts.get_mut(&context).expect("current").cache_config = config;
        Ok(())
    })
}
