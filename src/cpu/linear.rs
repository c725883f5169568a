//! Fully connected layers, split over output columns so that every weight is read by one thread, once.

use super::epilogue::Epilogue;
use super::gemm::{Isa, Strided, gemm};
use super::parallel::{Shared, for_each};
use crate::ops::linear::LinearShape;

/// `y = x w`, then bias and ReLU.
pub fn forward(s: &LinearShape, x: &[f32], w: &[f32], bias: &[f32], y: &mut [f32], relu: bool) {
    let panel = Isa::detect().panel();
    let out = Shared(y.as_mut_ptr());
    let end = Epilogue::Bias { bias, relu };
    for_each(s.outputs.div_ceil(panel), |task| {
        let o = task * panel;
        let columns = panel.min(s.outputs - o);
        let a = Strided { at: x.as_ptr(), row: s.inputs, column: 1 };
        unsafe {
            gemm((s.n, columns, s.inputs), a, w.as_ptr().add(o), s.outputs, out.add(o), s.outputs, false);
        }
        for n in 0..s.n {
            let at = n * s.outputs;
            let row = unsafe { std::slice::from_raw_parts_mut(out.add(at + o), columns) };
            end.apply(row, at, o);
        }
    });
}

/// `dx = dy w^T`, computed as `dx^T = w dy^T` so that the weights are read in order.
pub fn backward_data(
    s: &LinearShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    mask: Option<&[f32]>,
    scratch: &mut Vec<f32>,
) {
    let turned = s.n * s.outputs;
    scratch.resize(scratch.len().max(turned + s.n * s.inputs), 0.0);
    let (dy_t, dx_t) = scratch.split_at_mut(turned);
    for (n, row) in dy.chunks_exact(s.outputs).enumerate() {
        for (o, &v) in row.iter().enumerate() {
            dy_t[o * s.n + n] = v;
        }
    }
    let dy_t = &*dy_t;
    let (columns, out) = (Shared(dx_t.as_mut_ptr()), Shared(dx.as_mut_ptr()));
    const ROWS: usize = 48;
    for_each(s.inputs.div_ceil(ROWS), |task| {
        let i0 = task * ROWS;
        let rows = ROWS.min(s.inputs - i0);
        let a = Strided { at: w[i0 * s.outputs..].as_ptr(), row: s.outputs, column: 1 };
        let tile = columns.add(i0 * s.n);
        unsafe { gemm((rows, s.n, s.outputs), a, dy_t.as_ptr(), s.n, tile, s.n, false) };
        for n in 0..s.n {
            for i in 0..rows {
                let at = n * s.inputs + i0 + i;
                let pass = mask.is_none_or(|m| m[at] > 0.0);
                let value = unsafe { *tile.add(i * s.n + n) };
                unsafe { *out.add(at) = if pass { value } else { 0.0 } };
            }
        }
    });
}

/// `dw = x^T dy` and the bias gradient.
pub fn backward_weight(s: &LinearShape, x: &[f32], dy: &[f32], dw: &mut [f32], db: &mut [f32], scratch: &mut Vec<f32>) {
    column_sums(dy, s.outputs, db, scratch);
    let out = Shared(dw.as_mut_ptr());
    const ROWS: usize = 96;
    for_each(s.inputs.div_ceil(ROWS), |task| {
        let i0 = task * ROWS;
        let rows = ROWS.min(s.inputs - i0);
        let a = Strided { at: x[i0..].as_ptr(), row: 1, column: s.inputs };
        unsafe { gemm((rows, s.outputs, s.n), a, dy.as_ptr(), s.outputs, out.add(i0 * s.outputs), s.outputs, false) };
    });
}

/// Pieces a column sum is cut into; a constant, so that the order of the sum does not depend on the machine.
const PARTS: usize = 32;

/// Sums of the columns of `m`, in a fixed order.
pub fn column_sums(m: &[f32], columns: usize, sums: &mut [f32], partial: &mut Vec<f32>) {
    partial.resize(partial.len().max(PARTS * columns), 0.0);
    let rows = m.len() / columns;
    let parts = Shared(partial.as_mut_ptr());
    for_each(PARTS, |part| {
        let sum = unsafe { std::slice::from_raw_parts_mut(parts.add(part * columns), columns) };
        sum.fill(0.0);
        for row in rows * part / PARTS..rows * (part + 1) / PARTS {
            for (s, v) in sum.iter_mut().zip(&m[row * columns..]) {
                *s += v;
            }
        }
    });
    add_parts(&partial[..PARTS * columns], sums);
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
