//! The three passes of a layer with weights; a fully connected one is a convolution of maps of one pixel.
//!
//! Forward, and backward to the input, are sums over taps of products `pixels [P, C] x weights [C, K]`, the input packed
//! line by line, so that a tap is a shift of where A begins. The gradient of the weights is, tap by tap, a sum over runs
//! of products `pixels [C, 32] x gradients [32, K]`. The order of every sum follows from the sizes.

use super::finish::{column_sums, finish};
use super::numbers::parts;
use super::pack::{self, Part, Rows};
use super::patches;
use super::runs::Runs;
use super::tiles::{Block, Factors, Pair, SIDE, STEP, Tiles};
use crate::cpu::buffer::Room;
use crate::cpu::element::Element;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::matrix::MatrixMut;
use crate::cpu::parallel::for_each;
use crate::ops::conv::ConvShape;
use half::bf16;
use rayon::prelude::*;

/// Memory reused from call to call.
#[derive(Default)]
pub struct Scratch {
    /// Packed operands.
    a: Room,
    b: Room,
    patches: Room,
    /// Sums of parts of a gradient.
    sums: Room,
}

/// Numbers of weights that a task goes through again and again: they stay in the second-level cache.
const GROUP: usize = 1 << 18;

/// `y = conv(x, w)` with an epilogue.
pub fn forward<T: Element, Y: Element>(
    tiles: Tiles,
    s: &ConvShape,
    (x, w): (&[T], &[T]),
    y: &mut [Y],
    end: Epilogue<T>,
    scratch: &mut Scratch,
) {
    let Scratch { a, b, patches, .. } = scratch;
    let (s, x) = patched(s, x, patches);
    let (c, k, per_tap) = (s.c, s.k, s.c.div_ceil(SIDE));
    let rows = |step: usize, panel: usize| {
        let (tap, from, to) = (step / per_tap, step % per_tap * SIDE, panel * SIDE);
        let (rows, columns) = (SIDE.min(c - from), SIDE.min(k - to));
        Rows { data: w, first: (tap * c + from) * k + to, distance: k, rows, columns }
    };
    let sizes = (k.div_ceil(SIDE), s.kernel * s.kernel * per_tap);
    let weights = each_part::<T>(tiles, sizes.0 * sizes.1 * STEP, b, |part, to| pack::panels(part, sizes, rows, to));
    sums(tiles, &s, x, weights, y, end, a);
}

/// `dx` from `dy`: a forward pass from K to C channels with the flipped kernel, rows and columns exchanged.
pub fn backward_data<T: Element>(
    tiles: Tiles,
    s: &ConvShape,
    (dy, w): (&[T], &[T]),
    dx: &mut [T],
    end: Epilogue<T>,
    scratch: &mut Scratch,
) {
    let (c, k, per_tap, taps) = (s.c, s.k, s.k.div_ceil(SIDE), s.kernel * s.kernel);
    let columns = |step: usize, panel: usize| {
        let (tap, from, to) = (taps - 1 - step / per_tap, step % per_tap * SIDE, panel * SIDE);
        let (rows, columns) = (SIDE.min(c - to), SIDE.min(k - from));
        Rows { data: w, first: (tap * c + to) * k + from, distance: k, rows, columns }
    };
    let (sizes, turned) = ((c.div_ceil(SIDE), taps * per_tap), ConvShape { c: k, k: c, ..*s });
    let len = sizes.0 * sizes.1 * STEP;
    let weights = each_part::<T>(tiles, len, &mut scratch.b, |part, to| pack::turned_panels(part, sizes, columns, to));
    sums(tiles, &turned, dy, weights, dx, end, &mut scratch.a);
}

/// A convolution's input, or its patches with the convolution that it then is.
fn patched<'a, T: Element>(s: &ConvShape, x: &'a [T], room: &'a mut Room) -> (ConvShape, &'a [T]) {
    match patches::shape(s) {
        None => (*s, x),
        Some(of) => {
            let gathered = room.of(of.x_len());
            patches::gather(s, x, gathered);
            (of, gathered)
        }
    }
}

