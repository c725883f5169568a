//! The transforms of weights, and of their gradient.

use super::lines::{Line, T, Tile, WeightGradientLine, WeightLine, columns};
use super::plan::{F, Place, Spectrum};
use super::tiles::Rows;
use crate::cpu::matrix::{Matrix, Shared};
use crate::cpu::vector::{Vector, WIDEST, transpose};
use crate::cpu::weights::Weights;
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// Taps of a kernel.
const TAPS: usize = 9;

/// Transformed weights of some input and output channels: `out[f][c][k] = (G g G^T)[f]`.
///
/// # Safety
/// Nobody else uses these channels of the result meanwhile.
///
/// # Panics
/// Weights of another size, or no room for them.
#[inline(always)]
pub(super) unsafe fn transform<V: Vector>(
    zero: V,
    s: &ConvShape,
    w: Weights,
    (inputs, outputs): (Range<usize>, Range<usize>),
    to: Place,
) {
    match w {
        Weights::Straight(w) => {
            let w = Matrix::new(w, TAPS, s.c * s.k);
            for (row, c) in inputs.enumerate() {
                for k in outputs.clone().step_by(V::LANES) {
                    let g = Rows::<3>::new::<V>(w, c * s.k + k);
                    // SAFETY: as the caller says.
                    unsafe { put(zero, &g, to, (row, k - outputs.start)) };
                }
            }
        }
        Weights::Turned(w) => {
            let w = Matrix::new(w, TAPS * s.k, s.c);
            for c in inputs.clone().step_by(V::LANES) {
                for k in outputs.clone().step_by(V::LANES) {
                    let g = turned(zero, w, s.k, (c, k));
                    for i in 0..V::LANES {
                        // SAFETY: as the caller says.
                        unsafe { put(zero, &Lane { taps: &g, i }, to, (c - inputs.start + i, k - outputs.start)) };
                    }
                }
            }
        }
    }
}

/// Transforms the weights of one input channel and a vector of output channels.
///
/// # Safety
/// Nobody else uses these channels of the result meanwhile.
#[inline(always)]
unsafe fn put<V: Vector>(zero: V, g: &impl Tile<3, V>, to: Place, channels: (usize, usize)) {
    for (i, half) in columns(&WeightLine, zero, g).into_iter().enumerate() {
        // SAFETY: as the caller says.
        unsafe { to.put(i, channels, WeightLine.apply(half)) };
    }
}

/// Each tap's weights of `LANES` input channels from `c` on, each a vector of the output channels from `k` on.
#[inline(always)]
fn turned<V: Vector>(zero: V, w: Matrix, outputs: usize, (c, k): (usize, usize)) -> [[V; WIDEST]; TAPS] {
    let mut taps = [[zero; WIDEST]; TAPS];
    for (tap, block) in taps.iter_mut().enumerate() {
        for (i, row) in block.iter_mut().enumerate().take(V::LANES) {
            *row = w.vector(zero, (TAPS - 1 - tap) * outputs + k + i, c);
        }
        *block = transpose(*block);
    }
    taps
}

/// The taps of input channel i of several.
struct Lane<'a, V> {
    taps: &'a [[V; WIDEST]; TAPS],
    i: usize,
}

impl<W: Vector> Tile<3, W> for Lane<'_, W> {
    #[inline(always)]
    fn read(&self, _zero: W, i: usize, j: usize) -> W {
        self.taps[3 * i + j][self.i]
    }
}

/// The gradient of transformed weights to that of the weights of some input and output channels:
/// `dw[t][c][k] (+)= (G^T u G)[t]`. `dw` begins at `at` of the memory.
///
/// # Safety
/// Nobody else uses the elements of these channels meanwhile.
///
/// # Panics
/// They are not all there.
#[inline(always)]
pub(super) unsafe fn put_gradient<V: Vector>(
    zero: V,
    s: &ConvShape,
    (inputs, outputs): (Range<usize>, Range<usize>),
    (from, sums): (Spectrum, &[f32]),
    (memory, at): (&Shared, usize),
    accumulate: bool,
) {
    let sums = Matrix::new(sums, F, from.distance);
    for (row, c) in inputs.enumerate() {
        for k in outputs.clone().step_by(V::LANES) {
            let u = Rows::<T>::new::<V>(sums, from.at(row, k - outputs.start));
            for (i, half) in columns(&WeightGradientLine, zero, &u).into_iter().enumerate() {
                for (j, v) in WeightGradientLine.apply(half).into_iter().enumerate() {
                    let at = at + ((3 * i + j) * s.c + c) * s.k + k;
                    // SAFETY: elements of these channels, as the caller allows.
                    let to = unsafe { memory.part(at..at + V::LANES) };
                    if accumulate { v.plus(v.load(to)) } else { v }.store(to);
                }
            }
        }
    }
}
