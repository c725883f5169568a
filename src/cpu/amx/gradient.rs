//! The gradient of the weights: tap by tap, a sum over runs of products `pixels [C, 32] x gradients [32, K]`. The order
//! of every sum follows from the sizes.

use super::finish::{PastCaches, column_sums};
use super::numbers::parts;
use super::pack::{self, each_part, pairs_of_parts};
use super::patches::patched;
use super::runs::Runs;
use super::tiles::{Block, Factors, Pair, SIDE, STEP, Tiles};
use crate::cpu::buffer::Room;
use crate::cpu::element::Element;
use crate::cpu::matrix::MatrixMut;
use crate::cpu::parallel::for_each;
use crate::ops::conv::ConvShape;
use rayon::prelude::*;

/// Memory reused from call to call.
#[derive(Default)]
pub struct Scratch {
    pub patches: Room,
    x: Room,
    dy: Room,
    /// Sums of pieces of a gradient.
    sums: Room,
}

/// Runs that a task goes through for all taps before the next, so that their pixels and gradients are in its caches.
const RUNS: usize = 8;
/// Tasks that a gradient is cut into at least: by its rows, then its columns, then the pixels of the sum.
const TASKS: usize = 32;

/// `dw` and `db` from the layer's input and output gradient.
pub fn backward_weight<T: Element>(
    tiles: Tiles,
    s: &ConvShape,
    (x, dy): (&[T], &[T]),
    (dw, db): (&mut [f32], &mut [f32]),
    scratch: &mut Scratch,
) {
    column_sums(tiles, dy, db, &mut scratch.sums);
    let (s, x) = patched(s, x, &mut scratch.patches);
    let (c, k, taps, runs) = (s.c, s.k, s.kernel * s.kernel, Runs::new(&s));
    let (rows, panels, lines) = (c.div_ceil(SIDE), k.div_ceil(SIDE), runs.lines());
    let (line_len, panel_len) = (runs.width() * SIDE, lines * runs.across() * STEP);
    let (a_len, b_len) = (rows * lines * line_len, panels * panel_len);
    let (a, b): (&mut [_], &mut [_]) = (scratch.x.of(parts::<T>() * a_len), scratch.dy.of(parts::<T>() * b_len));
    each_part::<T>(tiles, a_len, a, |part, to| pack::turned_lines(part, &runs, x, to));
    each_part::<T>(tiles, b_len, b, |part, to| pack::panels(part, &runs, (dy, k), to));
    let (a, b) = (&*a, &*b);

    let columns = TASKS.div_ceil(rows).min(panels);
    let group = panels.div_ceil(columns);
    let columns = panels.div_ceil(group);
    let pieces = TASKS.div_ceil(rows * columns).min(lines);
    let (row, step) = pack::turned_layout(&runs);
    let body = |task: usize, mut dw: Vec<MatrixMut>| {
        let (piece, at) = (task / (rows * columns), task % (rows * columns));
        let (row_number, first_panel) = (at / columns, at % columns * group);
        let (on, mut blocks, mut pairs) = (tiles.configure(), vec![Block::ZERO; taps], Vec::new());
        let mut written = PastCaches::new(tiles);
        let mine: Vec<usize> = (lines * piece / pieces..lines * (piece + 1) / pieces).collect();
        for panel in 0..group.min(panels - first_panel) {
            for (number, some) in mine.chunks(RUNS.div_ceil(runs.across())).enumerate() {
                for (tap, block) in blocks.iter_mut().enumerate() {
                    let (alive, first) = runs.column(tap % s.kernel);
                    pairs.clear();
                    for &line in some {
                        let Some(seen) = runs.line(line, tap / s.kernel) else {
                            continue;
                        };
                        let a = (row_number * lines + seen) * line_len + first / SIDE * step + first % SIDE;
                        let b = (first_panel + panel) * panel_len + (line * runs.across() + alive.start) * STEP;
                        pairs.extend(pairs_of_parts::<T>(Pair { a, b }, (a_len, b_len)));
                    }
                    on.multiply(&Factors { a, row, step, b, steps: alive.len() }, &pairs, block, number > 0);
                }
            }
            for (dw, block) in dw.iter_mut().zip(&blocks) {
                let (rows, from) = (dw.rows(), panel * SIDE);
                let mut dw = dw.block(0..rows, from..dw.columns().min(from + SIDE));
                for (i, row) in block.0[..rows].iter().enumerate() {
                    let to = dw.row(i);
                    if pieces == 1 {
                        written.write(row, to);
                    } else {
                        to.copy_from_slice(&row[..to.len()]);
                    }
                }
            }
        }
    };
    if pieces == 1 {
        for_each(tasks(dw, &s, group), body);
    } else {
        let len = dw.len();
        let partial: &mut [f32] = scratch.sums.of(pieces * len);
        let tasks: Vec<_> = partial.chunks_exact_mut(len).flat_map(|dw| tasks(dw, &s, group)).collect();
        for_each(tasks, body);
        add_pieces(partial, dw);
    }
}

/// A gradient cut into rows of 32 input channels and columns of `group` panels: a matrix for each tap.
fn tasks<'a>(dw: &'a mut [f32], s: &ConvShape, group: usize) -> Vec<Vec<MatrixMut<'a>>> {
    let mut tasks = Vec::new();
    for tap in dw.chunks_exact_mut(s.c * s.k) {
        let parts = MatrixMut::new(tap, s.c, s.k).tiles(SIDE, group * SIDE);
        tasks.resize_with(parts.len(), Vec::new);
        for (task, part) in tasks.iter_mut().zip(parts) {
            task.push(part);
        }
    }
    tasks
}

/// `sum[i] = pieces[0][i] + pieces[1][i] + ...`
fn add_pieces(pieces: &[f32], sum: &mut [f32]) {
    /// Numbers of a task.
    const CHUNK: usize = 1 << 12;
    let len = sum.len();
    sum.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sum)| {
        sum.copy_from_slice(&pieces[chunk * CHUNK..][..sum.len()]);
        for piece in pieces.chunks_exact(len).skip(1) {
            for (s, v) in sum.iter_mut().zip(&piece[chunk * CHUNK..]) {
                *s += v;
            }
        }
    });
}
