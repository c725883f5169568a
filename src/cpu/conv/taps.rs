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

use super::Scratch;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::{Isa, Strided, gemm};
use crate::cpu::parallel::{Shared, for_each};
use crate::ops::conv::ConvShape;

/// Whether the pixels of one product are those of a row.
pub(super) fn by_rows(s: &ConvShape) -> bool {
    s.w >= 8
}

/// The output coordinates that see inside through tap `u`: a range `from..to`, and the input coordinate of its first.
pub(super) fn alive(u: usize, pad: usize, size: usize) -> (usize, usize, usize) {
    let from = pad.saturating_sub(u);
    let to = (size + pad).saturating_sub(u).min(size);
    (from, to.max(from), (from + u).saturating_sub(pad))
}

/// `y = conv(x, w)` with an epilogue, row by row.
pub(super) fn forward_rows(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue) {
    let (c, k, pad) = (s.c, s.k, s.pad());
    let out = Shared(y.as_mut_ptr());
    for_each(s.n * s.h, |row| {
        let (n, i) = (row / s.h, row % s.h);
        let line = row * s.w * k;
        let y = unsafe { std::slice::from_raw_parts_mut(out.add(line), s.w * k) };
        y.fill(0.0);
        let panel = Isa::detect().panel();
        for k0 in (0..k).step_by(panel) {
            for u in 0..s.kernel {
                let Some(xi) = (i + u).checked_sub(pad).filter(|&xi| xi < s.h) else {
                    continue;
                };
                for v in 0..s.kernel {
                    let (from, to, xj) = alive(v, pad, s.w);
                    let at = x[((n * s.h + xi) * s.w + xj) * c..].as_ptr();
                    let tap = w[(u * s.kernel + v) * c * k + k0..].as_ptr();
                    let a = Strided { at, row: c, column: 1 };
                    unsafe {
                        gemm((to - from, panel.min(k - k0), c), a, tap, k, y.as_mut_ptr().add(from * k + k0), k, true);
                    }
                }
            }
        }
        for (j, pixel) in y.chunks_exact_mut(k).enumerate() {
            end.apply(pixel, line + j * k, 0);
        }
    });
}

/// `y = conv(x, w)` with an epilogue, position by position.
pub(super) fn forward_positions(
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    end: Epilogue,
    scratch: &mut Scratch,
) {
    let (n, c, k, pad) = (s.n, s.c, s.k, s.pad());
    let positions = s.h * s.w;
    let moved = to_positions(s.n, positions, c, x, &mut scratch.a);
    scratch.b.resize(scratch.b.len().max(s.y_len()), 0.0);
    let sums = Shared(scratch.b.as_mut_ptr());
    let out = Shared(y.as_mut_ptr());
    let panel = Isa::detect().panel();
    let panels = k.div_ceil(panel);
    // A panel's weights stay in the second-level cache while all the positions of a task pass.
    let groups = 8usize.div_ceil(panels).min(positions);
    for_each(panels * groups, |task| {
        let (k0, group) = (task / groups * panel, task % groups);
        let columns = panel.min(k - k0);
        for p in (group..positions).step_by(groups) {
            let (i, j) = (p / s.w, p % s.w);
            let sum = sums.add(p * n * k + k0);
            let mut first = true;
            for u in 0..s.kernel {
                let Some(xi) = (i + u).checked_sub(pad).filter(|&xi| xi < s.h) else {
                    continue;
                };
                for v in 0..s.kernel {
                    let Some(xj) = (j + v).checked_sub(pad).filter(|&xj| xj < s.w) else {
                        continue;
                    };
                    let a = Strided { at: moved[(xi * s.w + xj) * n * c..].as_ptr(), row: c, column: 1 };
                    let tap = w[(u * s.kernel + v) * c * k + k0..].as_ptr();
                    unsafe { gemm((n, columns, c), a, tap, k, sum, k, !first) };
                    first = false;
                }
            }
            for image in 0..n {
                let at = (image * positions + p) * k;
                let to = unsafe { std::slice::from_raw_parts_mut(out.add(at + k0), columns) };
                let from = sums.add((p * n + image) * k + k0);
                to.copy_from_slice(unsafe { std::slice::from_raw_parts(from, columns) });
                end.apply(to, at, k0);
            }
        }
    });
}

/// Copies `[n, positions, c]` to `[positions, n, c]`.
fn to_positions<'a>(n: usize, positions: usize, c: usize, x: &[f32], buffer: &'a mut Vec<f32>) -> &'a [f32] {
    buffer.resize(buffer.len().max(x.len()), 0.0);
    let out = Shared(buffer.as_mut_ptr());
    for_each(positions, |p| {
        for image in 0..n {
            let to = unsafe { std::slice::from_raw_parts_mut(out.add((p * n + image) * c), c) };
            to.copy_from_slice(&x[(image * positions + p) * c..][..c]);
        }
    });
    &buffer[..x.len()]
}

/// `dw` from the layer's input and output gradient.
pub(super) fn backward_weight(s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], scratch: &mut Scratch) {
    let rows = by_rows(s);
    let positions = s.h * s.w;
    let (x, dy) = if rows {
        (x, dy)
    } else {
        let x = to_positions(s.n, positions, s.c, x, &mut scratch.a);
        let dy = to_positions(s.n, positions, s.k, dy, &mut scratch.b);
        (x, dy)
    };
    // In position-major order a row of the map is `w * n` consecutive pixels, in NHWC order it is `w` of each image.
    let (images, group) = if rows { (s.n, 1) } else { (1, s.n) };
    let (c, k, pad) = (s.c, s.k, s.pad());
    let panel = Isa::detect().panel();
    const ROWS: usize = 96;
    let (panels, blocks) = (k.div_ceil(panel), c.div_ceil(ROWS));
    let out = Shared(dw.as_mut_ptr());
    for_each(s.kernel * s.kernel * blocks * panels, |task| {
        let (t, block, k0) = (task / (blocks * panels), task / panels % blocks, task % panels * panel);
        let (u, v, c0) = (t / s.kernel, t % s.kernel, block * ROWS);
        let (m, columns) = (ROWS.min(c - c0), panel.min(k - k0));
        let (i0, i1, xi0) = alive(u, pad, s.h);
        let (j0, j1, xj0) = alive(v, pad, s.w);
        let tile = out.add((t * c + c0) * k + k0);
        let mut first = true;
        for n in 0..images {
            for i in i0..i1 {
                if j0 == j1 {
                    continue;
                }
                let xi = xi0 + i - i0;
                let a = Strided { at: x[((n * s.h + xi) * s.w + xj0) * group * c + c0..].as_ptr(), row: 1, column: c };
                let b = dy[((n * s.h + i) * s.w + j0) * group * k + k0..].as_ptr();
                let depth = (j1 - j0) * group;
                unsafe { gemm((m, columns, depth), a, b, k, tile, k, !first) };
                first = false;
            }
        }
        if first {
            unsafe {
                gemm((m, columns, 0), Strided { at: x.as_ptr(), row: 1, column: 1 }, dy.as_ptr(), k, tile, k, false)
            };
        }
    });
}
