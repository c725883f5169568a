//! Convolutions as implicit products (`kernels/conv.cu`), and the first layer directly (`kernels/conv_direct.cu`).

use super::launching::{Addresses, After, aligned, tiled, vector};
use super::winograd;
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::plan::{self, Divisor, Product, Way};
use crate::cuda::units::{DIRECT_ROWS, DIRECT_THREADS, UnitKind};
use crate::device::Precision;
use crate::error::Result;
use crate::ops::conv::ConvShape;
use crate::ops::layer::Pass;

pub fn run(d: &mut CudaDevice, precision: Precision, s: &ConvShape, pass: Pass, at: Addresses) -> Result<()> {
    let vector = vector(precision, &[s.c, s.k], &at);
    let way = plan::convolution(s, pass, precision, vector, d.choices.winograd);
    match (pass, at) {
        (Pass::Forward { relu }, [x, w, b, y, ..]) => match way {
            Way::Direct { shared, .. } if aligned(&[w, b, y]) => {
                let grid = Grid { blocks: s.n * s.h.div_ceil(DIRECT_ROWS), parts: 1, shared };
                let mut args = [x, w, b, y].map(Arg::Address).to_vec();
                args.push(relu.into());
                args.extend([s.h, s.w, s.c, s.k, s.kernel].map(Arg::from));
                d.launch(UnitKind::ConvDirect.at(precision), "conv_direct_forward", grid, &args)
            }
            way => {
                let way = match way {
                    Way::Direct { .. } => plan::gathered(s, false, precision, vector, d.choices.winograd),
                    way => way,
                };
                gathered(d, s, false, way, [x, w, y], After { bias: b, relu, wide: !relu, ..After::default() })
            }
        },
        (Pass::BackwardData { .. }, [dy, w, dx, mask, ..]) => {
            gathered(d, s, true, way, [dy, w, dx], After { mask, ..After::default() })
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => match way {
            Way::Direct { gradient, shared } => {
                let blocks = s.n * s.h.div_ceil(DIRECT_ROWS);
                let workspace = d.workspace(blocks * (s.w_len() + s.k))?;
                let mut args = [x, dy, workspace].map(Arg::Address).to_vec();
                args.extend([s.h, s.w, s.k].map(Arg::from));
                let grid = Grid { blocks, parts: 1, shared };
                d.launch(UnitKind::ConvDirect.at(precision), gradient, grid, &args)?;
                reduce(d, precision, workspace, (dw, s.w_len()), (db, s.k), blocks)
            }
            Way::Product(product) => backward_weight(d, s, &product, [x, dy, dw, db]),
            Way::Winograd { .. } => unreachable!("no weight gradient is computed so"),
        },
    }
}

/// Forward or backward data, by Winograd's algorithm or as an implicit product.
fn gathered(d: &mut CudaDevice, s: &ConvShape, backward: bool, way: Way, at: [u64; 3], after: After) -> Result<()> {
    match way {
        Way::Winograd { parts } => winograd::convolution(d, s, backward, parts, at, after),
        Way::Product(product) => implicit(d, s, backward, &product, at, after),
        Way::Direct { .. } => unreachable!("the first layer's forward pass alone"),
    }
}

/// Forward (`conv_forward`) or backward data (`conv_backward_data`) as an implicit product.
fn implicit(
    d: &mut CudaDevice,
    s: &ConvShape,
    backward: bool,
    product: &Product,
    [x, w, y]: [u64; 3],
    after: After,
) -> Result<()> {
    let (tile, grid, [workspace, counters]) = tiled(d, product)?;
    let mut args = vec![Arg::Address(x), Arg::Address(w)];
    if backward {
        args.extend([Arg::Address(after.mask), Arg::Address(y), workspace, counters]);
    } else {
        let [bias, y] = [after.bias, y].map(Arg::Address);
        args.extend([bias, y, workspace, counters, after.relu.into(), after.wide.into()]);
    }
    args.extend([s.n, s.h, s.w, s.c, s.k, s.kernel, plan::group(s.n, s.h, s.w)].map(Arg::from));
    d.launch(UnitKind::Conv(tile).at(product.precision), product.kernel, grid, &args)
}

fn backward_weight(d: &mut CudaDevice, s: &ConvShape, product: &Product, at: [u64; 4]) -> Result<()> {
    let (tile, grid, sum_args) = tiled(d, product)?;
    let mut args = at.map(Arg::Address).to_vec();
    args.extend(sum_args);
    args.extend([s.n, s.h, s.w, s.c, s.k, s.kernel].map(Arg::from));
    args.push(Arg::Divisor(Divisor::new(s.n)));
    args.extend((0..3).map(|away| Arg::Divisor(Divisor::new(s.w.saturating_sub(away)))));
    d.launch(UnitKind::Conv(tile).at(product.precision), product.kernel, grid, &args)
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
