//! What is bound by memory: pooling, dropout, the loss, the gradients' scale, and making batches.

use super::element::Element;
use super::parallel::CHUNK;
use crate::ops::batch::{Gather, bspline};
use crate::ops::dropout::{Dropout, keep4};
use crate::ops::loss::{CLIP, Loss, LossKind, argmax};
use crate::ops::pool::PoolShape;
use crate::ops::scaling;
use rayon::prelude::*;

/// Max-pool; see [`crate::ops::pool`].
pub fn pool_forward<T: Element>(s: &PoolShape, x: &[T], y: &mut [T], positions: &mut [u8]) {
    let line = s.out_w() * s.c;
    let rows = y.par_chunks_mut(line).zip(positions.par_chunks_mut(line));
    rows.enumerate().for_each(|(row, (y, positions))| {
        let (n, i) = (row / s.out_h(), row % s.out_h());
        for j in 0..s.out_w() {
            let (y, positions) = (&mut y[j * s.c..][..s.c], &mut positions[j * s.c..][..s.c]);
            for (p, q) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                if 2 * i + p >= s.h || 2 * j + q >= s.w {
                    continue;
                }
                let x = &x[((n * s.h + 2 * i + p) * s.w + 2 * j + q) * s.c..][..s.c];
                if (p, q) == (0, 0) {
                    y.copy_from_slice(x);
                    positions.fill(0);
                    continue;
                }
                for ((y, at), &x) in y.iter_mut().zip(positions.iter_mut()).zip(x) {
                    let wins = x.beats(*y);
                    *y = if wins { x } else { *y };
                    *at = if wins { (2 * p + q) as u8 } else { *at };
                }
            }
        }
    });
}

/// Gradient of max-pool.
pub fn pool_backward<T: Element>(s: &PoolShape, dy: &[T], positions: &[u8], dx: &mut [T]) {
    let line = s.w * s.c;
    dx.par_chunks_mut(line).enumerate().for_each(|(row, dx)| {
        let (n, i) = (row / s.h, row % s.h);
        for (j, dx) in dx.chunks_exact_mut(s.c).enumerate() {
            let at = ((n * s.out_h() + i / 2) * s.out_w() + j / 2) * s.c;
            let here = (2 * (i % 2) + j % 2) as u8;
            for ((d, &dy), &p) in dx.iter_mut().zip(&dy[at..]).zip(&positions[at..]) {
                *d = if p == here { dy } else { T::zeroed() };
            }
        }
    });
}

/// Dropout in place; see [`crate::ops::dropout`].
pub fn dropout(d: &Dropout, step: u64, x: &mut [f32]) {
    let scale = 1.0 / (1.0 - d.p);
    x.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, x)| {
        for (i, group) in x.chunks_mut(4).enumerate() {
            let keep = keep4(d, step, (chunk * CHUNK / 4 + i) as u32);
            for (v, keep) in group.iter_mut().zip(keep) {
                *v = if keep { *v * scale } else { 0.0 };
            }
        }
    });
}

/// The scale of the gradients after a step; see [`crate::ops::scaling`].
pub fn scaling(gradients: &[f32], state: &mut [f32]) {
    // The largest exponent marks infinities and NaNs; a sum of flags lets the compiler make vectors of it.
    let infinite = |g: &f32| u32::from(g.to_bits() & 0x7f80_0000 == 0x7f80_0000);
    let finite = gradients.par_chunks(CHUNK).all(|piece| piece.iter().map(infinite).sum::<u32>() == 0);
    if let [a, b, c, d] = *state {
        state.copy_from_slice(&scaling::next([a, b, c, d], finite));
    }
}

/// Softmax of one row: into `p`.
fn softmax_row(z: &[f32], p: &mut [f32]) -> (f32, f32) {
    let max = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (p, z) in p.iter_mut().zip(z) {
        *p = (z - max).exp();
        sum += *p;
    }
    for p in p.iter_mut() {
        *p /= sum;
    }
    (max, sum)
}

/// Softmax row by row.
pub fn softmax(classes: usize, logits: &[f32], probabilities: &mut [f32]) {
    let rows = logits.chunks_exact(classes);
    for (z, p) in rows.zip(probabilities.chunks_exact_mut(classes)) {
        softmax_row(z, p);
    }
}