/// Packs each part of numbers of type `T`, `len` of each.
fn each_part<T: Element>(tiles: Tiles, len: usize, room: &mut Room, pack: impl Fn(Part, &mut [bf16])) -> &[bf16] {
    let packed = room.of(len * parts::<T>());
    for (number, to) in packed.chunks_exact_mut(len).enumerate() {
        pack(Part::new(tiles, number), to);
    }
    packed
}

/// The pairs of all parts, `len` numbers of each, of a pair of factors that begin at places of their first part.
fn pairs_of_parts<T: Element>(at: Pair, a_len: usize, b_len: usize) -> impl Iterator<Item = Pair> {
    let pair = move |i: usize| Pair { a: at.a + i / parts::<T>() * a_len, b: at.b + i % parts::<T>() * b_len };
    (0..parts::<T>() * parts::<T>()).map(pair)
}

/// `y = sum over taps of x w`, with packed weights.
fn sums<T: Element, Y: Element>(
    tiles: Tiles,
    s: &ConvShape,
    x: &[T],
    weights: &[bf16],
    y: &mut [Y],
    end: Epilogue<T>,
    room: &mut Room,
) {
    let (runs, per_tap, panels) = (Runs::new(s), s.c.div_ceil(SIDE), s.k.div_ceil(SIDE));
    let (stride, panel_len) = (per_tap * SIDE, s.kernel * s.kernel * per_tap * STEP);
    let x_len = runs.lines() * runs.width() * stride;
    let packed = each_part::<T>(tiles, x_len, room, |part, to| pack::lines(part, &runs, x, stride, to));
    // The panels of a task, whose outputs are a line's runs.
    let group = (GROUP / panel_len / parts::<T>()).clamp(1, panels);
    let mut outputs: Vec<Vec<MatrixMut<Y>>> = (0..panels.div_ceil(group)).map(|_| Vec::new()).collect();
    for run in runs.outputs(y) {
        for (outputs, part) in outputs.iter_mut().zip(run.tiles(SIDE, group * SIDE)) {
            outputs.push(part);
        }
    }
    let mut outputs: Vec<MatrixMut<Y>> = outputs.into_iter().flatten().collect();
    for_each(outputs.par_chunks_mut(runs.across()), |task, outputs| {
        let (first, line) = (task / runs.lines() * group, task % runs.lines());
        let (on, mut block, mut pairs) = (tiles.configure(), Block::ZERO, Vec::new());
        for (j, y) in outputs.iter_mut().enumerate() {
            pairs.clear();
            for (tap, at) in runs.taps(line, j) {
                let at = Pair { a: at * stride, b: tap * per_tap * STEP };
                pairs.extend(pairs_of_parts::<T>(at, x_len, panels * panel_len));
            }
            let columns = y.columns();
            for from in (0..columns).step_by(SIDE) {
                let panel = first + from / SIDE;
                let b = &weights[panel * panel_len..];
                on.multiply(
                    &Factors { a: packed, row: stride, step: SIDE, b, steps: per_tap },
                    &pairs,
                    &mut block,
                    false,
                );
                let (rows, run) = (y.rows(), runs.run(line, j));
                let y = y.block(0..rows, from..columns.min(from + SIDE));
                // SAFETY: `tiles` proves the instructions.
                unsafe { finish(&block, y, &end, (run, panel * SIDE), s.k) };
            }
        }
    });
}

/// Lines whose pixels and gradients a task goes through for all taps before the next, so that they are in the
/// second-level cache then, counted in runs.
const LINES: usize = 64;
/// Tasks that a gradient is at least cut into; constant, so that the order of its sums does not depend on the machine.
const TASKS: usize = 16;

