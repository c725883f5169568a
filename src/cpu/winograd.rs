//! 3x3 convolution by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//!
//! For one tile, with d its 6x6 input and g the kernel (Lavin and Gray, arXiv 1509.09308):
//! `Y = A^T [(G g G^T) . (B^T d B)] A`, where `.` multiplies element by element. Summed over input channels, each of the 36
//! elements is a matrix product `[tiles, C] x [C, K]`. The weight gradient is the transposed map of the same form:
//! `dg = G^T [(A dY A^T) . (B^T d B)] G`, summed over tiles.
//!
//! The interpolation points are 0, +-3/4, +-3/2 and infinity, exact in binary. They keep the rounding error about a third
//! of that of the usual 0, +-1, +-2 (Barabasz et al., "Error analysis and improving the accuracy of Winograd convolution",
//! ACM TOMS 2020, on why), and each row is scaled by a power of two so that B and G share the range.

#![allow(clippy::needless_range_loop)] // Indexed loops over fixed arrays unroll and stay in registers; iterator chains here did not.

use super::conv::Epilogue;
use super::gemm::{Isa, Strided, gemm};
use super::parallel::{Shared, for_each};
use super::vector::Vector;
use crate::ops::conv::ConvShape;

/// Output pixels of a tile along an axis.
const M: usize = 4;
/// Input pixels of a tile along an axis.
const T: usize = 6;
/// Channels handled at once.
const L: usize = 16;
/// Elements of a transformed tile.
const F: usize = T * T;

/// The two pairs of points.
const A: f32 = 0.75;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;
/// Scale of B's rows for the points 0, +-a, +-b, infinity; G's rows have the inverse.
const SCALE: [f32; 4] = [1.0, 0.5, 1.0, 1.0];
/// Denominators of G's rows for the points 0, +-a, +-b.
const D: [f32; 3] = [A2 * B2, 2.0 * A2 * (A2 - B2), 2.0 * B2 * (B2 - A2)];

/// Whether a convolution is computed this way: the channels fill vectors, and the map is worth a tile.
pub fn applies(s: &ConvShape) -> bool {
    s.kernel == 3 && s.c.is_multiple_of(L) && s.k.is_multiple_of(L) && s.h >= 3 && s.w >= 3
}

/// Memory reused from call to call.
#[derive(Default)]
pub struct Buffers {
    /// Transformed input, `[F][tiles][C]`, padded.
    x: Vec<f32>,
    /// Products, `[F][tiles][K]`, or the transformed output gradient.
    y: Vec<f32>,
    /// Transformed weights or their gradient, `[F][C][K]`.
    w: Vec<f32>,
}

