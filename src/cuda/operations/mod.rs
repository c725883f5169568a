//! Operations as kernel launches: a plan is chosen, and what kernels ask for beyond views that fit is checked. `product` has matrix products and linear layers, `conv` convolutions by products or, for the first layer,
//! directly, `winograd` those by Winograd's algorithm, `pointwise` pools, dropout and the loss.

mod batch;
mod conv;
mod optimizer;
mod pointwise;
pub mod product;
mod winograd;

use super::CudaDevice;
use super::launch::{Arg, Grid};
use super::plan::Product;
use super::units::TILES;
use crate::error::{Error, Result};
use crate::ops::description::OPERANDS;
use crate::ops::layer::{LayerPass, LayerShape};
use crate::ops::operation::{Kind, Operation};

/// Addresses of an operation's operands in the order of its description; 0 for those it does not have.
type Addresses = [u64; OPERANDS];

/// Shared memory a block may have on every device.
const SHARED_LIMIT: usize = 48 << 10;

/// What follows a sum before it is stored (`Epilogue` of `kernels/block.cuh`): addresses or 0.
#[derive(Clone, Copy, Default)]
struct After {
    bias: u64,
    mask: u64,
    relu: bool,
    accumulate: bool,
}

/// Launches what computes an operation.
pub fn run(d: &mut CudaDevice, operation: &Operation, at: Addresses) -> Result<()> {
    match operation.kind() {
        Kind::Gather(g) => batch::gather(d, g, at),
        Kind::Layer(LayerPass { shape: LayerShape::Conv(s), pass }) => conv::run(d, s, *pass, at),
        Kind::Layer(LayerPass { shape: LayerShape::Linear(s), pass }) => product::linear(d, s, *pass, at),
        Kind::Pool(p) => pointwise::pool(d, operation.description().name, &p.shape, at),
        Kind::Dropout(o) => pointwise::dropout(d, o, at),
        Kind::Loss(l) => pointwise::loss(d, l, at),
        Kind::Softmax(s) => pointwise::softmax(d, s, at),
        Kind::Adam(a) => optimizer::adam(d, a, at),
        Kind::Sgd(s) => optimizer::sgd(d, s, at),
    }
}

fn aligned(addresses: &[u64]) -> bool {
    addresses.iter().all(|a| a.is_multiple_of(16))
}

fn expect_aligned(operation: &str, addresses: &[u64]) -> Result<()> {
    if aligned(addresses) {
        return Ok(());
    }
    Err(Error::Device(format!("{operation}: a view does not start on 16 bytes")))
}

/// Addresses of the workspace and the counters for `parts` parts of `blocks` tiles of so many floats.
fn parts(d: &mut CudaDevice, parts: usize, blocks: usize, floats: usize) -> Result<[Arg; 2]> {
    if parts == 1 {
        return Ok([Arg::Address(0), Arg::Address(0)]);
    }
    let workspace = d.workspace(blocks * parts * floats)?;
    let counters = d.memory.address(d.counters)?;
    Ok([Arg::Address(workspace), Arg::Address(counters)])
}

/// The tile a product takes, the blocks of its launch, and the arguments [`parts`] gives.
fn tiled(d: &mut CudaDevice, product: &Product) -> Result<(usize, Grid, [Arg; 2])> {
    let plan = product.plan(d.tile);
    let (blocks, tile) = (product.blocks(plan.tile), TILES[plan.tile]);
    let sums = parts(d, plan.parts, blocks, tile.m * tile.n)?;
    let grid = Grid { blocks, parts: plan.parts, shared: 0 };
    Ok((plan.tile, grid, sums))
}
