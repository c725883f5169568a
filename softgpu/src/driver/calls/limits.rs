//! Priorities, limits and cache preferences of the current context.

use crate::driver::abi::*;
use crate::driver::engine::stream::GREATEST_PRIORITY;
use crate::driver::objects::*;

entry!(cuCtxGetStreamPriorityRange, |least: Out<i32>, greatest: Out<i32>| {
    drop(enter()?);
    least.set_if_given(0);
    greatest.set_if_given(GREATEST_PRIORITY);
    Ok(())
});

/// Limits and what they are at first. Stack, printf buffer and heap have none here; values are kept and given back.
const LIMITS: [(i32, u64); 4] = [(0, 1024), (1, 1 << 20), (2, 8 << 20), (5, 128)];

fn default_of(limit: i32) -> Answer<u64> {
    match LIMITS.iter().find(|l| l.0 == limit) {
        Some((_, value)) => Ok(*value),
        None => refuse(UNSUPPORTED_LIMIT, format!("softgpu has no limit {limit}")),
    }
}

entry!(cuCtxGetLimit, |value: Out<usize>, limit: i32| {
    let mut state = enter()?;
    let default = default_of(limit)?;
    let set = state.current_context().limits.get(&limit).copied();
    value.set(set.unwrap_or(default) as usize, "value")
});

entry!(cuCtxSetLimit, |limit: i32, value: usize| {
    let mut state = enter()?;
    default_of(limit)?;
    state.current_context().limits.insert(limit, value as u64);
    Ok(())
});

entry!(cuCtxGetCacheConfig, |config: Out<i32>| config.set(enter()?.current_context().cache_config, "config"));

entry!(cuCtxSetCacheConfig, |config: i32| {
    let mut state = enter()?;
    check_cache_config(config)?;
    state.current_context().cache_config = config;
    Ok(())
});

// Checked, and without effect.
entry!(cuFuncSetCacheConfig, |function: Handle, config: i32| {
    enter()?.function(function)?;
    check_cache_config(config)
});

entry!(cuKernelSetCacheConfig, |kernel: Handle, config: i32, device: i32| {
    lock_device(device)?.kernels.known(kernel)?;
    check_cache_config(config)
});

fn check_cache_config(config: i32) -> Answer {
    match config {
        0..=3 => Ok(()),
        _ => refuse(INVALID_VALUE, format!("{config} is no cache configuration")),
    }
}
