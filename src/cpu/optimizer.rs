//! Optimiser steps: Adam, momentum SGD, and what follows the weights; see [`crate::ops::optimizer`].

use super::element::Element;
use super::isa::Isa;
use super::memory::Slice;
use super::vector::{Job, Vector};
use crate::device::{Precision, StepState};
use crate::ops::optimizer::{AdamParams, Sgd, adam_factors};
use crate::ops::scaling::INVERSE;
use rayon::prelude::*;

/// Elements of a chunk: its arrays stay in the second-level cache for the average's pass.
const CHUNK: usize = 1 << 14;

/// What follows the weights at each step, as far as it is there: their moving average, and a copy of them as products
/// read them.
pub struct Followers<'a, T> {
    pub average: Option<&'a mut [f32]>,
    pub copy: Option<&'a mut [T]>,
}

impl<'a, T: Element> Followers<'a, T> {
    /// Those of an operation, and what its gradients are to be multiplied by; 0: nothing is to be done.
    pub fn of<const N: usize>(precision: Precision, average: bool, slices: [Slice<'a>; N]) -> (Followers<'a, T>, f32) {
        let mut slices = slices.into_iter();
        let mut next = |there: bool| if there { slices.next() } else { None };
        let (average, copy) = (next(average).map(Slice::write), next(precision.is_half()).map(Slice::write));
        let scaling: Option<&[f32]> = next(precision.scales_gradients()).map(Slice::read);
        (Followers { average, copy }, scaling.map_or(1.0, |state| state[INVERSE]))
    }

    /// Those of each chunk of `len` weights.
    fn chunks(self, len: usize) -> Vec<Followers<'a, T>> {
        let mut averages = self.average.map(|a| a.chunks_mut(CHUNK));
        let mut copies = self.copy.map(|c| c.chunks_mut(CHUNK));
        let next = |_| {
            let (average, copy) =
                (averages.as_mut().and_then(Iterator::next), copies.as_mut().and_then(Iterator::next));
            Followers { average, copy }
        };
        (0..len.div_ceil(CHUNK)).map(next).collect()
    }

    /// Follows weights: `average = decay average + (1 - decay) w`, `copy = round(w)`.
    #[inline(always)]
    fn follow(self, decay: f32, w: &[f32]) {
        let rest = 1.0 - decay;
        if let Some(average) = self.average {
            for (average, w) in average.iter_mut().zip(w) {
                *average = decay * *average + rest * *w;
            }
        }
        if let Some(copy) = self.copy {
            for (copy, &w) in copy.iter_mut().zip(w) {
                *copy = T::narrow(w);
            }
        }
    }
}

/// One Adam step on weights, first and second moment, with gradients that are to be multiplied by `inverse`.
pub fn adam<T: Element>(
    isa: Isa,
    p: &AdamParams,
    state: StepState,
    (g, inverse): (&[f32], f32),
    [w, m, v]: [&mut [f32]; 3],
    followers: Followers<T>,
) {
    let (rate, root_scale) = adam_factors(p, state.step, f64::from(state.lr));
    let (rate, root_scale, decay) = (rate as f32, root_scale as f32, state.ema_decay);
    let followers = followers.chunks(w.len());
    w.par_chunks_mut(CHUNK)
        .zip(g.par_chunks(CHUNK))
        .zip(m.par_chunks_mut(CHUNK))
        .zip(v.par_chunks_mut(CHUNK))
        .zip(followers)
        .for_each(|((((w, g), m), v), followers)| {
            isa.run(AdamChunk { p, rate, root_scale, inverse, decay, w, g, m, v, followers });
        });
}

/// A chunk of an Adam step.
struct AdamChunk<'a, T> {
    p: &'a AdamParams,
    rate: f32,
    root_scale: f32,
    inverse: f32,
    decay: f32,
    w: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    followers: Followers<'a, T>,
}

impl<T: Element> Job for AdamChunk<'_, T> {
    type Output = ();

    /// The compiler makes the vectors.
    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        let (b1, b2, epsilon) = (self.p.beta1, self.p.beta2, self.p.epsilon);
        let (c1, c2) = (1.0 - b1, 1.0 - b2);
        for (((w, &g), m), v) in self.w.iter_mut().zip(self.g).zip(self.m).zip(self.v) {
            let g = g * self.inverse;
            *m = b1 * *m + c1 * g;
            *v = b2 * *v + c2 * (g * g);
            *w -= self.rate * *m / (v.sqrt() * self.root_scale + epsilon);
        }
        self.followers.follow(self.decay, self.w);
    }
}

/// One momentum SGD step on weights and velocity, with gradients that are to be multiplied by `inverse`.
pub fn sgd<T: Element>(
    isa: Isa,
    d: &Sgd,
    state: StepState,
    (g, inverse): (&[f32], f32),
    [w, u]: [&mut [f32]; 2],
    followers: Followers<T>,
) {
    let followers = followers.chunks(w.len());
    w.par_chunks_mut(CHUNK).zip(g.par_chunks(CHUNK)).zip(u.par_chunks_mut(CHUNK)).zip(followers).enumerate().for_each(
        |(chunk, (((w, g), u), followers))| {
            let (lr, decay, first) = (state.lr, state.ema_decay, chunk * CHUNK);
            isa.run(SgdChunk { d, lr, inverse, decay, first, w, g, u, followers });
        },
    );
}

/// A chunk of a momentum SGD step.
struct SgdChunk<'a, T> {
    d: &'a Sgd,
    lr: f32,
    inverse: f32,
    decay: f32,
    /// Place of the chunk in the arena.
    first: usize,
    w: &'a mut [f32],
    g: &'a [f32],
    u: &'a mut [f32],
    followers: Followers<'a, T>,
}

impl<T: Element> Job for SgdChunk<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, _zero: V) {
        for (i, ((w, &g), u)) in self.w.iter_mut().zip(self.g).zip(self.u).enumerate() {
            let at = self.first + i;
            let penalised = self.d.decayed.iter().any(|&(o, l)| (o..o + l).contains(&at));
            let l2 = if penalised { self.d.params.l2 } else { 0.0 };
            *u = self.d.params.momentum * *u + (g * self.inverse + l2 * *w);
            *w -= self.lr * *u;
        }
        self.followers.follow(self.decay, self.w);
    }
}
