//! Convolution as sums of matrix products over taps, without an im2col matrix in memory.
//!
//! For one tap the output pixels that see inside the image form a matrix product `x_shifted[pixels, C] w_tap[C, K]`.
//! Two ways to choose the pixels of one product:
//! - **rows** (maps 8 wide or more): the pixels of one image row, read in place;
//! - **positions** (smaller maps): one pixel of all images. The input is copied to position-major order
//!   `[h, w, n, c]` first, so that those rows are contiguous; taps in the padding are skipped exactly.
//!
//! Backward-data is the same sum with the flipped, transposed kernel; backward-weight multiplies the transposed shifted
//! input by the output gradient. The one-channel first layer gathers its few taps into patches instead.

use super::gemm::{Isa, Strided, gemm};
use super::parallel::{Shared, for_each};
use super::vector::Vector;
use super::winograd;
use crate::ops::conv::ConvShape;

/// Memory the convolutions reuse from call to call; grows at first use, then stays.
#[derive(Default)]
pub struct Scratch {
    a: Vec<f32>,
    b: Vec<f32>,
    w: Vec<f32>,
    winograd: winograd::Buffers,
}

/// What happens to an output value on its way out.
#[derive(Clone, Copy)]
pub enum Epilogue<'a> {
    /// `y = v + b[k]`, then ReLU if asked.
    Bias { bias: &'a [f32], relu: bool },
    /// `y = v (mask > 0)`.
    Mask(&'a [f32]),
    /// `y = v`.
    None,
}

impl Epilogue<'_> {
    /// Applies it to the channels `from..` of one pixel, whose first element is number `at` of the tensor.
    #[inline(always)]
    pub fn apply(&self, values: &mut [f32], at: usize, from: usize) {
        match *self {
            Epilogue::Bias { bias, relu } => {
                let bias = &bias[from..from + values.len()];
                let floor = if relu { 0.0 } else { f32::NEG_INFINITY };
                for (v, b) in values.iter_mut().zip(bias) {
                    let sum = *v + b;
                    // Written so that a NaN passes.
                    *v = if sum < floor { floor } else { sum };
                }
            }
            Epilogue::Mask(mask) => {
                let mask = &mask[at + from..at + from + values.len()];
                for (v, &m) in values.iter_mut().zip(mask) {
                    *v = if m > 0.0 { *v } else { 0.0 };
                }
            }
            Epilogue::None => {}
        }
    }
}

impl Epilogue<'_> {
    /// As [`Epilogue::apply`] for one vector of channels from `from` on.
    #[inline(always)]
    pub fn apply_vector<V: Vector>(&self, v: V, at: usize, from: usize) -> V {
        match *self {
            Epilogue::Bias { bias, relu } => {
                let b = &bias[from..from + V::LANES];
                let sum = v.plus(unsafe { V::load(b.as_ptr()) });
                if relu { sum.relu() } else { sum }
            }
            Epilogue::Mask(mask) => {
                let m = &mask[at + from..at + from + V::LANES];
                v.where_positive(unsafe { V::load(m.as_ptr()) })
            }
            Epilogue::None => v,
        }
    }
}

/// Up to this many taps times channels a patch is gathered instead of summing products of tiny depth.
const PATCH: usize = 64;

fn by_patches(s: &ConvShape) -> bool {
    s.kernel * s.kernel * s.c <= PATCH
}

fn by_rows(s: &ConvShape) -> bool {
    s.w >= 8
}

/// `y = conv(x, w)` with an epilogue.
pub fn forward(
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    end: Epilogue,
    scratch: &mut Scratch,
) {
    if by_patches(s) {
        forward_patches(s, x, w, y, end);
    } else if winograd::applies(s) {
        winograd::forward(s, x, w, y, end, &mut scratch.winograd);
    } else if by_rows(s) {
        forward_rows(s, x, w, y, end);
    } else {
        forward_positions(s, x, w, y, end, scratch);
    }
}