/// A transform of one line. A trait and not a function argument: a function passed as a value is called through code that
/// is not compiled for the caller's vectors.
trait Line<const I: usize, const O: usize> {
    fn apply<V: Vector>(line: [V; I]) -> [V; O];
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
struct InputLine;

impl Line<T, T> for InputLine {
    #[inline(always)]
    fn apply<V: Vector>(d: [V; T]) -> [V; T] {
        let (a, minus_a) = input_pair(d, A, B2, 1.0 / SCALE[1]);
        let (b, minus_b) = input_pair(d, B, A2, 1.0 / SCALE[2]);
        let first = input_end(d[0], d[2], d[4]).times(1.0 / SCALE[0]);
        let last = input_end(d[1], d[3], d[5]).times(1.0 / SCALE[3]);
        [first, a, minus_a, b, minus_b, last]
    }
}

/// `A^T m` for one line of six.
struct OutputLine;

impl Line<T, M> for OutputLine {
    #[inline(always)]
    fn apply<V: Vector>(m: [V; T]) -> [V; M] {
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
struct GradientLine;

impl Line<M, T> for GradientLine {
    #[inline(always)]
    fn apply<V: Vector>(y: [V; M]) -> [V; T] {
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
struct WeightLine;

impl Line<3, T> for WeightLine {
    #[inline(always)]
    fn apply<V: Vector>(g: [V; 3]) -> [V; T] {
        let (a, minus_a) = weight_pair(g, A, SCALE[1] / D[1]);
        let (b, minus_b) = weight_pair(g, B, SCALE[2] / D[2]);
        let (first, last) = (g[0].times(SCALE[0] / D[0]), g[2].times(SCALE[3]));
        [first, a, minus_a, b, minus_b, last]
    }
}

/// `G^T u` for one line of six: the transpose of [`WeightLine`].
struct WeightGradientLine;

impl Line<T, 3> for WeightGradientLine {
    #[inline(always)]
    fn apply<V: Vector>(u: [V; T]) -> [V; 3] {
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
fn both<X: Line<I, O>, V: Vector, const I: usize, const O: usize>(
    tile: &[[V; I]; I],
) -> [[V; O]; O] {
    let mut half = [[V::zero(); I]; O];
    for j in 0..I {
        let mut column = [V::zero(); I];
        for i in 0..I {
            column[i] = tile[i][j];
        }
        let turned = X::apply(column);
        for i in 0..O {
            half[i][j] = turned[i];
        }
    }
    let mut out = [[V::zero(); O]; O];
    for i in 0..O {
        out[i] = X::apply(half[i]);
    }
    out
}

/// The sizes of one call and where things lie in its buffers.
#[derive(Clone, Copy)]
struct Plan {
    s: ConvShape,
    /// Tiles of an image along each axis.
    rows: usize,
    columns: usize,
    /// Images transformed at a time.
    images: usize,
    /// Distance of tiles in the transformed input and products. Not a power of two: a power would send all rows of a
    /// register tile to one set of the cache.
    x_stride: usize,
    y_stride: usize,
    /// Distance of the elements of a transformed tile in each buffer; see [`spread`].
    x_distance: usize,
    y_distance: usize,
    w_distance: usize,
}

/// The distance, at least `len`, at which the 36 elements of a transformed tile are kept: an odd number of cache lines, so
/// that they fall into 36 different sets of the cache. With a power of two they would all compete for one.
fn spread(len: usize) -> usize {
    (len.div_ceil(L) | 1) * L
}

/// Bytes of transformed input to hold at a time.
const CHUNK_BYTES: usize = 6 << 20;

impl Plan {
    fn new(s: &ConvShape) -> Plan {
        let (rows, columns) = (s.h.div_ceil(M), s.w.div_ceil(M));
        let image_bytes = rows * columns * F * s.c.max(s.k) * 4;
        let images = (CHUNK_BYTES / image_bytes).clamp(1, s.n.max(1));
        let tiles = images * rows * columns;
        let (x_stride, y_stride) = (s.c + L, s.k + L);
        Plan {
            s: *s,
            rows,
            columns,
            images,
            x_stride,
            y_stride,
            x_distance: spread(tiles * x_stride),
            y_distance: spread(tiles * y_stride),
            w_distance: spread(s.c * s.k),
        }
    }

    fn reserve(&self, buffers: &mut Buffers) {
        let grow = |v: &mut Vec<f32>, len: usize| v.resize(v.len().max(len), 0.0);
        grow(&mut buffers.x, F * self.x_distance);
        grow(&mut buffers.y, F * self.y_distance);
        grow(&mut buffers.w, F * self.w_distance);
    }

    /// Image, first row and first column of output tile `t` of a chunk that starts at image `first`.
    fn place(&self, first: usize, t: usize) -> (usize, usize, usize) {
        let per_image = self.rows * self.columns;
        let at = t % per_image;
        (
            first + t / per_image,
            at / self.columns * M,
            at % self.columns * M,
        )
    }

    /// Reads an `I x I` tile of `channels`-channel pixels from row `i0` and column `j0` on; outside is zero.
    #[inline(always)]
    fn read<V: Vector, const I: usize>(
        &self,
        from: &[f32],
        channels: usize,
        n: usize,
        (i0, j0): (isize, isize),
        c: usize,
    ) -> [[V; I]; I] {
        let mut tile = [[V::zero(); I]; I];
        for (i, line) in tile.iter_mut().enumerate() {
            let y = i0 + i as isize;
            if y < 0 || y >= self.s.h as isize {
                continue;
            }
            for (j, v) in line.iter_mut().enumerate() {
                let x = j0 + j as isize;
                if x < 0 || x >= self.s.w as isize {
                    continue;
                }
                let at = ((n * self.s.h + y as usize) * self.s.w + x as usize) * channels + c;
                *v = unsafe { V::load(from[at..at + V::LANES].as_ptr()) };
            }
        }
        tile
    }
}

/// A transformation of many tiles, each by itself.
trait Tiles: Sync {
    /// Transforms number `t`. Always inlined, so that it is compiled for the vectors of whoever calls it.
    fn tile<V: Vector>(&self, t: usize);
}

/// `out[f][t][c] = (B^T d B)[f]` for the tiles of a chunk.
struct Input<'a> {
    plan: &'a Plan,
    x: &'a [f32],
    first: usize,
    out: Shared,
}

impl Tiles for Input<'_> {
    #[inline(always)]
    fn tile<V: Vector>(&self, t: usize) {
        let (c, stride) = (self.plan.s.c, self.plan.x_stride);
        let (n, i, j) = self.plan.place(self.first, t);
        let corner = (i as isize - 1, j as isize - 1);
        for c0 in (0..c).step_by(V::LANES) {
            let d = self.plan.read::<V, T>(self.x, c, n, corner, c0);
            let offset = t * stride + c0;
            put(
                &both::<InputLine, V, T, T>(&d),
                self.out,
                self.plan.x_distance,
                offset,
            );
        }
    }
}

/// `out[f][t][k] = (A dY A^T)[f]` for the tiles of a chunk.
struct Gradient<'a> {
    plan: &'a Plan,
    dy: &'a [f32],
    first: usize,
    out: Shared,
}

impl Tiles for Gradient<'_> {
    #[inline(always)]
    fn tile<V: Vector>(&self, t: usize) {
        let (k, stride) = (self.plan.s.k, self.plan.y_stride);
        let (n, i, j) = self.plan.place(self.first, t);
        let corner = (i as isize, j as isize);
        for k0 in (0..k).step_by(V::LANES) {
            let y = self.plan.read::<V, M>(self.dy, k, n, corner, k0);
            let offset = t * stride + k0;
            put(
                &both::<GradientLine, V, M, T>(&y),
                self.out,
                self.plan.y_distance,
                offset,
            );
        }
    }
}

/// `y = A^T m A` with an epilogue, for the pixels of a chunk's tiles that lie inside the map.
struct Output<'a> {
    plan: &'a Plan,
    products: Shared,
    first: usize,
    y: Shared,
    end: Epilogue<'a>,
}

impl Tiles for Output<'_> {
    #[inline(always)]
    fn tile<V: Vector>(&self, t: usize) {
        let (s, stride) = (&self.plan.s, self.plan.y_stride);
        let (n, i0, j0) = self.plan.place(self.first, t);
        for k0 in (0..s.k).step_by(V::LANES) {
            let m: [[V; T]; T] = get(self.products, self.plan.y_distance, t * stride + k0);
            let out = both::<OutputLine, V, T, M>(&m);
            for (i, line) in out.iter().enumerate().take(s.h - i0) {
                for (j, v) in line.iter().enumerate().take(s.w - j0) {
                    let at = ((n * s.h + i0 + i) * s.w + j0 + j) * s.k;
                    // Safety: each pixel belongs to one tile, and tiles to one thread.
                    unsafe { self.end.apply_vector(*v, at, k0).store(self.y.add(at + k0)) };
                }
            }
        }
    }
}

/// `out[f][c][k] = (G w[.,.,c,k] G^T)[f]`; a "tile" is an input channel.
struct Weights<'a> {
    plan: &'a Plan,
    w: &'a [f32],
    out: Shared,
}

