//! Fully connected layers: `y = x w` and its gradients, for few rows and many weights, so that reading or writing the
//! weights once is what they take. Each task has weights of its own.
//!
//! Rows of weights lie 16 KiB apart, where all of them compete for a few sets of the caches; so blocks of matrices are
//! copied before they are multiplied.

use super::buffer::{Room, with_scratch};
use super::epilogue::Epilogue;
use super::gemm::{COLUMNS, Errands, KC, Packing, Panels, Put, pack, pack_turned, packed_len, pieces, product};
use super::isa::Isa;
use super::matrix::{Matrix, MatrixMut};
use super::parallel::for_each;
use super::sums::{add_parts, column_sums};
use super::turn::turn;
use crate::ops::linear::LinearShape;
use rayon::prelude::*;

/// `y = x w`, then bias and ReLU.
pub fn forward(
    isa: Isa,
    s: &LinearShape,
    x: &[f32],
    (w, bias): (&[f32], &[f32]),
    y: &mut [f32],
    relu: bool,
    room: &mut Room,
) {
    let (x, w) = (Matrix::new(x, s.n, s.inputs), Matrix::new(w, s.inputs, s.outputs));
    let end = Epilogue::Bias { bias, relu };
    // Block after block of inputs, each with its rows one behind the other.
    let blocks = room.of(s.n * s.inputs);
    for_each(blocks.par_chunks_mut(s.n * KC), |i, block| copy(x.block(0..s.n, kc(s.inputs, i)), block));
    let blocks = &*blocks;
    for_each(MatrixMut::new(y, s.n, s.outputs).tiles(s.n, COLUMNS), |task, mut y| {
        let outputs = task * COLUMNS..task * COLUMNS + y.columns();
        with_scratch(2 * packed_len(isa, KC, COLUMNS), |scratch| {
            let block = |i| w.block(kc(s.inputs, i), outputs.clone());
            let (mut here, mut there) = scratch.split_at_mut(packed_len(isa, KC, COLUMNS));
            let len = |i| packed_len(isa, kc(s.inputs, i).len(), outputs.len());
            pack(isa, block(0), &mut here[..len(0)]);
            for (i, steps) in pieces(s.inputs, KC).enumerate() {
                let a = Matrix::new(&blocks[i * s.n * KC..], s.n, steps.len());
                let b = Panels { data: here, rows: steps.len() };
                let next = Packing::new(isa, block(i + 1), &mut there[..len(i + 1)]);
                let errands = Errands { pack: Some(next), ..Errands::default() };
                product(isa, a, b, &mut y, Put::adding(i > 0), errands);
                std::mem::swap(&mut here, &mut there);
            }
        });
        for n in 0..s.n {
            end.apply(y.row(n), n * s.outputs, outputs.start);
        }
    });
}

/// Block number i of [`KC`] of a length, empty behind its end.
fn kc(len: usize, i: usize) -> std::ops::Range<usize> {
    len.min(i * KC)..len.min((i + 1) * KC)
}

/// Copies a matrix of contiguous rows, one row behind the other.
fn copy(from: Matrix, to: &mut [f32]) {
    for (i, to) in to.chunks_exact_mut(from.columns()).enumerate() {
        to.copy_from_slice(from.row(i));
    }
}

/// `dx = dy w^T`, computed as `dx^T = w dy^T` so that the weights are read in order.
pub fn backward_data(
    isa: Isa,
    s: &LinearShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    mask: Option<&[f32]>,
    room: &mut Room,
) {
    /// Inputs of a task.
    const ROWS: usize = 48;
    let (dy, w) = (Matrix::new(dy, s.n, s.outputs), Matrix::new(w, s.inputs, s.outputs));
    let mask = mask.map(|mask| Matrix::new(mask, s.n, s.inputs));
    let panels = room.of(packed_len(isa, s.outputs, s.n));
    for_each(panels.par_chunks_mut(isa.panel() * s.outputs), |i, panel| {
        pack_turned(isa, dy.block(i * isa.panel()..s.n.min((i + 1) * isa.panel()), 0..s.outputs), panel);
    });
    let panels = Panels { data: panels, rows: s.outputs };
    for_each(MatrixMut::new(dx, s.n, s.inputs).tiles(s.n, ROWS), |task, mut dx| {
        let rows = task * ROWS..task * ROWS + dx.columns();
        with_scratch(rows.len() * (KC + s.n), |scratch| {
            let (block, turned) = scratch.split_at_mut(rows.len() * KC);
            let mut sums = MatrixMut::new(turned, rows.len(), s.n);
            for steps in pieces(s.outputs, KC) {
                let block = &mut block[..rows.len() * steps.len()];
                copy(w.block(rows.clone(), steps.clone()), block);
                let (b, k) = (panels.from(isa, steps.start), steps.len());
                let next = w.block(rows.clone(), kc(s.outputs, steps.start / KC + 1));
                let a = Matrix::new(block, rows.len(), k);
                product(
                    isa,
                    a,
                    b,
                    &mut sums,
                    Put::adding(steps.start > 0),
                    Errands { near: [Some(next), None], pack: None },
                );
            }
            let mask = mask.map(|m| m.block(0..s.n, rows.clone()));
            turn(isa, Matrix::new(turned, rows.len(), s.n), &mut dx, mask);
        });
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
    room: &mut Room,
) {
    /// Inputs of a task.
    const ROWS: usize = 96;
    column_sums(dy, db, room, add_parts);
    let (x, dy) = (Matrix::new(x, s.n, s.inputs), Matrix::new(dy, s.n, s.outputs));
    let panels = room.of(packed_len(isa, s.n, s.outputs));
    for_each(panels.par_chunks_mut(s.n * COLUMNS), |i, to| {
        pack(isa, dy.block(0..s.n, i * COLUMNS..s.outputs.min((i + 1) * COLUMNS)), to);
    });
    let panels = &*panels;
    for_each(MatrixMut::new(dw, s.inputs, s.outputs).tiles(ROWS, s.outputs), |task, mut dw| {
        let rows = task * ROWS..task * ROWS + dw.rows();
        with_scratch(rows.len() * s.n, |block| {
            copy(x.block(0..s.n, rows.clone()), block);
            let x_t = Matrix::new(block, s.n, rows.len()).transposed();
            for columns in pieces(s.outputs, COLUMNS) {
                let b = Panels { data: &panels[columns.start * s.n..], rows: s.n };
                let behind = &b.data[b.data.len().min(s.n * COLUMNS)..];
                let next = Matrix::new(behind, 1, behind.len().min(s.n * COLUMNS));
                let mut dw = dw.block(0..rows.len(), columns);
                product(isa, x_t, b, &mut dw, Put::Past, Errands { near: [Some(next), None], pack: None });
            }
        });
        isa.settle();
    });
}
