//! The operations of the device contract as kernel launches: what each needs is checked, a plan is chosen, a kernel
//! launched. `product` has matrix products and linear layers, `conv` convolutions by products or, for the first layer,
//! directly, `winograd` those by Winograd's algorithm, `pointwise` pools, dropout and the loss.

mod batch;
mod conv;
mod optimizer;
mod pointwise;
pub mod product;
mod winograd;

use super::CudaDevice;
use super::launch::{Arg, Grid};
use super::nvtx;
use super::plan::Product;
use super::units::TILES;
use crate::device::{Arenas, DType, Device, Dropout, StepState, View};
use crate::error::{Error, Result};
use crate::ops::batch::Gather;
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::loss::LossKind;
use crate::ops::optimizer::{AdamParams, SgdParams};
use crate::ops::pool::PoolShape;

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

/// Device addresses of views.
fn addresses<const N: usize>(d: &CudaDevice, views: [View; N]) -> Result<[u64; N]> {
    let mut out = [0; N];
    for (address, view) in out.iter_mut().zip(views) {
        *address = d.memory.address(view)?;
    }
    Ok(out)
}

/// Device address of a view, or 0.
fn address_or_null(d: &CudaDevice, view: Option<View>) -> Result<u64> {
    view.map_or(Ok(0), |v| d.memory.address(v))
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

impl Device for CudaDevice {
    fn describe(&self) -> String {
        self.describe_text()
    }

    fn alloc(&mut self, dtype: DType, len: usize) -> Result<View> {
        self.memory.alloc(dtype, len)
    }

    fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        self.upload_bytes(dst, src)
    }

    fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        self.download_bytes(src, dst)
    }

    fn zero(&mut self, dst: View) -> Result<()> {
        self.zero_bytes(dst)
    }

    fn copy(&mut self, src: View, dst: View) -> Result<()> {
        self.copy_bytes(src, dst)
    }

    fn synchronize(&mut self) -> Result<()> {
        self.wait()
    }

    fn set_step(&mut self, state: StepState) -> Result<()> {
        self.write_step(state)
    }

    fn record(&mut self, name: &str, body: &mut dyn FnMut(&mut dyn Device) -> Result<()>) -> Result<()> {
        self.record_or_replay(name, body)
    }

    fn open_range(&mut self, name: &str) {
        self.ranges.push(nvtx::range(|| name.to_string()));
    }

    fn close_range(&mut self) {
        self.ranges.pop();
    }

    fn gather(
        &mut self,
        gather: &Gather,
        pixels: View,
        labels: View,
        indices: View,
        x: View,
        labels_out: View,
    ) -> Result<()> {
        batch::gather(self, gather, pixels, labels, indices, x, labels_out)
    }

    fn conv_forward(&mut self, s: &ConvShape, x: View, w: View, b: View, y: View, relu: bool) -> Result<()> {
        conv::forward(self, s, x, w, b, y, relu)
    }

    fn conv_backward_data(&mut self, s: &ConvShape, dy: View, w: View, dx: View, mask: Option<View>) -> Result<()> {
        conv::backward_data(self, s, dy, w, dx, mask)
    }

    fn conv_backward_weight(&mut self, s: &ConvShape, x: View, dy: View, dw: View, db: View) -> Result<()> {
        conv::backward_weight(self, s, x, dy, dw, db)
    }

    fn pool_forward(&mut self, s: &PoolShape, x: View, y: View, argmax: View) -> Result<()> {
        pointwise::pool_forward(self, s, x, y, argmax)
    }

    fn pool_backward(&mut self, s: &PoolShape, dy: View, argmax: View, dx: View) -> Result<()> {
        pointwise::pool_backward(self, s, dy, argmax, dx)
    }

    fn linear_forward(&mut self, s: &LinearShape, x: View, w: View, b: View, y: View, relu: bool) -> Result<()> {
        product::linear_forward(self, s, x, w, b, y, relu)
    }

    fn linear_backward_data(&mut self, s: &LinearShape, dy: View, w: View, dx: View, mask: Option<View>) -> Result<()> {
        product::linear_backward_data(self, s, dy, w, dx, mask)
    }

    fn linear_backward_weight(&mut self, s: &LinearShape, x: View, dy: View, dw: View, db: View) -> Result<()> {
        product::linear_backward_weight(self, s, x, dy, dw, db)
    }

    fn dropout(&mut self, d: &Dropout, x: View) -> Result<()> {
        pointwise::dropout(self, d, x)
    }

    fn loss(
        &mut self,
        kind: LossKind,
        classes: usize,
        logits: View,
        labels: View,
        dlogits: Option<View>,
        stats: View,
    ) -> Result<()> {
        pointwise::loss(self, kind, classes, logits, labels, dlogits, stats)
    }

    fn softmax(&mut self, classes: usize, logits: View, probabilities: View) -> Result<()> {
        pointwise::softmax(self, classes, logits, probabilities)
    }

    fn adam(&mut self, p: &AdamParams, arenas: &Arenas) -> Result<()> {
        optimizer::adam(self, p, arenas)
    }

    fn sgd(&mut self, p: &SgdParams, decayed: &[(usize, usize)], arenas: &Arenas) -> Result<()> {
        optimizer::sgd(self, p, decayed, arenas)
    }
}
