//! Fully connected layers, split over output columns so that every weight is read by one thread, once.

use super::epilogue::Epilogue;
use super::gemm::{PANEL, gemm};
use super::isa::Isa;
use super::matrix::{Matrix, MatrixMut};
use super::parallel::{for_each, room};
use crate::ops::linear::LinearShape;
use rayon::prelude::*;

/// `y = x w`, then bias and ReLU.
pub fn forward(isa: Isa, s: &LinearShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32], relu: bool) {
    let (x, w) = (Matrix::new(x, s.n, s.inputs), Matrix::new(w, s.inputs, s.outputs));
    let end = Epilogue::Bias { bias, relu };
    for_each(MatrixMut::new(y, s.n, s.outputs).tiles(s.n, PANEL), |task, mut y| {
        let o = task * PANEL;
        gemm(isa, x, w.block(0..s.inputs, o..o + y.columns()), &mut y, false);
        for n in 0..s.n {
            end.apply(y.row(n), n * s.outputs, o);
        }
    });
}

/// `dx = dy w^T`, computed as `dx^T = w dy^T` so that the weights are read in order.
pub fn backward_data(
    isa: Isa,
    s: &LinearShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    mask: Option<&[f32]>,
    scratch: &mut Vec<f32>,
) {
    /// Inputs of a task.
    const ROWS: usize = 48;
    let (dy_t, dx_t) = room(scratch, s.n * (s.outputs + s.inputs)).split_at_mut(s.n * s.outputs);
    for (n, row) in dy.chunks_exact(s.outputs).enumerate() {
        for (o, &v) in row.iter().enumerate() {
            dy_t[o * s.n + n] = v;
        }
    }
    let (w, dy_t) = (Matrix::new(w, s.inputs, s.outputs), Matrix::new(dy_t, s.outputs, s.n));
    let tiles = MatrixMut::new(dx, s.n, s.inputs).tiles(s.n, ROWS);
    for_each(dx_t.par_chunks_mut(ROWS * s.n).zip(tiles), |task, (turned, mut dx)| {
        let (i0, rows) = (task * ROWS, dx.columns());
        let w = w.block(i0..i0 + rows, 0..s.outputs);
        gemm(isa, w, dy_t, &mut MatrixMut::new(turned, rows, s.n), false);
        for n in 0..s.n {
            for (i, dx) in dx.row(n).iter_mut().enumerate() {
                let pass = mask.is_none_or(|m| m[n * s.inputs + i0 + i] > 0.0);
                *dx = if pass { turned[i * s.n + n] } else { 0.0 };
            }
        }
    });
}

/// `dw = x^T dy` and the bias gradient.
pub fn backward_weight(
    isa: Isa,
    s: &LinearShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    db: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    /// Inputs of a task.
    const ROWS: usize = 96;
    column_sums(dy, s.outputs, db, scratch);
    let (x_t, dy) = (Matrix::new(x, s.n, s.inputs).transposed(), Matrix::new(dy, s.n, s.outputs));
    for_each(MatrixMut::new(dw, s.inputs, s.outputs).tiles(ROWS, s.outputs), |task, mut dw| {
        let i0 = task * ROWS;
        gemm(isa, x_t.block(i0..i0 + dw.rows(), 0..s.n), dy, &mut dw, false);
    });
}

/// Pieces a column sum is cut into; a constant, so that the order of the sum does not depend on the machine.
const PARTS: usize = 32;

/// Sums of the columns of `m`, in a fixed order.
pub fn column_sums(m: &[f32], columns: usize, sums: &mut [f32], partial: &mut Vec<f32>) {
    let rows = m.len() / columns;
    let partial = room(partial, PARTS * columns);
    for_each(partial.par_chunks_mut(columns), |part, sum| {
        sum.fill(0.0);
        for row in rows * part / PARTS..rows * (part + 1) / PARTS {
            for (s, v) in sum.iter_mut().zip(&m[row * columns..]) {
                *s += v;
            }
        }
    });
    add_parts(partial, sums);
}

/// `sum[i] = parts[0][i] + parts[1][i] + ...`
pub fn add_parts(parts: &[f32], sum: &mut [f32]) {
    sum.fill(0.0);
    for part in parts.chunks_exact(sum.len()) {
        for (s, v) in sum.iter_mut().zip(part) {
            *s += v;
        }
    }
}
