//! Operands of products in the order in which tiles take them, padded with zeros to whole tiles.
//!
//! - A, rows of numbers along the inner dimension: [`lines`] copies pixels, their channels being the inner dimension;
//!   [`turned_lines`] exchanges pixels and channels, for the gradient of the weights.
//! - B, panels of 32 columns, step by step of 32 numbers along the inner dimension: [`interleave`] makes a step of
//!   pairs of rows, [`turn_pairs`] of columns that lie as rows, where a pair of numbers lies together already.
//!   [`panels`] packs the output gradient.
//!
//! ```text
//!   rows 2p      a0 a1 a2 ...                                      columns  a0 a1 b0 b1 ...
//!   and 2p + 1   b0 b1 b2 ...     interleaved: a0 b0 a1 b1 a2 ...  as rows  c0 c1 d0 d1 ...
//!                                            their pairs turned:   a0 a1 c0 c1 ...  and  b0 b1 d0 d1 ...
//! ```

use super::numbers::{load_part, parts, transpose};
use super::runs::Runs;
use super::tiles::{Pair, SIDE, STEP, Tiles};
use crate::cpu::element::Element;
use crate::cpu::matrix::MatrixMut;
use crate::cpu::parallel::for_each;
use half::bf16;
use rayon::prelude::*;
use std::arch::x86_64::*;

/// Rows of a tile.
const TILE: usize = SIDE / 2;

/// Numbers to be packed: up to 32 rows of up to 32.
#[derive(Clone, Copy)]
pub struct Rows<'a, T> {
    pub data: &'a [T],
    /// Place of the first row.
    pub first: usize,
    /// Distance of rows.
    pub distance: usize,
    pub rows: usize,
    pub columns: usize,
}

impl<'a, T> Rows<'a, T> {
    /// A row; nothing where there are fewer.
    #[inline(always)]
    fn row(&self, i: usize) -> &'a [T] {
        let at = self.first + i * self.distance;
        if i < self.rows { &self.data[at..at + self.columns] } else { &[] }
    }
}

/// Which part of the numbers is packed. The value proves the instructions that pack it: it is made from the right to
/// them.
#[derive(Clone, Copy)]
pub struct Part(usize);

impl Part {
    /// A part by its number.
    pub fn new(_right: Tiles, number: usize) -> Part {
        Part(number)
    }
}

/// Packs each part of numbers of type `T`, `len` of each.
pub fn each_part<T: Element>(tiles: Tiles, len: usize, to: &mut [bf16], pack: impl Fn(Part, &mut [bf16])) {
    for (number, to) in to.chunks_exact_mut(len).enumerate() {
        pack(Part::new(tiles, number), to);
    }
}

/// All pairs of parts of a pair of factors, whose first parts begin there; the next ones are so many numbers further
/// on.
pub fn pairs_of_parts<T: Element>(at: Pair, (a, b): (usize, usize)) -> impl Iterator<Item = Pair> {
    let parts = parts::<T>();
    (0..parts * parts).map(move |i| Pair { a: at.a + i / parts * a, b: at.b + i % parts * b })
}

/// Pixels of `x` line by line: `to[line][pixel][channel]`, `stride` channels each.
pub fn lines<T: Element>(part: Part, runs: &Runs, x: &[T], stride: usize, to: &mut [bf16]) {
    let c = runs.s.c;
    for_each(to.par_chunks_mut(runs.width() * stride), |line, to| {
        let (border, pixels) = (runs.border() * stride, SIDE * stride);
        let (before, rest) = to.split_at_mut(border);
        let (inside, behind) = rest.split_at_mut(rest.len() - border);
        before.fill(bf16::ZERO);
        behind.fill(bf16::ZERO);
        for (j, to) in inside.chunks_exact_mut(pixels).enumerate() {
            let run = runs.run(line, j);
            for from in (0..c).step_by(SIDE) {
                let columns = SIDE.min(c - from);
                let of =
                    Rows { data: x, first: run.first * c + from, distance: run.distance * c, rows: run.count, columns };
                // SAFETY: `part` proves the instructions.
                unsafe { copy(&of, part.0, &mut to[from..], stride) };
            }
        }
    });
}

