//! Occupancy queries.

use crate::driver::abi::*;
use crate::driver::objects::*;
use crate::kernel::KernelInfo;
use crate::profile::Profile;
use std::sync::Arc;

/// What the questions are about: a kernel on the device.
fn kernel(function: Handle) -> Answer<(Arc<KernelInfo>, Profile)> {
    let mut state = enter()?;
    let profile = state.config.profile.clone();
    Ok((state.function(function)?.info.clone(), profile))
}

/// Static and dynamic shared memory of a block.
fn total(info: &KernelInfo, dynamic: usize) -> u32 {
    u32::try_from(dynamic + info.static_shared as usize).unwrap_or(u32::MAX)
}

fn active_blocks(out: Out<i32>, function: Handle, threads: i32, shared: usize) -> Answer {
    let (info, profile) = kernel(function)?;
    let fits = threads > 0 && threads as u32 <= info.max_threads(&profile);
    valid(fits, format_args!("a block of {threads} threads"))?;
    let found = profile.occupancy(threads as u32, info.registers.count, total(&info, shared));
    out.set(found.blocks_per_sm as i32, "blocks")
}

entry!(cuOccupancyMaxActiveBlocksPerMultiprocessor, |out: Out<i32>, function: Handle, threads: i32, shared: usize| {
    active_blocks(out, function, threads, shared)
});

entry!(
    cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags,
    |out: Out<i32>, function: Handle, threads: i32, shared: usize, _flags: u32| {
        active_blocks(out, function, threads, shared)
    }
);

/// Bytes of dynamic shared memory as a function of the block size.
type BlockToShared = extern "C" fn(i32) -> usize;

fn best_block(
    grid: Out<i32>,
    block: Out<i32>,
    function: Handle,
    shared_of: Option<BlockToShared>,
    shared: usize,
    limit: i32,
) -> Answer {
    let (info, profile) = kernel(function)?;
    let mut most = info.max_threads(&profile);
    if limit > 0 {
        most = most.min(limit as u32);
    }
    // The largest block among those that fill a multiprocessor best.
    let mut best = (0, 0, 0);
    for threads in (1..=most.div_ceil(32)).map(|w| (w * 32).min(most)) {
        let dynamic = shared_of.map_or(shared, |f| f(threads as i32));
        let blocks = profile.occupancy(threads, info.registers.count, total(&info, dynamic)).blocks_per_sm;
        best = best.max((blocks * threads, threads, blocks));
    }
    valid(best.0 != 0, format_args!("no block of kernel {} fits a multiprocessor", info.name))?;
    grid.set((best.2 * profile.sm_count) as i32, "grid")?;
    block.set(best.1 as i32, "block")
}

entry!(cuOccupancyMaxPotentialBlockSize, |grid: Out<i32>,
                                          block: Out<i32>,
                                          function: Handle,
                                          shared_of: Option<BlockToShared>,
                                          shared: usize,
                                          limit: i32| {
    best_block(grid, block, function, shared_of, shared, limit)
});

entry!(cuOccupancyMaxPotentialBlockSizeWithFlags, |grid: Out<i32>,
                                                   block: Out<i32>,
                                                   function: Handle,
                                                   shared_of: Option<BlockToShared>,
                                                   shared: usize,
                                                   limit: i32,
                                                   _flags: u32| {
    best_block(grid, block, function, shared_of, shared, limit)
});

entry!(cuOccupancyAvailableDynamicSMemPerBlock, |out: Out<usize>, function: Handle, blocks: i32, threads: i32| {
    let (info, profile) = kernel(function)?;
    let fits = blocks > 0 && threads > 0 && threads as u32 <= info.max_threads(&profile);
    valid(fits, format_args!("{blocks} blocks of {threads} threads"))?;
    out.set(profile.shared_for_blocks(blocks as u32, info.static_shared) as usize, "bytes")
});
