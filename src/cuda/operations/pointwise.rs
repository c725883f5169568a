//! Pool, dropout, casts, loss and softmax: `kernels/pool.cu`, `dropout.cu`, `cast.cu`, `softmax_xent.cu`.

use super::launching::{Addresses, aligned, expect_aligned, wide};
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::units::{CAST_THREADS, DROPOUT_THREADS, LOSS_THREADS, POOL_THREADS, UnitKind};
use crate::device::Precision;
use crate::error::Result;
use crate::ops::cast::Cast;
use crate::ops::dropout::Dropout;
use crate::ops::loss::{Loss, LossKind, Softmax};
use crate::ops::operation::Operation;
use crate::ops::pool::PoolShape;

pub fn pool(d: &mut CudaDevice, operation: &Operation, s: &PoolShape, [a, b, c, ..]: Addresses) -> Result<()> {
    let wide = wide(operation.precision());
    let vector = if s.c.is_multiple_of(wide) && aligned(&[a, b, c]) { wide } else { 1 };
    let groups = s.y_len() / vector;
    let mut args = [a, b, c].map(Arg::Address).to_vec();
    args.extend([groups, s.h, s.w, s.c].map(Arg::from));
    let unit = UnitKind::Pool { vector }.at(operation.precision());
    d.launch(unit, operation.description().name, Grid::of(groups.div_ceil(POOL_THREADS)), &args)
}

pub fn dropout(d: &mut CudaDevice, precision: Precision, o: &Dropout, [x, ..]: Addresses) -> Result<()> {
    expect_aligned("dropout", &[x])?;
    let args = [
        Arg::Address(x),
        Arg::Address(d.step_address()?),
        Arg::U64(o.seed),
        Arg::U32(o.layer),
        Arg::F32(o.p),
        Arg::F32(1.0 / (1.0 - o.p)),
        o.len.into(),
    ];
    let grid = Grid::of(o.len.div_ceil(wide(precision) * DROPOUT_THREADS));
    d.launch(UnitKind::Dropout.at(precision), "dropout", grid, &args)
}

pub fn cast(d: &mut CudaDevice, precision: Precision, c: &Cast, [x, y, ..]: Addresses) -> Result<()> {
    expect_aligned("cast", &[x, y])?;
    let args = [Arg::Address(x), Arg::Address(y), c.len.into()];
    d.launch(UnitKind::Cast.at(precision), "cast", Grid::of(c.len.div_ceil(4 * CAST_THREADS)), &args)
}

pub fn loss(d: &mut CudaDevice, precision: Precision, l: &Loss, at: Addresses) -> Result<()> {
    let [logits, labels, stats, dlogits, scaling, ..] = at;
    let mut args = [logits, labels, dlogits, stats, scaling].map(Arg::Address).to_vec();
    args.extend([l.rows, l.classes].map(Arg::from));
    args.push((l.kind == LossKind::SummedClipped).into());
    d.launch(UnitKind::Loss.at(precision), "softmax_cross_entropy", Grid::of(1), &args)
}

pub fn softmax(d: &mut CudaDevice, s: &Softmax, [logits, probabilities, ..]: Addresses) -> Result<()> {
    let mut args = [logits, probabilities].map(Arg::Address).to_vec();
    args.extend([s.rows, s.classes].map(Arg::from));
    d.launch(UnitKind::Loss.at(Precision::F32), "softmax", Grid::of(s.rows.div_ceil(LOSS_THREADS / 32)), &args)
}
