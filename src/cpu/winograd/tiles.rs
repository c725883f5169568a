//! The transforms of whole tiles: input, output and its gradient, weights and theirs.

use super::lines::{GradientLine, InputLine, OutputLine, WeightGradientLine, WeightLine, both};
use super::plan::Plan;
use super::{M, T};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::Isa;
use crate::cpu::parallel::{Shared, for_each};
use crate::cpu::vector::Vector;

/// A transformation of many tiles, each by itself.
pub(super) trait Tiles: Sync {
    /// Transforms number `t`. Always inlined, so that it is compiled for the vectors of whoever calls it.
    fn tile<V: Vector>(&self, t: usize);
}

/// `out[f][t][c] = (B^T d B)[f]` for the tiles of a chunk.
pub(super) struct Input<'a> {
    pub(super) plan: &'a Plan,
    pub(super) x: &'a [f32],
    pub(super) first: usize,
    pub(super) out: Shared,
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
            put(&both::<InputLine, V, T, T>(&d), self.out, self.plan.x_distance, offset);
        }
    }
}

/// `out[f][t][k] = (A dY A^T)[f]` for the tiles of a chunk.
pub(super) struct Gradient<'a> {
    pub(super) plan: &'a Plan,
    pub(super) dy: &'a [f32],
    pub(super) first: usize,
    pub(super) out: Shared,
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
            put(&both::<GradientLine, V, M, T>(&y), self.out, self.plan.y_distance, offset);
        }
    }
}

/// `y = A^T m A` with an epilogue, for the pixels of a chunk's tiles that lie inside the map.
pub(super) struct Output<'a> {
    pub(super) plan: &'a Plan,
    pub(super) products: Shared,
    pub(super) first: usize,
    pub(super) y: Shared,
    pub(super) end: Epilogue<'a>,
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
pub(super) struct Weights<'a> {
    pub(super) plan: &'a Plan,
    pub(super) w: &'a [f32],
    pub(super) out: Shared,
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
            put(&both::<WeightLine, V, 3, T>(&g), self.out, self.plan.w_distance, c_in * k + k0);
        }
    }
}

/// `dw[.,.,c,k] = (G^T u G)` of the summed products; a "tile" is an input channel.
pub(super) struct WeightGradient<'a> {
    pub(super) plan: &'a Plan,
    pub(super) sums: Shared,
    pub(super) dw: Shared,
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
pub(super) fn run<J: Tiles>(count: usize, job: &J) {
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