/// Softmax cross-entropy, the gradient times a scale; see [`crate::ops::loss`].
pub fn loss(l: &Loss, scale: f32, logits: &[f32], labels: &[u8], dlogits: &mut [f32], stats: &mut [f64]) {
    let (kind, classes, n) = (l.kind, l.classes, l.rows as f32);
    for (row, &label) in labels.iter().enumerate() {
        let label = usize::from(label);
        let z = &logits[row * classes..][..classes];
        let d = &mut dlogits[row * classes..][..classes];
        let (max, sum) = softmax_row(z, d);
        let clipped = kind == LossKind::SummedClipped && f64::from(d[label]) < CLIP;
        let loss = match kind {
            LossKind::Mean => f64::from(max - z[label]) + f64::from(sum).ln(),
            LossKind::SummedClipped => -f64::from(d[label]).max(CLIP).ln(),
        };
        // `max` above drops a NaN; the logits are looked at themselves.
        let finite = loss.is_finite() && z.iter().all(|v| v.is_finite());
        stats[0] += loss;
        stats[1] += f64::from(u8::from(argmax(z) == label));
        stats[2] += 1.0;
        stats[3] += f64::from(u8::from(!finite));
        d[label] -= 1.0;
        let factor = match kind {
            LossKind::Mean => scale / n,
            LossKind::SummedClipped if clipped => 0.0,
            LossKind::SummedClipped => scale,
        };
        d.iter_mut().for_each(|d| *d *= factor);
    }
}

/// One batch; see [`crate::ops::batch`].
pub fn gather(g: &Gather, step: u64, pixels: &[u8], indices: &[u32], x: &mut [f32]) {
    let len = g.image_len();
    let images = x.par_chunks_mut(len).zip(indices);
    images.enumerate().for_each(|(n, (out, &index))| {
        let image = &pixels[index as usize * len..][..len];
        if g.augment.is_some() {
            warp(g, step, n as u32, image, out);
        } else {
            for (o, &p) in out.iter_mut().zip(image) {
                *o = normalise(g, f32::from(p));
            }
        }
    });
}

fn normalise(g: &Gather, byte: f32) -> f32 {
    (byte / 255.0 - g.mean) / g.std
}

/// Most control points along an axis the field keeps on the stack.
const MAX_CONTROLS: usize = 32;

/// One deformed image. Coordinates are added up in f64: a float's rounding of a place near 28 moves the result by more
/// than the contract allows.
fn warp(g: &Gather, step: u64, n: u32, image: &[u8], out: &mut [f32]) {
    let a = g.augment.as_ref().expect("called with an augmentation");
    let warp = g.warp(a, step, n);
    let m = warp.matrix.map(f64::from);
    let (cy, cx) = ((g.h - 1) as f64 / 2.0, (g.w - 1) as f64 / 2.0);
    let (rows, columns) = (a.control_points(g.h), a.control_points(g.w));
    let elastic = a.elastic > 0.0;
    let mut controls = [[0.0f32; 2]; MAX_CONTROLS * MAX_CONTROLS];
    if elastic {
        for (k, d) in controls[..rows * columns].iter_mut().enumerate() {
            *d = g.control(a, step, n, k as u32);
        }
    }
    for i in 0..g.h {
        let by = bspline((i % a.spacing) as f32 / a.spacing as f32);
        for j in 0..g.w {
            let (px, py) = (j as f64 - cx, i as f64 - cy);
            let mut x = cx + m[0] * px + m[1] * py + f64::from(warp.shift[0]);
            let mut y = cy + m[2] * px + m[3] * py + f64::from(warp.shift[1]);
            if elastic {
                let bx = bspline((j % a.spacing) as f32 / a.spacing as f32);
                for (p, wy) in by.iter().enumerate() {
                    let at = (i / a.spacing + p) * columns + j / a.spacing;
                    for (d, wx) in controls[at..at + 4].iter().zip(bx) {
                        x += f64::from(wx * wy) * f64::from(d[0]);
                        y += f64::from(wx * wy) * f64::from(d[1]);
                    }
                }
            }
            for c in 0..g.c {
                out[(i * g.w + j) * g.c + c] = normalise(g, bilinear(g, image, y, x, c));
            }
        }
    }
}

fn bilinear(g: &Gather, image: &[u8], y: f64, x: f64, c: usize) -> f32 {
    let (y0, x0) = (y.floor(), x.floor());
    let (fy, fx) = ((y - y0) as f32, (x - x0) as f32);
    let at = |dy: f64, dx: f64| {
        let (i, j) = (y0 + dy, x0 + dx);
        if i >= 0.0 && j >= 0.0 && i < g.h as f64 && j < g.w as f64 {
            f32::from(image[(i as usize * g.w + j as usize) * g.c + c])
        } else {
            0.0
        }
    };
    (1.0 - fy) * ((1.0 - fx) * at(0.0, 0.0) + fx * at(0.0, 1.0)) + fy * ((1.0 - fx) * at(1.0, 0.0) + fx * at(1.0, 1.0))
}

/// Whether a deformation fits the fixed-size field of this backend.
pub fn supports(g: &Gather) -> bool {
    g.augment
        .as_ref()
        .is_none_or(|a| a.spacing > 0 && a.control_points(g.h) <= MAX_CONTROLS && a.control_points(g.w) <= MAX_CONTROLS)
}
