//! How many blocks fit.

use super::launch::{Config, needed};
use crate::abi::*;
use crate::context::current;
use crate::program::function;

entry!(cudaOccupancyMaxActiveBlocksPerMultiprocessor, |out: Out<i32>, stub: usize, threads: i32, shared: usize| {
    let function = function(stub)?;
    current()?.cuOccupancyMaxActiveBlocksPerMultiprocessor(out, function, threads, shared)
});

entry!(
    cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags,
    |out: Out<i32>, stub: usize, threads: i32, shared: usize, flags: u32| {
        let function = function(stub)?;
        current()?.cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(out, function, threads, shared, flags)
    }
);

entry!(cudaOccupancyAvailableDynamicSMemPerBlock, |out: Out<usize>, stub: usize, blocks: i32, threads: i32| {
    let function = function(stub)?;
    current()?.cuOccupancyAvailableDynamicSMemPerBlock(out, function, blocks, threads)
});

entry!(cudaOccupancyMaxPotentialClusterSize, |out: Out<i32>, stub: usize, config: Option<&Config>| {
    let (function, config) = (function(stub)?, needed(config)?);
    current()?.cuOccupancyMaxPotentialClusterSize(out, function, &config.for_driver(config.stream)?)
});

entry!(cudaOccupancyMaxActiveClusters, |out: Out<i32>, stub: usize, config: Option<&Config>| {
    let (function, config) = (function(stub)?, needed(config)?);
    current()?.cuOccupancyMaxActiveClusters(out, function, &config.for_driver(config.stream)?)
});
