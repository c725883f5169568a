//! Occupancy queries.

use super::*;

pub(super) fn active_blocks(out: *mut i32, function: Handle, threads: i32, shared: usize) -> Answer {
    let (driver, mut state, context) = enter()?;
    let function = function_of(driver, &mut state, context, function)?;
    let f = known_function(&state, function)?;
    let profile = driver.config().profile;
    if threads <= 0 || threads as u32 > f.info.max_threads(&profile) {
        return refuse(INVALID_VALUE, format!("a block of {threads} threads"));
    }
    let total = f.info.static_shared as usize + shared;
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    let found = profile.occupancy(threads as u32, f.info.registers.count, total);
    store(out, found.blocks as i32, "blocks")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    out: *mut i32,
    function: Handle,
    threads: i32,
    shared: usize,
) -> CuResult {
    call("cuOccupancyMaxActiveBlocksPerMultiprocessor", || active_blocks(out, function, threads, shared))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    out: *mut i32,
    function: Handle,
    threads: i32,
    shared: usize,
    _flags: u32,
) -> CuResult {
    call("cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags", || active_blocks(out, function, threads, shared))
}

/// Bytes of dynamic shared memory as a function of the block size.
pub(super) type BlockToShared = extern "C" fn(i32) -> usize;
pub(super) fn best_block(
    grid: *mut i32,
    block: *mut i32,
    function: Handle,
    shared_of: Option<BlockToShared>,
    shared: usize,
    limit: i32,
) -> Answer {
    let (driver, mut state, context) = enter()?;
    let function = function_of(driver, &mut state, context, function)?;
    let f = known_function(&state, function)?;
    let profile = driver.config().profile;
    let info = f.info.clone();
    drop(state);
    let mut most = info.max_threads(&profile);
    if limit > 0 {
        most = most.min(limit as u32);
    }
    // The largest block among those that fill a multiprocessor best.
    let mut best = (0, 0, 0);
    for threads in (1..=most.div_ceil(32)).map(|w| (w * 32).min(most)) {
        let dynamic = shared_of.map_or(shared, |f| f(threads as i32));
        let total = u32::try_from(dynamic + info.static_shared as usize).unwrap_or(u32::MAX);
        let blocks = profile.occupancy(threads, info.registers.count, total).blocks;
        best = best.max((blocks * threads, threads, blocks));
    }
    if best.0 == 0 {
        return refuse(INVALID_VALUE, format!("no block of kernel {} fits a multiprocessor", info.name));
    }
    store(grid, (best.2 * profile.sm_count) as i32, "grid")?;
    store(block, best.1 as i32, "block")
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxPotentialBlockSize(
    grid: *mut i32,
    block: *mut i32,
    function: Handle,
    shared_of: Option<BlockToShared>,
    shared: usize,
    limit: i32,
) -> CuResult {
    call("cuOccupancyMaxPotentialBlockSize", || best_block(grid, block, function, shared_of, shared, limit))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyMaxPotentialBlockSizeWithFlags(
    grid: *mut i32,
    block: *mut i32,
    function: Handle,
    shared_of: Option<BlockToShared>,
    shared: usize,
    limit: i32,
    _flags: u32,
) -> CuResult {
    call("cuOccupancyMaxPotentialBlockSizeWithFlags", || best_block(grid, block, function, shared_of, shared, limit))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuOccupancyAvailableDynamicSMemPerBlock(
    out: *mut usize,
    function: Handle,
    blocks: i32,
    threads: i32,
) -> CuResult {
    call("cuOccupancyAvailableDynamicSMemPerBlock", || {
        let (driver, mut state, context) = enter()?;
        let function = function_of(driver, &mut state, context, function)?;
        let f = known_function(&state, function)?;
        let profile = driver.config().profile;
        if blocks <= 0 || threads <= 0 || threads as u32 > f.info.max_threads(&profile) {
            return refuse(INVALID_VALUE, format!("{blocks} blocks of {threads} threads"));
        }
        let spare = profile.shared_for_blocks(blocks as u32, f.info.static_shared);
        store(out, spare as usize, "bytes")
    })
}
