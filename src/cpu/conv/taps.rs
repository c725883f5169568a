//! Convolution as sums of matrix products over taps, without an im2col matrix in memory.
//!
//! For one tap the output pixels that see inside the image form a matrix product `x_shifted[pixels, C] w_tap[C, K]`.
//! Two ways to choose the pixels of one product:
//! - **rows** (maps 8 wide or more): the pixels of one image row, read in place;
//! - **positions** (smaller maps): one pixel of all images. The input is copied to position-major order
//!   `[h, w, n, c]` first, so that those rows are contiguous; taps in the padding are skipped exactly.
//!
//! Backward-data is the same sum with the flipped, transposed kernel; backward-weight multiplies the transposed shifted
//! input by the output gradient.

use super::axis;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::{PANEL, gemm};
use crate::cpu::isa::Isa;
use crate::cpu::matrix::{Matrix, MatrixMut};
use crate::cpu::parallel::{for_each, room};
use crate::ops::conv::ConvShape;
use rayon::prelude::*;

/// Whether the pixels of one product are those of a row.
pub(super) fn by_rows(s: &ConvShape) -> bool {
    s.w >= 8
}

/// The weights of tap `(u, v)` for the output channels of a panel.
fn tap<'a>(s: &ConvShape, w: &'a [f32], (u, v): (usize, usize), k0: usize, columns: usize) -> Matrix<'a> {
    let from = (u * s.kernel + v) * s.c;
    Matrix::new(w, s.kernel * s.kernel * s.c, s.k).block(from..from + s.c, k0..k0 + columns)
}

/// `y = conv(x, w)` with an epilogue, row by row.
pub(super) fn forward_rows(isa: Isa, s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue) {
    let (c, k, pad) = (s.c, s.k, s.pad());
    let x = Matrix::new(x, s.n * s.h * s.w, c);
    for_each(y.par_chunks_mut(s.w * k), |row, y| {
        let (n, i) = (row / s.h, row % s.h);
        y.fill(0.0);
        let mut sums = MatrixMut::new(y, s.w, k);
        for k0 in (0..k).step_by(PANEL) {
            let columns = PANEL.min(k - k0);
            for u in 0..s.kernel {
                let Some(xi) = axis::input(i, u, pad, s.h) else {
                    continue;
                };
                for v in 0..s.kernel {
                    let (from, to, xj) = axis::alive(v, pad, s.w);
                    let first = (n * s.h + xi) * s.w + xj;
                    let pixels = x.block(first..first + to - from, 0..c);
                    gemm(
                        isa,
                        pixels,
                        tap(s, w, (u, v), k0, columns),
                        &mut sums.block(from..to, k0..k0 + columns),
                        true,
                    );
                }
            }
        }
        for (j, pixel) in y.chunks_exact_mut(k).enumerate() {
            end.apply(pixel, (row * s.w + j) * k, 0);
        }
    });
}

/// `y = conv(x, w)` with an epilogue, position by position.
pub(super) fn forward_positions(
    isa: Isa,
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    end: Epilogue,
    scratch: &mut Vec<f32>,
) {
    let (n, c, k, pad) = (s.n, s.c, s.k, s.pad());
    let positions = s.h * s.w;
    let moved = Matrix::new(to_positions(n, positions, c, x, scratch), positions * n, c);
    // Panel by panel: its weights stay in the second-level cache while the positions pass.
    let mut tiles = Vec::new();
    for (p, pixels) in MatrixMut::new(y, n, positions * k).tiles(n, k).into_iter().enumerate() {
        tiles.extend(pixels.tiles(n, PANEL).into_iter().enumerate().map(|(q, tile)| (q * PANEL, p, tile)));
    }
    tiles.sort_by_key(|&(k0, p, _)| (k0, p));
    for_each(tiles, |_, (k0, p, mut y)| {
        let columns = y.columns();
        let mut first = true;
        for u in 0..s.kernel {
            let Some(xi) = axis::input(p / s.w, u, pad, s.h) else {
                continue;
            };
            for v in 0..s.kernel {
                let Some(xj) = axis::input(p % s.w, v, pad, s.w) else {
                    continue;
                };
                let from = (xi * s.w + xj) * n;
                gemm(isa, moved.block(from..from + n, 0..c), tap(s, w, (u, v), k0, columns), &mut y, !first);
                first = false;
            }
        }
        for image in 0..n {
            end.apply(y.row(image), (image * positions + p) * k, k0);
        }
    });
}

/// Copies `[n, positions, c]` to `[positions, n, c]`.
fn to_positions<'a>(n: usize, positions: usize, c: usize, x: &[f32], buffer: &'a mut Vec<f32>) -> &'a [f32] {
    let moved = room(buffer, x.len());
    for_each(moved.par_chunks_mut(n * c), |p, images| {
        for (image, to) in images.chunks_exact_mut(c).enumerate() {
            to.copy_from_slice(&x[(image * positions + p) * c..][..c]);
        }
    });
    moved
}

/// `dw` from the layer's input and output gradient.
pub(super) fn backward_weight(
    isa: Isa,
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    (moved_x, moved_dy): (&mut Vec<f32>, &mut Vec<f32>),
) {
    /// Input channels of a task.
    const ROWS: usize = 96;
    let (c, k, pad, positions) = (s.c, s.k, s.pad(), s.h * s.w);
    // In position-major order a row of the map is `w n` consecutive pixels, in NHWC order it is `w` of each image.
    let (x, dy, images, group) = if by_rows(s) {
        (x, dy, s.n, 1)
    } else {
        (to_positions(s.n, positions, c, x, moved_x), to_positions(s.n, positions, k, dy, moved_dy), 1, s.n)
    };
    let pixels = s.n * positions;
    let (x_t, dy) = (Matrix::new(x, pixels, c).transposed(), Matrix::new(dy, pixels, k));
    let panels = k.div_ceil(PANEL);
    let mut tiles = Vec::new();
    for (t, tap) in dw.chunks_exact_mut(c * k).enumerate() {
        tiles.extend(MatrixMut::new(tap, c, k).tiles(ROWS, PANEL).into_iter().enumerate().map(|(q, dw)| (t, q, dw)));
    }
    for_each(tiles, |_, (t, q, mut dw)| {
        let (c0, k0) = (q / panels * ROWS, q % panels * PANEL);
        let (channels, outputs) = (c0..c0 + dw.rows(), k0..k0 + dw.columns());
        let (i0, i1, xi0) = axis::alive(t / s.kernel, pad, s.h);
        let (j0, j1, xj0) = axis::alive(t % s.kernel, pad, s.w);
        let seen = (j1 - j0) * group;
        let mut first = true;
        for n in 0..images {
            for i in i0..i1 {
                let from_x = ((n * s.h + xi0 + i - i0) * s.w + xj0) * group;
                let from_dy = ((n * s.h + i) * s.w + j0) * group;
                let x = x_t.block(channels.clone(), from_x..from_x + seen);
                let dy = dy.block(from_dy..from_dy + seen, outputs.clone());
                gemm(isa, x, dy, &mut dw, !first);
                first = false;
            }
        }
        if first {
            dw.fill(0.0);
        }
    });
}
