//! Convolutions by Winograd's F(2x2, 3x3): `kernels/conv_winograd.cu`.

use super::launching::{After, parts};
use crate::cuda::device::CudaDevice;
use crate::cuda::launch::{Arg, Grid};
use crate::cuda::plan::{self, Divisor};
use crate::cuda::units::{UnitKind, WINOGRAD_COLUMNS, WINOGRAD_TILES};
use crate::device::Precision;
use crate::error::Result;
use crate::ops::conv::ConvShape;

/// Forward or backward data of a 3x3 convolution, the channels of the sum in `divided` parts.
pub fn convolution(
    d: &mut CudaDevice,
    s: &ConvShape,
    backward: bool,
    divided: usize,
    [x, w, y]: [u64; 3],
    after: After,
) -> Result<()> {
    let blocks = plan::winograd_blocks(s, backward);
    let floats = 4 * WINOGRAD_TILES * WINOGRAD_COLUMNS;
    let grid = Grid { blocks, parts: divided, shared: 0 };
    let mut args = vec![Arg::Address(x), Arg::Address(w)];
    let (kernel, relu) = if backward {
        args.extend([Arg::Address(after.mask), Arg::Address(y)]);
        ("conv_backward_data_winograd", None)
    } else {
        args.extend([Arg::Address(after.bias), Arg::Address(y)]);
        ("conv_forward_winograd", Some(after.relu.into()))
    };
    args.extend(parts(d, divided, blocks, floats)?);
    args.extend(relu);
    let (rows, columns) = (s.h.div_ceil(2), s.w.div_ceil(2));
    args.extend([s.n * rows * columns, s.h, s.w, s.c, s.k].map(Arg::from));
    args.extend([rows * columns, columns].map(|n| Arg::Divisor(Divisor::new(n))));
    d.launch(UnitKind::ConvWinograd.at(Precision::F32), kernel, grid, &args)
}