/// `dx` from `dy`: a forward pass from K to C channels with the flipped, transposed kernel.
pub fn backward_data(
    s: &ConvShape,
    dy: &[f32],
    w: &[f32],
    dx: &mut [f32],
    end: Epilogue,
    scratch: &mut Scratch,
) {
    let mut flipped = std::mem::take(&mut scratch.w);
    flipped.resize(s.w_len().max(flipped.len()), 0.0);
    flip(s, w, &mut flipped[..s.w_len()]);
    let turned = ConvShape {
        c: s.k,
        k: s.c,
        ..*s
    };
    forward(&turned, dy, &flipped[..s.w_len()], dx, end, scratch);
    scratch.w = flipped;
}

/// `out[t][k][c] = w[taps - 1 - t][c][k]`.
fn flip(s: &ConvShape, w: &[f32], out: &mut [f32]) {
    let taps = s.kernel * s.kernel;
    let (c, k) = (s.c, s.k);
    let out = Shared(out.as_mut_ptr());
    const B: usize = 32;
    for_each(taps * k.div_ceil(B), |task| {
        let (t, k0) = (task / k.div_ceil(B), task % k.div_ceil(B) * B);
        let from = &w[(taps - 1 - t) * c * k..][..c * k];
        for c0 in (0..c).step_by(B) {
            for kk in k0..(k0 + B).min(k) {
                let to = unsafe {
                    std::slice::from_raw_parts_mut(out.add((t * k + kk) * c + c0), B.min(c - c0))
                };
                for (i, v) in to.iter_mut().enumerate() {
                    *v = from[(c0 + i) * k + kk];
                }
            }
        }
    });
}

/// The output coordinates that see inside through tap `u`: a range `from..to`, and the input coordinate of its first.
fn alive(u: usize, pad: usize, size: usize) -> (usize, usize, usize) {
    let from = pad.saturating_sub(u);
    let to = (size + pad).saturating_sub(u).min(size);
    (from, to.max(from), (from + u).saturating_sub(pad))
}

fn forward_rows(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue) {
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
                    let a = Strided {
                        at,
                        row: c,
                        column: 1,
                    };
                    unsafe {
                        gemm(
                            (to - from, panel.min(k - k0), c),
                            a,
                            tap,
                            k,
                            y.as_mut_ptr().add(from * k + k0),
                            k,
                            true,
                        );
                    }
                }
            }
        }
        for (j, pixel) in y.chunks_exact_mut(k).enumerate() {
            end.apply(pixel, line + j * k, 0);
        }
    });
}

fn forward_positions(
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
                    let a = Strided {
                        at: moved[(xi * s.w + xj) * n * c..].as_ptr(),
                        row: c,
                        column: 1,
                    };
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
fn to_positions<'a>(
    n: usize,
    positions: usize,
    c: usize,
    x: &[f32],
    buffer: &'a mut Vec<f32>,
) -> &'a [f32] {
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

/// Gathers the taps of the pixels of one image row: `patch[j][(u, v, c)]`, zero in the padding.
fn patches(s: &ConvShape, x: &[f32], n: usize, i: usize, patch: &mut [f32]) {
    let (c, pad) = (s.c, s.pad());
    let depth = s.kernel * s.kernel * c;
    patch.fill(0.0);
    for u in 0..s.kernel {
        let Some(xi) = (i + u).checked_sub(pad).filter(|&xi| xi < s.h) else {
            continue;
        };
        for v in 0..s.kernel {
            let (from, to, xj) = alive(v, pad, s.w);
            for j in from..to {
                let at = ((n * s.h + xi) * s.w + xj + j - from) * c;
                patch[j * depth + (u * s.kernel + v) * c..][..c].copy_from_slice(&x[at..at + c]);
            }
        }
    }
}

