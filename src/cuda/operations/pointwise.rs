//! Pool, dropout, loss and softmax: `kernels/pool.cu`, `dropout.cu`, `softmax_xent.cu`.

use super::{address_or_null, addresses, aligned, expect_aligned};
use crate::cuda::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::nvtx;
use crate::cuda::units::{DROPOUT_THREADS, LOSS_THREADS, POOL_THREADS, Unit};
use crate::device::DType::{F32, F64, U8};
use crate::device::{Dropout, View};
use crate::error::Result;
use crate::ops::loss::LossKind;
use crate::ops::pool::PoolShape;

pub fn pool_forward(d: &mut CudaDevice, s: &PoolShape, x: View, y: View, argmax: View) -> Result<()> {
    let _range = nvtx::range(|| format!("pool_forward {s:?}"));
    let writes = [("y", y, F32, s.y_len()), ("argmax", argmax, U8, s.y_len())];
    d.memory.check("pool_forward", &[("x", x, F32, s.x_len())], &writes)?;
    pool(d, "pool_forward", s, [x, y, argmax])
}

pub fn pool_backward(d: &mut CudaDevice, s: &PoolShape, dy: View, argmax: View, dx: View) -> Result<()> {
    let _range = nvtx::range(|| format!("pool_backward {s:?}"));
    let reads = [("dy", dy, F32, s.y_len()), ("argmax", argmax, U8, s.y_len())];
    d.memory.check("pool_backward", &reads, &[("dx", dx, F32, s.x_len())])?;
    pool(d, "pool_backward", s, [dy, argmax, dx])
}

pub fn dropout(d: &mut CudaDevice, spec: &Dropout, x: View) -> Result<()> {
    let _range = nvtx::range(|| format!("dropout {} of {} elements", spec.layer, x.len));
    d.memory.check("dropout", &[], &[("x", x, F32, x.len)])?;
    let address = d.memory.address(x)?;
    expect_aligned("dropout", &[address])?;
    let args = [
        Arg::Address(address),
        Arg::Address(d.memory.address(d.step)?),
        Arg::U64(spec.seed),
        Arg::U32(spec.layer),
        Arg::F32(spec.p),
        Arg::F32(1.0 / (1.0 - spec.p)),
        x.len.into(),
    ];
    d.launch(Unit::Dropout, "dropout", Grid::of(x.len.div_ceil(4 * DROPOUT_THREADS)), &args)
}

pub fn loss(
    d: &mut CudaDevice,
    kind: LossKind,
    classes: usize,
    logits: View,
    labels: View,
    dlogits: Option<View>,
    stats: View,
) -> Result<()> {
    let _range = nvtx::range(|| format!("loss {}x{classes}", labels.len));
    let len = labels.len * classes;
    let reads = [("logits", logits, F32, len), ("labels", labels, U8, labels.len)];
    let mut writes = vec![("stats", stats, F64, 4)];
    writes.extend(dlogits.map(|v| ("dlogits", v, F32, len)));
    d.memory.check("loss", &reads, &writes)?;
    let args = [
        Arg::Address(d.memory.address(logits)?),
        Arg::Address(d.memory.address(labels)?),
        Arg::Address(address_or_null(d, dlogits)?),
        Arg::Address(d.memory.address(stats)?),
        labels.len.into(),
        classes.into(),
        (kind == LossKind::SummedClipped).into(),
    ];
    d.launch(Unit::Loss, "softmax_cross_entropy", Grid::of(1), &args)
}

pub fn softmax(d: &mut CudaDevice, classes: usize, logits: View, probabilities: View) -> Result<()> {
    let _range = nvtx::range(|| format!("softmax {}", logits.len));
    let len = logits.len;
    let write = [("probabilities", probabilities, F32, len)];
    d.memory.check("softmax", &[("logits", logits, F32, len)], &write)?;
    let rows = len / classes.max(1);
    let args = [
        Arg::Address(d.memory.address(logits)?),
        Arg::Address(d.memory.address(probabilities)?),
        rows.into(),
        classes.into(),
    ];
    d.launch(Unit::Loss, "softmax", Grid::of(rows.div_ceil(LOSS_THREADS / 32)), &args)
}

fn pool(d: &mut CudaDevice, kernel: &'static str, s: &PoolShape, views: [View; 3]) -> Result<()> {
    let addresses = addresses(d, views)?;
    let vector = if s.c.is_multiple_of(4) && aligned(&addresses) { 4 } else { 1 };
    let groups = s.y_len() / vector;
    let mut args = addresses.map(Arg::Address).to_vec();
    args.extend([groups, s.h, s.w, s.c].map(Arg::from));
    d.launch(Unit::Pool { vector }, kernel, Grid::of(groups.div_ceil(POOL_THREADS)), &args)
}