impl Tiles for Weights<'_> {
    #[inline(always)]
    fn tile<V: Vector>(&self, c_in: usize) {
        let (c, k) = (self.plan.s.c, self.plan.s.k);
        for k0 in (0..k).step_by(V::LANES) {
            let mut g = [[V::zero(); 3]; 3];
            for (tap, v) in g.iter_mut().flatten().enumerate() {
                let at = (tap * c + c_in) * k + k0;
                *v = unsafe { V::load(self.w[at..at + V::LANES].as_ptr()) };
            }
            put(
                &both::<WeightLine, V, 3, T>(&g),
                self.out,
                self.plan.w_distance,
                c_in * k + k0,
            );
        }
    }
}

/// `dw[.,.,c,k] = (G^T u G)` of the summed products; a "tile" is an input channel.
struct WeightGradient<'a> {
    plan: &'a Plan,
    sums: Shared,
    dw: Shared,
}

impl Tiles for WeightGradient<'_> {
    #[inline(always)]
    fn tile<V: Vector>(&self, c_in: usize) {
        let (c, k) = (self.plan.s.c, self.plan.s.k);
        for k0 in (0..k).step_by(V::LANES) {
            let u: [[V; T]; T] = get(self.sums, self.plan.w_distance, c_in * k + k0);
            let g = both::<WeightGradientLine, V, T, 3>(&u);
            for (tap, v) in g.iter().flatten().enumerate() {
                unsafe { v.store(self.dw.add((tap * c + c_in) * k + k0)) };
            }
        }
    }
}