/// `dw` and `db` from the layer's input and output gradient.
pub fn backward_weight<T: Element>(
    tiles: Tiles,
    s: &ConvShape,
    (x, dy): (&[T], &[T]),
    (dw, db): (&mut [f32], &mut [f32]),
    scratch: &mut Scratch,
) {
    let Scratch { a, b, patches, sums } = scratch;
    column_sums(tiles, dy, db, sums);
    let (s, x) = patched(s, x, patches);
    let (c, k, taps, runs) = (s.c, s.k, s.kernel * s.kernel, Runs::new(&s));
    let (groups, panels, lines) = (c.div_ceil(SIDE), k.div_ceil(SIDE), runs.lines());
    let (line_len, panel_len) = (runs.width() * SIDE, lines * runs.across() * STEP);
    let (a_len, b_len) = (groups * lines * line_len, panels * panel_len);
    let packed_x = each_part::<T>(tiles, a_len, a, |part, to| pack::turned_lines(part, &runs, x, to));
    let rows = |run: usize, panel: usize| {
        let (run, to) = (runs.run(run / runs.across(), run % runs.across()), panel * SIDE);
        let (first, distance) = (run.first * k + to, run.distance * k);
        Rows { data: dy, first, distance, rows: run.count, columns: SIDE.min(k - to) }
    };
    let sizes = (panels, lines * runs.across());
    let packed_dy = each_part::<T>(tiles, b_len, b, |part, to| pack::panels(part, sizes, rows, to));

    let pieces = TASKS.div_ceil(groups).min(lines);
    let (row, step) = pack::turned_layout(&runs);
    let body = |task: usize, mut dw: Vec<MatrixMut>| {
        let (piece, group) = (task / groups, task % groups);
        let (on, mut blocks, mut pairs) = (tiles.configure(), vec![Block::ZERO; taps], Vec::new());
        let mine: Vec<usize> = (lines * piece / pieces..lines * (piece + 1) / pieces).collect();
        for panel in 0..panels {
            for (number, lines) in mine.chunks(LINES.div_ceil(runs.across())).enumerate() {
                for (tap, block) in blocks.iter_mut().enumerate() {
                    let (alive, first) = runs.column(tap % s.kernel);
                    pairs.clear();
                    for &line in lines {
                        let Some(seen) = runs.line(line, tap / s.kernel) else {
                            continue;
                        };
                        let a = (group * runs.lines() + seen) * line_len + first / SIDE * step + first % SIDE;
                        let b = panel * panel_len + (line * runs.across() + alive.start) * STEP;
                        pairs.extend(pairs_of_parts::<T>(Pair { a, b }, a_len, b_len));
                    }
                    let factors = Factors { a: packed_x, row, step, b: packed_dy, steps: alive.len() };
                    on.multiply(&factors, &pairs, block, number > 0);
                }
            }
            for (dw, block) in dw.iter_mut().zip(&blocks) {
                let to = panel * SIDE;
                let (rows, columns) = (dw.rows(), to..k.min(to + SIDE));
                let mut dw = dw.block(0..rows, columns.clone());
                for (i, row) in block.0[..rows].iter().enumerate() {
                    dw.row(i).copy_from_slice(&row[..columns.len()]);
                }
            }
        }
    };
    if pieces == 1 {
        for_each(gradients(dw, c, k, taps), body);
    } else {
        let len = dw.len();
        let partial: &mut [f32] = sums.of(pieces * len);
        let tasks: Vec<_> = partial.chunks_exact_mut(len).flat_map(|dw| gradients(dw, c, k, taps)).collect();
        for_each(tasks, body);
        add_pieces(partial, dw);
    }
}

/// The parts of a gradient for each 32 input channels: a matrix for each tap.
fn gradients(dw: &mut [f32], c: usize, k: usize, taps: usize) -> Vec<Vec<MatrixMut<'_>>> {
    let mut groups: Vec<Vec<MatrixMut>> = (0..c.div_ceil(SIDE)).map(|_| Vec::with_capacity(taps)).collect();
    for tap in dw.chunks_exact_mut(c * k) {
        for (group, part) in groups.iter_mut().zip(MatrixMut::new(tap, c, k).tiles(SIDE, k)) {
            group.push(part);
        }
    }
    groups
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
