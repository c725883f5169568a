//! 3x3 convolution by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//!
//! For one tile, with d its 6x6 input and g the kernel (Lavin and Gray, arXiv 1509.09308):
//! `Y = A^T [(G g G^T) . (B^T d B)] A`, where `.` multiplies element by element. Summed over input channels, each of
//! the 36 elements is a matrix product `[tiles, C] x [C, K]`. The weight gradient is the transposed map of the same
//! form: `dg = G^T [(A dY A^T) . (B^T d B)] G`, summed over tiles.
//!
//! ```text
//!   map      6x6 tiles,         36 products       tiles         map
//!            4 pixels apart     [tiles,C][C,K]
//!   x  --->  B^T d B  ------->  . G g G^T  ---->  A^T m A  ---> y
//! ```
//!
//! `lines` has the sizes of a tile, the transforms of one of its lines and their points, `tiles` those of whole tiles,
//! `plan` where things lie.

mod lines;
mod plan;
mod tiles;

use super::epilogue::Epilogue;
use super::gemm::gemm;
use super::matrix::{Matrix, MatrixMut};
use super::parallel::{for_each, room};
use crate::ops::conv::ConvShape;
use lines::{GradientLine, InputLine, M, T, WeightGradientLine, WeightLine};
use plan::{F, L, Plan};
use rayon::prelude::*;
use tiles::{Columns, FromMap, Output, run};

/// Input channels whose weights a task transforms.
const GROUP: usize = 8;

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

/// The elements of transformed tiles or weights, one a row of `distance` elements.
struct Elements<'a> {
    data: &'a mut [f32],
    distance: usize,
}

impl<'a> Elements<'a> {
    fn new(buffer: &'a mut Vec<f32>, distance: usize) -> Elements<'a> {
        Elements { data: room(buffer, F * distance), distance }
    }

    /// Element `f` of `rows` tiles or channels, each of `columns` numbers, `row` apart.
    fn element(&self, f: usize, (rows, columns, row): (usize, usize, usize)) -> Matrix<'_> {
        Matrix::spaced(&self.data[f * self.distance..][..self.distance], rows, columns, row)
    }

    /// All elements of the first `len` numbers of tiles or channels, `width` of them for each task.
    fn parts(&mut self, len: usize, width: usize) -> Vec<MatrixMut<'_>> {
        MatrixMut::spaced(self.data, F, len, self.distance).tiles(F, width)
    }
}

/// `y = conv(x, w)` with an epilogue.
pub fn forward(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue, buffers: &mut Buffers) {
    let plan = Plan::new(s);
    let mut to_x = Elements::new(&mut buffers.x, plan.x_distance);
    let to_y = Elements::new(&mut buffers.y, plan.y_distance);
    let mut to_w = Elements::new(&mut buffers.w, plan.w_distance);
    let from = Matrix::new(w, 9, s.c * s.k);
    let weights = Columns { from, line: WeightLine, columns: GROUP * s.k };
    run(to_w.parts(s.c * s.k, GROUP * s.k), &weights);
    for (chunk, y) in y.chunks_mut(plan.images * s.h * s.w * s.k).enumerate() {
        let first = chunk * plan.images;
        let tiles = plan.images.min(s.n - first) * plan.rows * plan.columns;
        run(to_x.parts(tiles * plan.x_stride, plan.columns * plan.x_stride), &input(&plan, x, first));
        for_each(to_y.data.par_chunks_mut(plan.y_distance), |f, products| {
            let a = to_x.element(f, (tiles, s.c, plan.x_stride));
            let b = to_w.element(f, (s.c, s.k, s.k));
            gemm(a, b, &mut MatrixMut::spaced(products, tiles, s.k, plan.y_stride), false);
        });
        let products = Matrix::spaced(to_y.data, F, tiles * plan.y_stride, plan.y_distance);
        let images = y.chunks_exact_mut(s.h * s.w * s.k);
        let rows = images.flat_map(|image| MatrixMut::new(image, s.h, s.w * s.k).tiles(M, s.w * s.k)).collect();
        run(rows, &Output { plan: &plan, products, first, end });
    }
}

/// `dw` from the layer's input and output gradient.
pub fn backward_weight(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], buffers: &mut Buffers) {
    let plan = Plan::new(s);
    let mut to_x = Elements::new(&mut buffers.x, plan.x_distance);
    let mut to_y = Elements::new(&mut buffers.y, plan.y_distance);
    let sums = Elements::new(&mut buffers.w, plan.w_distance);
    for first in (0..s.n).step_by(plan.images) {
        let tiles = plan.images.min(s.n - first) * plan.rows * plan.columns;
        run(to_x.parts(tiles * plan.x_stride, plan.columns * plan.x_stride), &input(&plan, x, first));
        let (map, channels, stride) = (dy, s.k, plan.y_stride);
        let gradient = FromMap { plan: &plan, map, channels, border: 0, first, stride, line: GradientLine };
        run(to_y.parts(tiles * stride, plan.columns * stride), &gradient);
        for_each(sums.data.par_chunks_mut(plan.w_distance), |f, sums| {
            let a = to_x.element(f, (tiles, s.c, plan.x_stride)).transposed();
            let b = to_y.element(f, (tiles, s.k, plan.y_stride));
            gemm(a, b, &mut MatrixMut::new(sums, s.c, s.k), first > 0);
        });
    }
    let from = Matrix::spaced(sums.data, F, s.c * s.k, plan.w_distance);
    let weights = Columns { from, line: WeightGradientLine, columns: GROUP * s.k };
    run(MatrixMut::new(dw, 9, s.c * s.k).tiles(9, GROUP * s.k), &weights);
}

/// The transform of the input, whose tiles overlap by a pixel on each side.
fn input<'a>(plan: &'a Plan, x: &'a [f32], first: usize) -> FromMap<'a, InputLine, T> {
    FromMap { plan, map: x, channels: plan.s.c, border: 1, first, stride: plan.x_stride, line: InputLine }
}