/// Tiles a thread takes at a time.
const GROUP: usize = 8;

/// Runs a transformation over its tiles, compiled for the processor's vectors. Without fused multiply-adds, so that every
/// processor rounds alike.
fn run<J: Tiles>(count: usize, job: &J) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    fn avx512<J: Tiles>(job: &J, t: usize) {
        job.tile::<std::arch::x86_64::__m512>(t);
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn avx2<J: Tiles>(job: &J, t: usize) {
        job.tile::<std::arch::x86_64::__m256>(t);
    }
    for_each(count.div_ceil(GROUP), |group| {
        for t in group * GROUP..count.min((group + 1) * GROUP) {
            match Isa::detect() {
                // Safety: the processor has the instructions.
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => unsafe { avx512(job, t) },
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => unsafe { avx2(job, t) },
                _ => job.tile::<f32>(t),
            }
        }
    });
}

/// Writes a transformed tile: element f at `offset + f * distance`.
#[inline(always)]
fn put<V: Vector>(tile: &[[V; T]; T], to: Shared, distance: usize, offset: usize) {
    for (f, v) in tile.iter().flatten().enumerate() {
        unsafe { v.store(to.add(f * distance + offset)) };
    }
}

/// Reads a transformed tile.
#[inline(always)]
fn get<V: Vector>(from: Shared, distance: usize, offset: usize) -> [[V; T]; T] {
    let mut tile = [[V::zero(); T]; T];
    for (f, v) in tile.iter_mut().flatten().enumerate() {
        *v = unsafe { V::load(from.add(f * distance + offset)) };
    }
    tile
}

/// `y = conv(x, w)` with an epilogue.
pub fn forward(
    s: &ConvShape,
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    end: Epilogue,
    buffers: &mut Buffers,
) {
    let plan = Plan::new(s);
    plan.reserve(buffers);
    let (to_x, to_y) = (
        Shared(buffers.x.as_mut_ptr()),
        Shared(buffers.y.as_mut_ptr()),
    );
    let to_w = Shared(buffers.w.as_mut_ptr());
    let out = Shared(y.as_mut_ptr());
    run(
        s.c,
        &Weights {
            plan: &plan,
            w,
            out: to_w,
        },
    );
    for first in (0..s.n).step_by(plan.images) {
        let tiles = plan.images.min(s.n - first) * plan.rows * plan.columns;
        let input = Input {
            plan: &plan,
            x,
            first,
            out: to_x,
        };
        run(tiles, &input);
        for_each(F, |f| {
            let a = Strided {
                at: to_x.add(f * plan.x_distance),
                row: plan.x_stride,
                column: 1,
            };
            let b = to_w.add(f * plan.w_distance);
            let c = to_y.add(f * plan.y_distance);
            unsafe { gemm((tiles, s.k, s.c), a, b, s.k, c, plan.y_stride, false) };
        });
        let output = Output {
            plan: &plan,
            products: to_y,
            first,
            y: out,
            end,
        };
        run(tiles, &output);
    }
}

/// `dw` from the layer's input and output gradient.
pub fn backward_weight(
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
    buffers: &mut Buffers,
) {
    let plan = Plan::new(s);
    plan.reserve(buffers);
    let (to_x, to_y) = (
        Shared(buffers.x.as_mut_ptr()),
        Shared(buffers.y.as_mut_ptr()),
    );
    let sums = Shared(buffers.w.as_mut_ptr());
    for first in (0..s.n).step_by(plan.images) {
        let tiles = plan.images.min(s.n - first) * plan.rows * plan.columns;
        let input = Input {
            plan: &plan,
            x,
            first,
            out: to_x,
        };
        let gradient = Gradient {
            plan: &plan,
            dy,
            first,
            out: to_y,
        };
        run(tiles, &input);
        run(tiles, &gradient);
        for_each(F, |f| {
            let a = Strided {
                at: to_x.add(f * plan.x_distance),
                row: 1,
                column: plan.x_stride,
            };
            let b = to_y.add(f * plan.y_distance);
            let c = sums.add(f * plan.w_distance);
            unsafe { gemm((s.c, s.k, tiles), a, b, plan.y_stride, c, s.k, first > 0) };
        });
    }
    let dw = Shared(dw.as_mut_ptr());
    run(
        s.c,
        &WeightGradient {
            plan: &plan,
            sums,
            dw,
        },
    );
}
