//! What is bound by memory: pooling, dropout, the loss, the gradients' scale.

use super::element::Element;
use super::isa::Isa;
use super::parallel::CHUNK;
use super::vector::{Job, Vector};
use crate::ops::dropout::Dropout;
use crate::ops::loss::{CLIP, Loss, LossKind, argmax};
use crate::ops::philox::uniform;
use crate::ops::pool::PoolShape;
use crate::ops::scaling;
use rayon::prelude::*;

/// Max-pool; see [`crate::ops::pool`].
pub fn pool_forward<T: Element>(isa: Isa, s: &PoolShape, x: &[T], y: &mut [T], positions: &mut [u8]) {
    let line = s.out_w() * s.c;
    let rows = y.par_chunks_mut(line).zip(positions.par_chunks_mut(line));
    rows.enumerate().for_each(|(row, (y, positions))| isa.run(PoolRow { s, row, x, y, positions }));
}

/// An output row of max-pool, counted over all images.
struct PoolRow<'a, T> {
    s: &'a PoolShape,
    row: usize,
    x: &'a [T],
    y: &'a mut [T],
    positions: &'a mut [u8],
}

impl<T: Element> Job for PoolRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        let (s, n, i) = (self.s, self.row / self.s.out_h(), self.row % self.s.out_h());
        let pixels = self.y.chunks_exact_mut(s.c).zip(self.positions.chunks_exact_mut(s.c));
        for (j, (y, positions)) in pixels.enumerate() {
            for (p, q) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                if 2 * i + p >= s.h || 2 * j + q >= s.w {
                    continue;
                }
                let x = &self.x[((n * s.h + 2 * i + p) * s.w + 2 * j + q) * s.c..][..s.c];
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
    }
}

/// Gradient of max-pool.
pub fn pool_backward<T: Element>(isa: Isa, s: &PoolShape, dy: &[T], positions: &[u8], dx: &mut [T]) {
    let rows = dx.par_chunks_mut(s.w * s.c);
    rows.enumerate().for_each(|(row, dx)| isa.run(PoolGradientRow { s, row, dy, positions, dx }));
}

/// A row of the gradient of max-pool's input, counted over all images.
struct PoolGradientRow<'a, T> {
    s: &'a PoolShape,
    row: usize,
    dy: &'a [T],
    positions: &'a [u8],
    dx: &'a mut [T],
}

impl<T: Element> Job for PoolGradientRow<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        let (s, n, i) = (self.s, self.row / self.s.h, self.row % self.s.h);
        for (j, dx) in self.dx.chunks_exact_mut(s.c).enumerate() {
            let at = ((n * s.out_h() + i / 2) * s.out_w() + j / 2) * s.c;
            let here = (2 * (i % 2) + j % 2) as u8;
            for ((d, &dy), &p) in dx.iter_mut().zip(&self.dy[at..]).zip(&self.positions[at..]) {
                *d = if p == here { dy } else { T::zeroed() };
            }
        }
    }
}

/// Dropout in place; see [`crate::ops::dropout`].
pub fn dropout<T: Element>(isa: Isa, d: &Dropout, step: u64, x: &mut [T]) {
    let chunks = x.par_chunks_mut(CHUNK).enumerate();
    chunks.for_each(|(chunk, x)| isa.run(DropoutChunk { d, step, first: (chunk * CHUNK / 4) as u32, x }));
}

/// Elements whose random numbers begin at a block.
struct DropoutChunk<'a, T> {
    d: &'a Dropout,
    step: u64,
    first: u32,
    x: &'a mut [T],
}

impl<T: Element> Job for DropoutChunk<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        /// Blocks of random numbers that are drawn side by side.
        const BLOCKS: usize = 32;
        let (stream, scale) = (self.d.stream(self.step), 1.0 / (1.0 - self.d.p));
        for (i, x) in self.x.chunks_mut(4 * BLOCKS).enumerate() {
            let words = stream.blocks::<BLOCKS>(self.first + (i * BLOCKS) as u32, self.d.layer);
            let mut kept = [false; 4 * BLOCKS];
            for (e, kept) in kept.iter_mut().enumerate() {
                *kept = uniform(words[e % 4][e / 4]) >= self.d.p;
            }
            for (v, kept) in x.iter_mut().zip(kept) {
                *v = if kept { T::narrow(v.wide() * scale) } else { T::zeroed() };
            }
        }
    }
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
pub fn loss(l: &Loss, scale: f32, logits: &[f32], labels: &[u32], dlogits: &mut [f32], stats: &mut [f64]) {
    let (kind, classes, n) = (l.kind, l.classes, l.rows as f32);
    for (row, &label) in labels.iter().enumerate() {
        let label = label as usize;
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
