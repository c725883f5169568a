//! The optimisers, and the scale of the gradients: `kernels/optimizer.cu`, `scaling.cu`.

use super::launching::{Addresses, expect_aligned, parts};
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid, Ranges};
use crate::cuda::units::{OPTIMIZER_THREADS, SGD_RANGES, UnitKind};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::ops::optimizer::{Adam, Epsilon, Sgd};
use crate::ops::scaling::Scaling;

/// Blocks of a launch at most: each then walks through the arena in strides.
const BLOCKS: usize = 2048;

pub fn adam(d: &mut CudaDevice, precision: Precision, a: &Adam, at: Addresses) -> Result<()> {
    let grid = arenas("adam", a.len, &at)?;
    let [g, w, m, v, more @ ..] = at;
    let [ema, copy, scaling] = followers(precision, a.average, more);
    let mut args = [w, g, m, v, ema, copy, scaling, d.step_address()?].map(Arg::Address).to_vec();
    args.extend([a.params.beta1, a.params.beta2, a.params.epsilon].map(Arg::F32));
    args.extend([(a.params.epsilon_kind == Epsilon::Hat).into(), a.len.into()]);
    d.launch(UnitKind::Optimizer.at(precision), "adam", grid, &args)
}

pub fn sgd(d: &mut CudaDevice, precision: Precision, s: &Sgd, at: Addresses) -> Result<()> {
    let grid = arenas("sgd", s.len, &at)?;
    let [g, w, u, more @ ..] = at;
    let [ema, copy, scaling] = followers(precision, s.average, more);
    let mut args = [w, g, u, ema, copy, scaling, d.step_address()?].map(Arg::Address).to_vec();
    args.extend([s.params.momentum, s.params.l2].map(Arg::F32));
    args.extend([Arg::Ranges(Box::new(ranges(&s.decayed)?)), s.len.into()]);
    d.launch(UnitKind::Optimizer.at(precision), "sgd", grid, &args)
}

/// Looks for overflow and chooses the next scale.
pub fn scaling(d: &mut CudaDevice, precision: Precision, s: &Scaling, [gradients, state, ..]: Addresses) -> Result<()> {
    let Grid { blocks, .. } = arenas("scaling", s.len, &[gradients])?;
    let [found, counters] = parts(d, usize::max(blocks, 2), 1, 1)?;
    let grid = Grid { blocks: 1, parts: usize::max(blocks, 2), shared: 0 };
    let args = [Arg::Address(gradients), Arg::Address(state), found, counters, s.len.into()];
    d.launch(UnitKind::Scaling.at(precision), "scaling", grid, &args)
}

/// Of the operands behind the moments: the average, the copy of the weights and the state of the scale, 0 where there
/// is none.
fn followers<const N: usize>(precision: Precision, average: bool, more: [u64; N]) -> [u64; 3] {
    let mut more = more.into_iter();
    [average, precision.is_half(), precision.scales_gradients()]
        .map(|there| if there { more.next().expect("an address for each operand") } else { 0 })
}

/// The launch over arenas of so many elements, which are read and written four at a time.
fn arenas(operation: &str, len: usize, at: &[u64]) -> Result<Grid> {
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