/// Pixels of `x` line by line, channels and pixels exchanged: `to[channel / 32][line][..]`, where 32 channels of a line
/// are [`turned_layout`].
pub fn turned_lines<T: Element>(part: Part, runs: &Runs, x: &[T], to: &mut [bf16]) {
    let (c, len, border) = (runs.s.c, runs.width() * SIDE, runs.border());
    let groups = c.div_ceil(SIDE);
    let (row, step) = turned_layout(runs);
    for_each(MatrixMut::new(to, groups, runs.lines() * len).tiles(groups, len), |line, mut to| {
        for group in 0..groups {
            let to = to.row(group);
            if border > 0 {
                for row in to.chunks_exact_mut(row) {
                    let end = row.len() - border;
                    row[..border].fill(bf16::ZERO);
                    row[end..].fill(bf16::ZERO);
                }
            }
            let from = group * SIDE;
            for j in 0..runs.across() {
                let run = runs.run(line, j);
                let columns = SIDE.min(c - from);
                let of =
                    Rows { data: x, first: run.first * c + from, distance: run.distance * c, rows: run.count, columns };
                // SAFETY: `part` proves the instructions.
                unsafe { turn(&of, part.0, &mut to[border + j * step..], row) };
            }
        }
    });
}

/// Distance of channels, and of runs, in a line of [`turned_lines`]: runs of images follow each other, those of a row
/// are one, so that a tap may begin anywhere.
pub fn turned_layout(runs: &Runs) -> (usize, usize) {
    if runs.images() { (SIDE, STEP) } else { (runs.width(), SIDE) }
}

/// A gradient of `k` channels run by run, `to[panel][run]`: the inner dimension are the pixels of the run.
pub fn panels<T: Element>(part: Part, runs: &Runs, (dy, k): (&[T], usize), to: &mut [bf16]) {
    let (panels, steps) = (k.div_ceil(SIDE), runs.lines() * runs.across());
    for_each(MatrixMut::new(to, panels, steps * STEP).tiles(panels, STEP), |number, mut to| {
        let run = runs.run(number / runs.across(), number % runs.across());
        for panel in 0..panels {
            let (first, columns) = (run.first * k + panel * SIDE, SIDE.min(k - panel * SIDE));
            let rows = Rows { data: dy, first, distance: run.distance * k, rows: run.count, columns };
            interleave(part, &rows, to.row(panel));
        }
    });
}

/// A step of B from 32 rows of it and 32 of its columns.
pub fn interleave<T: Element>(part: Part, rows: &Rows<T>, to: &mut [bf16]) {
    // SAFETY: `part` proves the instructions.
    unsafe { interleave_rows(rows, part.0, to) }
}

/// A step of B from 32 of its columns, as rows, each with 32 numbers along the inner dimension.
pub fn turn_pairs<T: Element>(part: Part, columns: &Rows<T>, to: &mut [bf16]) {
    // SAFETY: `part` proves the instructions.
    unsafe { turn_columns(columns, part.0, to) }
}

/// Writes 32 numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn store32(v: __m512i, to: &mut [bf16]) {
    let to = &mut to[..SIDE];
    // SAFETY: 32 numbers of 16 bits.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), v) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn copy<T: Element>(from: &Rows<T>, part: usize, to: &mut [bf16], stride: usize) {
    for i in 0..SIDE {
        store32(load_part(from.row(i), part), &mut to[i * stride..]);
    }
}

/// Pairs of 32 rows for 16 of their columns, the left or the right ones.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn pairs<T: Element>(from: &Rows<T>, part: usize, right: usize) -> [__m512i; TILE] {
    // Lane 2 i takes lane i of the first row, lane 2 i + 1 that of the second, whose lanes count from 32.
    let order: [u16; SIDE] = std::array::from_fn(|lane| (lane / 2 + TILE * right + lane % 2 * SIDE) as u16);
    // SAFETY: 512 bits both.
    let order: __m512i = unsafe { std::mem::transmute(order) };
    let mut out = [_mm512_setzero_si512(); TILE];
    for (p, out) in out.iter_mut().enumerate() {
        let [even, odd] = [2 * p, 2 * p + 1].map(|i| load_part(from.row(i), part));
        *out = _mm512_permutex2var_epi16(even, order, odd);
    }
    out
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn interleave_rows<T: Element>(from: &Rows<T>, part: usize, to: &mut [bf16]) {
    for (right, to) in to.chunks_exact_mut(STEP / 2).enumerate() {
        for (v, to) in pairs(from, part, right).into_iter().zip(to.chunks_exact_mut(SIDE)) {
            store32(v, to);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn turn<T: Element>(from: &Rows<T>, part: usize, to: &mut [bf16], stride: usize) {
    for right in 0..2 {
        for (i, v) in transpose(pairs(from, part, right)).into_iter().enumerate() {
            store32(v, &mut to[(right * TILE + i) * stride..]);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
fn turn_columns<T: Element>(from: &Rows<T>, part: usize, to: &mut [bf16]) {
    for (right, to) in to.chunks_exact_mut(STEP / 2).enumerate() {
        let mut rows = [_mm512_setzero_si512(); TILE];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = load_part(from.row(right * TILE + i), part);
        }
        for (v, to) in transpose(rows).into_iter().zip(to.chunks_exact_mut(SIDE)) {
            store32(v, to);
        }
    }
}
