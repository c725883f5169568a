//! What several launches need: the addresses of operands, what follows a sum, tiles and their parts.

use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::plan::{Machine, Product};
use crate::cuda::units::tiles;
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::ops::description::OPERANDS;

/// Addresses of an operation's operands in the order of its description; 0 for those it does not have.
pub type Addresses = [u64; OPERANDS];

/// What follows a sum before it is stored (`Epilogue` of `kernels/block.cuh`): addresses or 0.
#[derive(Clone, Copy, Default)]
pub struct After {
    pub bias: u64,
    pub mask: u64,
    pub relu: bool,
    pub accumulate: bool,
    /// Whether results are float32 in every precision, as logits are.
    pub wide: bool,
}

/// Numbers of a precision's storage in 16 bytes.
pub fn wide(precision: Precision) -> usize {
    16 / precision.storage().size()
}

/// Whether kernels may read 16 bytes at once everywhere: rows of these lengths, memory at these addresses.
pub fn vector(precision: Precision, rows: &[usize], addresses: &[u64]) -> bool {
    rows.iter().all(|n| n.is_multiple_of(wide(precision))) && aligned(addresses)
}

/// Whether all of these begin on 16 bytes.
pub fn aligned(addresses: &[u64]) -> bool {
    addresses.iter().all(|a| a.is_multiple_of(16))
}

/// An error if an address does not start on 16 bytes.
pub fn expect_aligned(operation: &str, addresses: &[u64]) -> Result<()> {
    if aligned(addresses) {
        return Ok(());
    }
    Err(Error::Device(format!("{operation}: a view does not start on 16 bytes")))
}

/// Addresses of the workspace and the counters for `parts` parts of `blocks` tiles of so many floats.
pub fn parts(d: &mut CudaDevice, parts: usize, blocks: usize, floats: usize) -> Result<[Arg; 2]> {
    if parts == 1 {
        return Ok([Arg::Address(0), Arg::Address(0)]);
    }
    let workspace = d.workspace(blocks * parts * floats)?;
    let counters = d.memory.address(d.counters)?;
    Ok([Arg::Address(workspace), Arg::Address(counters)])
}

/// The tile a product takes, the blocks of its launch, and the arguments [`parts`] gives.
pub fn tiled(d: &mut CudaDevice, product: &Product) -> Result<(usize, Grid, [Arg; 2])> {
    let plan = product.plan(&Machine::of(&d.properties, product.precision), d.choices.tile);
    let (blocks, tile) = (product.blocks(plan.tile), tiles(product.precision)[plan.tile]);
    let sums = parts(d, plan.parts, blocks, tile.m * tile.n)?;
    let grid = Grid { blocks, parts: plan.parts, shared: 0 };
    Ok((plan.tile, grid, sums))
}
