//! 3x3 convolution by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//!
//! For one tile, with d its 6x6 input and g the kernel (Lavin and Gray, arXiv 1509.09308):
//! `Y = A^T [(G g G^T) . (B^T d B)] A`, where `.` multiplies element by element. Summed over input channels, each of the 36
//! elements is a matrix product `[tiles, C] x [C, K]`. The weight gradient is the transposed map of the same form:
//! `dg = G^T [(A dY A^T) . (B^T d B)] G`, summed over tiles.
//!
//! `lines` has the transforms of one line of a tile and their points, `tiles` those of whole tiles, `plan` where things lie.

mod lines;
mod plan;
mod tiles;

use super::epilogue::Epilogue;
use super::gemm::{Strided, gemm};
use super::parallel::{Shared, for_each};
use crate::ops::conv::ConvShape;
use plan::Plan;
use tiles::{Gradient, Input, Output, WeightGradient, Weights, run};

/// Output pixels of a tile along an axis.
const M: usize = 4;
/// Input pixels of a tile along an axis.
const T: usize = 6;
/// Channels handled at once.
const L: usize = 16;
/// Elements of a transformed tile.
const F: usize = T * T;

/// Whether a convolution is computed this way: the channels fill vectors, and the map is worth a tile.
pub fn applies(s: &ConvShape) -> bool {
    s.kernel == 3 && s.c.is_multiple_of(L) && s.k.is_multiple_of(L) && s.h >= 3 && s.w >= 3
}

/// Memory reused from call to call.
#[derive(Default)]
pub struct Buffers {
    /// Transformed input, `[F][tiles][C]`, padded.
    x: Vec<f32>,
    /// Products, `[F][tiles][K]`, or the transformed output gradient.
    y: Vec<f32>,
    /// Transformed weights or their gradient, `[F][C][K]`.
    w: Vec<f32>,
}

/// `y = conv(x, w)` with an epilogue.
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue, buffers: &mut Buffers) {
    let plan = Plan::new(s);
    plan.reserve(buffers);
    let (to_x, to_y) = (Shared(buffers.x.as_mut_ptr()), Shared(buffers.y.as_mut_ptr()));
    let to_w = Shared(buffers.w.as_mut_ptr());
    let out = Shared(y.as_mut_ptr());
    run(s.c, &Weights { plan: &plan, w, out: to_w });
    for first in (0..s.n).step_by(plan.images) {
        let tiles = plan.images.min(s.n - first) * plan.rows * plan.columns;
        let input = Input { plan: &plan, x, first, out: to_x };
        run(tiles, &input);
        for_each(F, |f| {
            let a = Strided { at: to_x.add(f * plan.x_distance), row: plan.x_stride, column: 1 };
            let b = to_w.add(f * plan.w_distance);
            let c = to_y.add(f * plan.y_distance);
            unsafe { gemm((tiles, s.k, s.c), a, b, s.k, c, plan.y_stride, false) };
        });
        let output = Output { plan: &plan, products: to_y, first, y: out, end };
        run(tiles, &output);
    }
}

/// `dw` from the layer's input and output gradient.
pub fn backward_weight(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], buffers: &mut Buffers) {
    let plan = Plan::new(s);
    plan.reserve(buffers);
    let (to_x, to_y) = (Shared(buffers.x.as_mut_ptr()), Shared(buffers.y.as_mut_ptr()));
    let sums = Shared(buffers.w.as_mut_ptr());
    for first in (0..s.n).step_by(plan.images) {
        let tiles = plan.images.min(s.n - first) * plan.rows * plan.columns;
        let input = Input { plan: &plan, x, first, out: to_x };
        let gradient = Gradient { plan: &plan, dy, first, out: to_y };
        run(tiles, &input);
        run(tiles, &gradient);
        for_each(F, |f| {
            let a = Strided { at: to_x.add(f * plan.x_distance), row: 1, column: plan.x_stride };
            let b = to_y.add(f * plan.y_distance);
            let c = sums.add(f * plan.w_distance);
            unsafe { gemm((s.c, s.k, tiles), a, b, plan.y_stride, c, s.k, first > 0) };
        });
    }
    let dw = Shared(dw.as_mut_ptr());
    run(s.c, &WeightGradient { plan: &plan, sums, dw });
}