fn forward_patches(s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue) {
    let depth = s.kernel * s.kernel * s.c;
    let out = Shared(y.as_mut_ptr());
    with_patches(s, |n, i, patch| {
        patches(s, x, n, i, patch);
        let line = (n * s.h + i) * s.w * s.k;
        let y = unsafe { std::slice::from_raw_parts_mut(out.add(line), s.w * s.k) };
        let a = Strided {
            at: patch.as_ptr(),
            row: depth,
            column: 1,
        };
        unsafe {
            gemm(
                (s.w, s.k, depth),
                a,
                w.as_ptr(),
                s.k,
                y.as_mut_ptr(),
                s.k,
                false,
            )
        };
        for (j, pixel) in y.chunks_exact_mut(s.k).enumerate() {
            end.apply(pixel, line + j * s.k, 0);
        }
    });
}

thread_local! {
    /// One image row's patches; kept by each thread so that a step allocates nothing.
    static PATCHES: std::cell::RefCell<Vec<f32>> = const { std::cell::RefCell::new(Vec::new()) };
}

fn patch_buffer<R>(s: &ConvShape, body: impl FnOnce(&mut [f32]) -> R) -> R {
    let len = s.w * s.kernel * s.kernel * s.c;
    PATCHES.with_borrow_mut(|buffer| {
        buffer.resize(buffer.len().max(len), 0.0);
        body(&mut buffer[..len])
    })
}

/// Runs `body(n, i, patch buffer)` for every image row.
fn with_patches(s: &ConvShape, body: impl Fn(usize, usize, &mut [f32]) + Sync + Send) {
    for_each(s.n * s.h, |row| {
        patch_buffer(s, |patch| body(row / s.h, row % s.h, patch));
    });
}

/// Pieces the sum over images is cut into where one output tile cannot feed all threads; a constant, so that the
/// order of the sum does not depend on the machine.
const PARTS: usize = 16;

/// `dw` and `db` from the layer's input and output gradient.
pub fn backward_weight(
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    db: &mut [f32],
    scratch: &mut Scratch,
) {
    super::linear::column_sums(dy, s.k, db, &mut scratch.w);
    if by_patches(s) {
        backward_weight_patches(s, x, dy, dw, &mut scratch.a);
        return;
    }
    if winograd::applies(s) {
        winograd::backward_weight(s, x, dy, dw, &mut scratch.winograd);
        return;
    }
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
        let (t, block, k0) = (
            task / (blocks * panels),
            task / panels % blocks,
            task % panels * panel,
        );
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
                let a = Strided {
                    at: x[((n * s.h + xi) * s.w + xj0) * group * c + c0..].as_ptr(),
                    row: 1,
                    column: c,
                };
                let b = dy[((n * s.h + i) * s.w + j0) * group * k + k0..].as_ptr();
                let depth = (j1 - j0) * group;
                unsafe { gemm((m, columns, depth), a, b, k, tile, k, !first) };
                first = false;
            }
        }
        if first {
            unsafe {
                gemm(
                    (m, columns, 0),
                    Strided {
                        at: x.as_ptr(),
                        row: 1,
                        column: 1,
                    },
                    dy.as_ptr(),
                    k,
                    tile,
                    k,
                    false,
                )
            };
        }
    });
}

fn backward_weight_patches(
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    partial: &mut Vec<f32>,
) {
    let depth = s.kernel * s.kernel * s.c;
    let len = depth * s.k;
    partial.resize(partial.len().max(PARTS * len), 0.0);
    let sums = Shared(partial.as_mut_ptr());
    for_each(PARTS, |part| {
        let sum = sums.add(part * len);
        unsafe { std::slice::from_raw_parts_mut(sum, len) }.fill(0.0);
        patch_buffer(s, |patch| {
            for n in s.n * part / PARTS..s.n * (part + 1) / PARTS {
                for i in 0..s.h {
                    patches(s, x, n, i, patch);
                    let a = Strided {
                        at: patch.as_ptr(),
                        row: 1,
                        column: depth,
                    };
                    let b = dy[(n * s.h + i) * s.w * s.k..].as_ptr();
                    unsafe { gemm((depth, s.k, s.w), a, b, s.k, sum, s.k, true) };
                }
            }
        });
    });
    super::linear::add_parts(&partial[..PARTS * len], dw);
}
