//! Convolutions as implicit products (`kernels/conv.cu`), and the first layer directly (`kernels/conv_direct.cu`).

use super::launching::{Addresses, After, SHARED_LIMIT, aligned, tiled, vector};
use super::winograd;
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::plan::{self, Divisor, Product};
use crate::cuda::units::{DIRECT_CHANNELS, DIRECT_ROWS, DIRECT_THREADS, UnitKind, tiles};
use crate::device::Precision;
use crate::error::Result;
use crate::ops::conv::ConvShape;
use crate::ops::layer::Pass;

pub fn run(d: &mut CudaDevice, precision: Precision, s: &ConvShape, pass: Pass, at: Addresses) -> Result<()> {
    match (pass, at) {
        (Pass::Forward { relu }, [x, w, b, y, ..]) => forward(d, precision, s, [x, w, b, y], relu),
        (Pass::BackwardData { .. }, [dy, w, dx, mask, ..]) => {
            gathered(d, precision, s, true, [dy, w, dx], After { mask, ..After::default() })
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => backward_weight(d, precision, s, [x, dy, dw, db]),
    }
}

fn forward(d: &mut CudaDevice, precision: Precision, s: &ConvShape, [x, w, b, y]: [u64; 4], relu: bool) -> Result<()> {
    if let Some((_, shared)) = direct(s)
        && vector(precision, &[s.k], &[w, b, y])
    {
        let grid = Grid { blocks: s.n * s.h.div_ceil(DIRECT_ROWS), parts: 1, shared };
        let mut args = [x, w, b, y].map(Arg::Address).to_vec();
        args.push(relu.into());
        args.extend([s.h, s.w, s.c, s.k, s.kernel].map(Arg::from));
        return d.launch(UnitKind::ConvDirect.at(precision), "conv_direct_forward", grid, &args);
    }
    gathered(d, precision, s, false, [x, w, y], After { bias: b, relu, wide: !relu, ..After::default() })
}

/// Forward or backward data, whichever way is cheaper.
fn gathered(
    d: &mut CudaDevice,
    precision: Precision,
    s: &ConvShape,
    backward: bool,
    at: [u64; 3],
    after: After,
) -> Result<()> {
    // Winograd's algorithm is float32's: tensor cores multiply faster than it saves multiplications.
    let winograd = match precision {
        Precision::F32 => plan::winograd(s, backward, d.choices.winograd),
        _ => None,
    };
    match winograd {
        Some(parts) => winograd::convolution(d, s, backward, parts, at, after),
        None => implicit(d, precision, s, backward, at, after),
    }
}

/// Forward (`conv_forward`) or backward data (`conv_backward_data`) as an implicit product over `inputs` channels
/// giving `outputs` channels.
fn implicit(
    d: &mut CudaDevice,
    precision: Precision,
    s: &ConvShape,
    backward: bool,
    [x, w, y]: [u64; 3],
    after: After,
) -> Result<()> {
    let (inputs, outputs) = if backward { (s.k, s.c) } else { (s.c, s.k) };
    let rows = s.n * s.h * s.w;
    let product = Product {
        precision,
        count: 1,
        rows,
        columns: outputs,
        inner: s.kernel * s.kernel * inputs.next_multiple_of(tiles(precision)[0].k),
        sums: false,
        vector: vector(precision, &[s.c, s.k], &[x, w, y, after.bias, after.mask]),
    };
    let (tile, grid, [workspace, counters]) = tiled(d, &product)?;
    let mut args = vec![Arg::Address(x), Arg::Address(w)];
    let sizes = [s.n, s.h, s.w, s.c, s.k, s.kernel, plan::group(s.n, s.h, s.w)].map(Arg::from);
    let kernel = if backward {
        args.extend([Arg::Address(after.mask), Arg::Address(y), workspace, counters]);
        "conv_backward_data"
    } else {
        args.extend([
            Arg::Address(after.bias),
            Arg::Address(y),
            workspace,
            counters,
            after.relu.into(),
            after.wide.into(),
        ]);
        "conv_forward"
    };
    args.extend(sizes);
    d.launch(UnitKind::Conv(tile).at(precision), kernel, grid, &args)
}

fn backward_weight(d: &mut CudaDevice, precision: Precision, s: &ConvShape, [x, dy, dw, db]: [u64; 4]) -> Result<()> {
    let part = s.w_len() + s.k;
    if let Some((kernel, shared)) = direct(s) {
        let blocks = s.n * s.h.div_ceil(DIRECT_ROWS);
        let workspace = d.workspace(blocks * part)?;
        let mut args = [x, dy, workspace].map(Arg::Address).to_vec();
        args.extend([s.h, s.w, s.k].map(Arg::from));
        d.launch(UnitKind::ConvDirect.at(precision), kernel, Grid { blocks, parts: 1, shared }, &args)?;
        return reduce(d, precision, workspace, (dw, s.w_len()), (db, s.k), blocks);
    }
    let taps = s.kernel * s.kernel;
    let product = Product {
        precision,
        count: taps,
        rows: s.c,
        columns: s.k,
        inner: s.n * s.h * s.w,
        sums: true,
        vector: vector(precision, &[s.c, s.k], &[x, dy, dw, db]),
    };
    let (tile, grid, sum_args) = tiled(d, &product)?;
    let mut args = [x, dy, dw, db].map(Arg::Address).to_vec();
    args.extend(sum_args);
    args.extend([s.n, s.h, s.w, s.c, s.k, s.kernel].map(Arg::from));
    args.push(Arg::Divisor(Divisor::new(s.n)));
    args.extend((0..3).map(|away| Arg::Divisor(Divisor::new(s.w.saturating_sub(away)))));
    d.launch(UnitKind::Conv(tile).at(precision), "conv_backward_weight", grid, &args)
}

/// The weight gradient's kernel for convolutions that the direct path takes, and its dynamic shared memory.
fn direct(s: &ConvShape) -> Option<(&'static str, usize)> {
    let kernel = match (s.kernel, s.c) {
        (3, 1) => "conv_direct_backward_weight_3x3x1",
        (5, 1) => "conv_direct_backward_weight_5x5x1",
        (3, 3) => "conv_direct_backward_weight_3x3x3",
        _ => return None,
    };
    let pad = 2 * s.pad();
    let strip = 4 * (DIRECT_ROWS + pad) * (s.w + pad) * s.c;
    let shared = strip + 4 * usize::max(DIRECT_THREADS, s.w_len() + s.k);
    (shared <= SHARED_LIMIT && DIRECT_THREADS.is_multiple_of(DIRECT_CHANNELS)).then_some((kernel, shared))
}

/// Adds partial sums that are not tiles: `parts` times `to` and then `tail` elements.
fn reduce(
    d: &mut CudaDevice,
    precision: Precision,
    from: u64,
    to: (u64, usize),
    tail: (u64, usize),
    parts: usize,
) -> Result<()> {
    let (elements, behind) = (to.1, tail.1);
    let vector = [elements, behind].iter().all(|n| n.is_multiple_of(4)) && aligned(&[from, to.0, tail.0]);
    let (kernel, wide) = if vector { ("reduce_parts", 4) } else { ("reduce_parts_scalar", 1) };
    let blocks = (elements + behind).div_ceil(wide * DIRECT_THREADS);
    let mut args = [from, to.0, tail.0].map(Arg::Address).to_vec();
    args.extend([parts, elements, behind].map(Arg::from));
    d.launch(UnitKind::ConvDirect.at(precision), kernel, Grid::of(blocks), &args)
}
