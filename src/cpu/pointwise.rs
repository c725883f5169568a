//! Everything that is bound by memory: pooling, dropout, the loss, the optimisers, and making batches.

use super::element::Element;
use super::vector::{Isa, Job, Vector};
use crate::device::StepState;
use crate::ops::batch::{Gather, bspline};
use crate::ops::dropout::{Dropout, keep4};
use crate::ops::loss::{CLIP, LossKind, argmax};
use crate::ops::optimizer::{AdamParams, Sgd, adam_factors};
use crate::ops::pool::PoolShape;
use crate::ops::scaling;
use rayon::prelude::*;

/// Max-pool; see [`crate::ops::pool`].
pub fn pool_forward(s: &PoolShape, x: &[f32], y: &mut [f32], positions: &mut [u8]) {
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
                    let wins = x > *y || (x.is_nan() && !y.is_nan());
                    *y = if wins { x } else { *y };
                    *at = if wins { (2 * p + q) as u8 } else { *at };
                }
            }
        }
    });
}

/// Gradient of max-pool.
pub fn pool_backward(s: &PoolShape, dy: &[f32], positions: &[u8], dx: &mut [f32]) {
    let line = s.w * s.c;
    dx.par_chunks_mut(line).enumerate().for_each(|(row, dx)| {
        let (n, i) = (row / s.h, row % s.h);
        for (j, dx) in dx.chunks_exact_mut(s.c).enumerate() {
            let at = ((n * s.out_h() + i / 2) * s.out_w() + j / 2) * s.c;
            let here = (2 * (i % 2) + j % 2) as u8;
            for ((d, &dy), &p) in dx.iter_mut().zip(&dy[at..]).zip(&positions[at..]) {
                *d = if p == here { dy } else { 0.0 };
            }
        }
    });
}

/// Elements in a piece of an elementwise pass: small enough to balance, large enough to hide the splitting.
const CHUNK: usize = 1 << 15;

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

/// `y = round(x)`; see [`crate::ops::cast`].
pub fn cast<T: Element>(x: &[f32], y: &mut [T]) {
    y.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(y, x)| {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = T::narrow(x);
        }
    });
}

/// The scale of the gradients after a step; see [`crate::ops::scaling`].
pub fn scaling(gradients: &[f32], state: &mut [f32]) {
    let finite = gradients.par_chunks(CHUNK).all(|piece| piece.iter().all(|g| g.is_finite()));
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

/// Softmax cross-entropy; see [`crate::ops::loss`]. `scratch` takes the probabilities where no gradient is wanted.
pub fn loss(kind: LossKind, classes: usize, logits: &[f32], labels: &[u8], dlogits: &mut [f32], stats: &mut [f64]) {
    let n = labels.len() as f32;
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
        let scale = match kind {
            LossKind::Mean => 1.0 / n,
            LossKind::SummedClipped => f32::from(u8::from(!clipped)),
        };
        d.iter_mut().for_each(|d| *d *= scale);
    }
}

/// Elements of an optimiser chunk: the five arrays of one stay in the second-level cache for the average's pass.
const OPTIMIZER_CHUNK: usize = 1 << 14;

/// Chunks of the average, or as many `None`s.
fn optional_chunks(view: Option<&mut [f32]>, chunks: usize) -> Vec<Option<&mut [f32]>> {
    match view {
        Some(view) => view.chunks_mut(OPTIMIZER_CHUNK).map(Some).collect(),
        None => (0..chunks).map(|_| None).collect(),
    }
}

/// The moving average: `e = decay e + (1 - decay) w`.
#[inline(always)]
fn average(decay: f32, ema: Option<&mut [f32]>, w: &[f32]) {
    let rest = 1.0 - decay;
    for (e, w) in ema.into_iter().flatten().zip(w) {
        *e = decay * *e + rest * *w;
    }
}

/// One Adam step on weights, first and second moment, and the moving average in the same pass; see
/// [`crate::ops::optimizer`].
pub fn adam(p: &AdamParams, state: StepState, g: &[f32], [w, m, v]: [&mut [f32]; 3], ema: Option<&mut [f32]>) {
    let (rate, root_scale) = adam_factors(p, state.step, f64::from(state.lr));
    let (rate, root_scale, isa) = (rate as f32, root_scale as f32, Isa::detect());
    let ema_decay = state.ema_decay;
    let ema = optional_chunks(ema, w.len().div_ceil(OPTIMIZER_CHUNK));
    w.par_chunks_mut(OPTIMIZER_CHUNK)
        .zip(g.par_chunks(OPTIMIZER_CHUNK))
        .zip(m.par_chunks_mut(OPTIMIZER_CHUNK))
        .zip(v.par_chunks_mut(OPTIMIZER_CHUNK))
        .zip(ema)
        .for_each(|((((w, g), m), v), ema)| {
            isa.run(AdamChunk { p, rate, root_scale, ema_decay, w, g, m, v, ema });
        });
}

/// A chunk of an Adam step.
struct AdamChunk<'a> {
    p: &'a AdamParams,
    rate: f32,
    root_scale: f32,
    ema_decay: f32,
    w: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    ema: Option<&'a mut [f32]>,
}

impl Job for AdamChunk<'_> {
    /// The compiler makes the vectors.
    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        let (b1, b2, epsilon) = (self.p.beta1, self.p.beta2, self.p.epsilon);
        let (c1, c2) = (1.0 - b1, 1.0 - b2);
        for (((w, &g), m), v) in self.w.iter_mut().zip(self.g).zip(self.m).zip(self.v) {
            *m = b1 * *m + c1 * g;
            *v = b2 * *v + c2 * (g * g);
            *w -= self.rate * *m / (v.sqrt() * self.root_scale + epsilon);
        }
        average(self.ema_decay, self.ema, self.w);
    }
}

/// One momentum SGD step on weights and velocity, and the moving average; see [`crate::ops::optimizer`].
pub fn sgd(d: &Sgd, state: StepState, g: &[f32], [w, u]: [&mut [f32]; 2], ema: Option<&mut [f32]>) {
    let ema = optional_chunks(ema, w.len().div_ceil(OPTIMIZER_CHUNK));
    w.par_chunks_mut(OPTIMIZER_CHUNK)
        .zip(g.par_chunks(OPTIMIZER_CHUNK))
        .zip(u.par_chunks_mut(OPTIMIZER_CHUNK))
        .zip(ema)
        .enumerate()
        .for_each(|(chunk, (((w, g), u), ema))| {
            let start = chunk * OPTIMIZER_CHUNK;
            for (i, ((w, &g), u)) in w.iter_mut().zip(g).zip(u).enumerate() {
                let at = start + i;
                let penalised = d.decayed.iter().any(|&(o, l)| (o..o + l).contains(&at));
                let l2 = if penalised { d.params.l2 } else { 0.0 };
                *u = d.params.momentum * *u + (g + l2 * *w);
                *w -= state.lr * *u;
            }
            average(state.ema_decay, ema, w);
        });
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
