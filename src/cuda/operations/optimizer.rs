//! The optimisers: `kernels/optimizer.cu`.

use super::{address_or_null, addresses, expect_aligned};
use crate::cuda::CudaDevice;
use crate::cuda::launch::{Arg, Grid, Ranges};
use crate::cuda::nvtx;
use crate::cuda::units::{OPTIMIZER_THREADS, SGD_RANGES, Unit};
use crate::device::DType::F32;
use crate::device::{Arenas, View};
use crate::error::{Error, Result};
use crate::ops::optimizer::{AdamParams, Epsilon, SgdParams};

/// Blocks of a launch at most: each then walks through the arena in strides.
const BLOCKS: usize = 2048;

pub fn adam(d: &mut CudaDevice, p: &AdamParams, a: &Arenas) -> Result<()> {
    let _range = nvtx::range(|| format!("adam {}", a.weights.len));
    let [w, g, m, v, ema] = arenas(d, "adam", a, Some(a.second_moment()?))?;
    let args = [
        Arg::Address(w),
        Arg::Address(g),
        Arg::Address(m),
        Arg::Address(v),
        Arg::Address(ema),
        Arg::Address(d.memory.address(d.step)?),
        Arg::F32(p.beta1),
        Arg::F32(p.beta2),
        Arg::F32(p.epsilon),
        (p.epsilon_kind == Epsilon::Hat).into(),
        a.weights.len.into(),
    ];
    let blocks = a.weights.len.div_ceil(4 * OPTIMIZER_THREADS).min(BLOCKS);
    d.launch(Unit::Optimizer, "adam", Grid::of(blocks), &args)
}

pub fn sgd(d: &mut CudaDevice, p: &SgdParams, decayed: &[(usize, usize)], a: &Arenas) -> Result<()> {
    let _range = nvtx::range(|| format!("sgd {}", a.weights.len));
    let [w, g, u, _, ema] = arenas(d, "sgd", a, None)?;
    let args = [
        Arg::Address(w),
        Arg::Address(g),
        Arg::Address(u),
        Arg::Address(ema),
        Arg::Address(d.memory.address(d.step)?),
        Arg::F32(p.momentum),
        Arg::F32(p.l2),
        Arg::Ranges(Box::new(ranges(decayed)?)),
        a.weights.len.into(),
    ];
    let blocks = a.weights.len.div_ceil(4 * OPTIMIZER_THREADS).min(BLOCKS);
    d.launch(Unit::Optimizer, "sgd", Grid::of(blocks), &args)
}

/// Addresses of weights, gradients, first and second moment, and average; 0 for those not there.
fn arenas(d: &CudaDevice, operation: &str, a: &Arenas, moment2: Option<View>) -> Result<[u64; 5]> {
    let len = a.weights.len;
    let mut writes = vec![("weights", a.weights, F32, len), ("first moment", a.moment1, F32, len)];
    writes.extend(moment2.map(|v| ("second moment", v, F32, len)));
    writes.extend(a.ema.map(|v| ("moving average", v, F32, len)));
    d.memory.check(operation, &[("gradients", a.gradients, F32, len)], &writes)?;
    if !len.is_multiple_of(4) {
        return Err(Error::Device(format!("{operation}: arenas of {len} elements, not a multiple of 4")));
    }
    let [weights, gradients, moment1] = addresses(d, [a.weights, a.gradients, a.moment1])?;
    let addresses = [weights, gradients, moment1, address_or_null(d, moment2)?, address_or_null(d, a.ema)?];
    expect_aligned(operation, &addresses)?;
    Ok(addresses)
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
