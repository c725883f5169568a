//! Winograd's transforms of one line: the rows of B, A and G.
//!
//! The interpolation points are 0, +-3/4, +-3/2 and infinity, exact in binary. They keep the rounding error about a
//! third of that of the usual 0, +-1, +-2 (Barabasz et al., "Error analysis and improving the accuracy of Winograd
//! convolution", ACM TOMS 2020, on why), and each row is scaled by a power of two so that B and G share the range.

// Indexed loops over fixed arrays unroll and stay in registers; iterator chains here did not.
#![allow(clippy::needless_range_loop)]

use crate::cpu::vector::Vector;

/// Output pixels of a tile along an axis.
pub(super) const M: usize = 4;
/// Input pixels of a tile along an axis.
pub(super) const T: usize = 6;

/// The two pairs of points.
const A: f32 = 0.75;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
/// Scale of B's rows for the points 0, +-a, +-b, infinity; G's rows have the inverse.
const SCALE: [f32; 4] = [1.0, 0.5, 1.0, 1.0];
/// Denominators of G's rows for the points 0, +-a, +-b.
const D: [f32; 3] = [A2 * B2, 2.0 * A2 * (A2 - B2), 2.0 * B2 * (B2 - A2)];

/// A transform of one line. A trait and not a function argument: a function passed as a value is called through code
/// that is not compiled for the caller's vectors.
pub(super) trait Line<const I: usize, const O: usize>: Sync {
    /// The transform of one line.
    fn apply<V: Vector>(&self, line: [V; I]) -> [V; O];
}

/// The rows of `B^T` for the points `+-p`, the other pair being `+-sqrt(other)`.
#[inline(always)]
fn input_pair<V: Vector>(d: [V; T], p: f32, other: f32, scale: f32) -> (V, V) {
    let even = d[4].minus(d[2].times(other)).times(scale);
    let odd = d[3].minus(d[1].times(other)).times(p * scale);
    (even.plus(odd), even.minus(odd))
}

/// The rows of `B^T` for 0 and infinity.
#[inline(always)]
fn input_end<V: Vector>(low: V, middle: V, high: V) -> V {
    low.times(A2 * B2).minus(middle.times(A2 + B2)).plus(high)
}

/// `B^T d` for one line of six.
pub(super) struct InputLine;

impl Line<T, T> for InputLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, d: [V; T]) -> [V; T] {
        let (a, minus_a) = input_pair(d, A, B2, 1.0 / SCALE[1]);
        let (b, minus_b) = input_pair(d, B, A2, 1.0 / SCALE[2]);
        let first = input_end(d[0], d[2], d[4]).times(1.0 / SCALE[0]);
        let last = input_end(d[1], d[3], d[5]).times(1.0 / SCALE[3]);
        [first, a, minus_a, b, minus_b, last]
    }
}

/// `A^T m` for one line of six.
pub(super) struct OutputLine;

impl Line<T, M> for OutputLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, m: [V; T]) -> [V; M] {
        let (p, q) = (m[1].plus(m[2]), m[1].minus(m[2]));
        let (r, u) = (m[3].plus(m[4]), m[3].minus(m[4]));
        [
            m[0].plus(p).plus(r),
            q.times(A).plus(u.times(B)),
            p.times(A2).plus(r.times(B2)),
            q.times(A * A2).plus(u.times(B * B2)).plus(m[5]),
        ]
    }
}

/// The rows of `A` for the points `+-p`.
#[inline(always)]
fn gradient_pair<V: Vector>(y: [V; M], p: f32) -> (V, V) {
    let even = y[0].plus(y[2].times(p * p));
    let odd = y[1].plus(y[3].times(p * p)).times(p);
    (even.plus(odd), even.minus(odd))
}

/// `A y` for one line of four: the transpose of [`OutputLine`].
pub(super) struct GradientLine;

impl Line<M, T> for GradientLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, y: [V; M]) -> [V; T] {
        let (a, minus_a) = gradient_pair(y, A);
        let (b, minus_b) = gradient_pair(y, B);
        [y[0], a, minus_a, b, minus_b, y[3]]
    }
}

/// The rows of `G` for the points `+-p`.
#[inline(always)]
fn weight_pair<V: Vector>(g: [V; 3], p: f32, factor: f32) -> (V, V) {
    let even = g[0].plus(g[2].times(p * p)).times(factor);
    let odd = g[1].times(p * factor);
    (even.plus(odd), even.minus(odd))
}

/// `G g` for one line of three.
pub(super) struct WeightLine;

impl Line<3, T> for WeightLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, g: [V; 3]) -> [V; T] {
        let (a, minus_a) = weight_pair(g, A, SCALE[1] / D[1]);
        let (b, minus_b) = weight_pair(g, B, SCALE[2] / D[2]);
        let (first, last) = (g[0].times(SCALE[0] / D[0]), g[2].times(SCALE[3]));
        [first, a, minus_a, b, minus_b, last]
    }
}

/// `G^T u` for one line of six: the transpose of [`WeightLine`].
pub(super) struct WeightGradientLine;

impl Line<T, 3> for WeightGradientLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, u: [V; T]) -> [V; 3] {
        let (fa, fb) = (SCALE[1] / D[1], SCALE[2] / D[2]);
        let (ea, oa) = (u[1].plus(u[2]).times(fa), u[1].minus(u[2]).times(fa));
        let (eb, ob) = (u[3].plus(u[4]).times(fb), u[3].minus(u[4]).times(fb));
        [
            u[0].times(SCALE[0] / D[0]).plus(ea).plus(eb),
            oa.times(A).plus(ob.times(B)),
            ea.times(A2).plus(eb.times(B2)).plus(u[5].times(SCALE[3])),
        ]
    }
}

/// A line transform in both directions: along the columns of an `I x I` tile, then along its rows.
#[inline(always)]
pub(super) fn both<V: Vector, const I: usize, const O: usize>(
    transform: &impl Line<I, O>,
    tile: &[[V; I]; I],
) -> [[V; O]; O] {
    let mut half = [[tile[0][0]; I]; O];
    for j in 0..I {
        let mut column = [tile[0][0]; I];
        for i in 0..I {
            column[i] = tile[i][j];
        }
        let turned = transform.apply(column);
        for i in 0..O {
            half[i][j] = turned[i];
        }
    }
    let mut out = [[tile[0][0]; O]; O];
    for i in 0..O {
        out[i] = transform.apply(half[i]);
    }
    out
}
