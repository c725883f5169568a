//! Winograd's transforms of one line: the rows of B, A and G.
//!
//! The interpolation points are 0, +-3/4, +-3/2 and infinity, exact in binary. They keep the rounding error about a
//! third of that of the usual 0, +-1, +-2 (Barabasz et al., "Error analysis and improving the accuracy of Winograd
//! convolution", ACM TOMS 2020, on why).

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
/// What G's rows for the points 0, +-a, +-b are divided by.
const D: [f32; 3] = [A2 * B2, 2.0 * A2 * (A2 - B2), 2.0 * B2 * (B2 - A2)];

/// A transform of one line. A trait and not a function argument: a function passed as a value is called through code
/// that is not compiled for the caller's vectors.
pub(super) trait Line<const I: usize, const O: usize>: Sync {
    /// The transform of one line.
    fn apply<V: Vector>(&self, line: [V; I]) -> [V; O];
}

/// `even + p odd` and `even - p odd`.
#[inline(always)]
fn pair<V: Vector>(even: V, odd: V, p: f32) -> (V, V) {
    (even.plus_times(odd, p), even.plus_times(odd, -p))
}

/// `B^T d` for one line of six. The rows for the points `+-p`, the other pair being `+-q`, are
/// `(d4 - q^2 d2) +- p (d3 - q^2 d1)`.
pub(super) struct InputLine;

impl Line<T, T> for InputLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, d: [V; T]) -> [V; T] {
        let (a, minus_a) = pair(d[4].plus_times(d[2], -B2), d[3].plus_times(d[1], -B2), A);
        let (b, minus_b) = pair(d[4].plus_times(d[2], -A2), d[3].plus_times(d[1], -A2), B);
        let first = d[4].plus_times(d[2], -(A2 + B2)).plus_times(d[0], A2 * B2);
        let last = d[5].plus_times(d[3], -(A2 + B2)).plus_times(d[1], A2 * B2);
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
            q.times(A).plus_times(u, B),
            p.times(A2).plus_times(r, B2),
            m[5].plus_times(q, A * A2).plus_times(u, B * B2),
        ]
    }
}

/// `A y` for one line of four: the transpose of [`OutputLine`].
pub(super) struct GradientLine;

impl Line<M, T> for GradientLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, y: [V; M]) -> [V; T] {
        let (a, minus_a) = pair(y[0].plus_times(y[2], A2), y[1].plus_times(y[3], A2), A);
        let (b, minus_b) = pair(y[0].plus_times(y[2], B2), y[1].plus_times(y[3], B2), B);
        [y[0], a, minus_a, b, minus_b, y[3]]
    }
}

/// `G g` for one line of three.
pub(super) struct WeightLine;

impl Line<3, T> for WeightLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, g: [V; 3]) -> [V; T] {
        let (a, minus_a) = pair(g[0].plus_times(g[2], A2).times(1.0 / D[1]), g[1], A / D[1]);
        let (b, minus_b) = pair(g[0].plus_times(g[2], B2).times(1.0 / D[2]), g[1], B / D[2]);
        [g[0].times(1.0 / D[0]), a, minus_a, b, minus_b, g[2]]
    }
}

/// `G^T u` for one line of six: the transpose of [`WeightLine`].
pub(super) struct WeightGradientLine;

impl Line<T, 3> for WeightGradientLine {
    #[inline(always)]
    fn apply<V: Vector>(&self, u: [V; T]) -> [V; 3] {
        let (p, q) = (u[1].plus(u[2]), u[1].minus(u[2]));
        let (r, s) = (u[3].plus(u[4]), u[3].minus(u[4]));
        [
            u[0].times(1.0 / D[0]).plus_times(p, 1.0 / D[1]).plus_times(r, 1.0 / D[2]),
            q.times(A / D[1]).plus_times(s, B / D[2]),
            u[5].plus_times(p, A2 / D[1]).plus_times(r, B2 / D[2]),
        ]
    }
}

/// A line transform along the columns of a tile of `I x I`, whose lines then need it along their own.
#[inline(always)]
pub(super) fn columns<V: Vector, const I: usize, const O: usize>(
    transform: &impl Line<I, O>,
    zero: V,
    tile: &impl Tile<I, V>,
) -> [[V; I]; O] {
    let mut half = [[zero; I]; O];
    for j in 0..I {
        let mut column = [zero; I];
        for i in 0..I {
            column[i] = tile.read(zero, i, j);
        }
        let turned = transform.apply(column);
        for i in 0..O {
            half[i][j] = turned[i];
        }
    }
    half
}

/// Where the vectors of a tile of `I x I` come from.
pub(super) trait Tile<const I: usize, V> {
    /// The vector of line i and column j, both below I.
    fn read(&self, zero: V, i: usize, j: usize) -> V;
}
