//! The optimisers: `kernels/optimizer.cu`.

use super::launching::{Addresses, expect_aligned};
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid, Ranges};
use crate::cuda::units::{OPTIMIZER_THREADS, SGD_RANGES, UnitKind};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::ops::optimizer::{Adam, Epsilon, Sgd};

/// Blocks of a launch at most: each then walks through the arena in strides.
const BLOCKS: usize = 2048;

pub fn adam(d: &mut CudaDevice, precision: Precision, a: &Adam, at: Addresses) -> Result<()> {
    let grid = arenas("adam", a.len, &at)?;
    let [g, w, m, v, ema, ..] = at;
    let mut args = [w, g, m, v, ema, d.step_address()?].map(Arg::Address).to_vec();
    args.extend([a.params.beta1, a.params.beta2, a.params.epsilon].map(Arg::F32));
    args.extend([(a.params.epsilon_kind == Epsilon::Hat).into(), a.len.into()]);
    d.launch(UnitKind::Optimizer.at(precision), "adam", grid, &args)
}

pub fn sgd(d: &mut CudaDevice, precision: Precision, s: &Sgd, at: Addresses) -> Result<()> {
    let grid = arenas("sgd", s.len, &at)?;
    let [g, w, u, ema, ..] = at;
    let mut args = [w, g, u, ema, d.step_address()?].map(Arg::Address).to_vec();
    args.extend([s.params.momentum, s.params.l2].map(Arg::F32));
    args.extend([Arg::Ranges(Box::new(ranges(&s.decayed)?)), s.len.into()]);
    d.launch(UnitKind::Optimizer.at(precision), "sgd", grid, &args)
}

/// The launch over arenas of so many elements, which are read and written four at a time.
fn arenas(operation: &str, len: usize, at: &Addresses) -> Result<Grid> {
    if !len.is_multiple_of(4) {
        return Err(Error::Device(format!("{operation}: arenas of {len} elements, not a multiple of 4")));
    }
    expect_aligned(operation, at)?;
    Ok(Grid::of(len.div_ceil(4 * OPTIMIZER_THREADS).min(BLOCKS)))
}

/// Ranges for the kernel; neighbours become one.
fn ranges(decayed: &[(usize, usize)]) -> Result<Ranges> {
    let mut sorted = decayed.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (first, len) in sorted {
        match joined.last_mut() {
            Some((_, last)) if first <= *last => *last = (*last).max(first + len),
            _ => joined.push((first, first + len)),
        }
    }
    if joined.len() > SGD_RANGES {
        return Err(Error::Device(format!(
            "sgd: L2 on {} separate ranges; one launch takes {SGD_RANGES}",
            joined.len()
        )));
    }
    let mut out = Ranges { count: joined.len() as i32, first: [0; SGD_RANGES], last: [0; SGD_RANGES] };
    for (i, (first, last)) in joined.into_iter().enumerate() {
        (out.first[i], out.last[i]) = (first as i32, last as i32);
    }
    Ok(out)
}
