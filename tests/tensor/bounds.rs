//! Products against the f64 reference, on factors rounded as the precision rounds them, within
//! `(k / k_mma + parts + 2) 2^-23 S + u |y|`: S is the sum of the magnitudes of the products, `k_mma` the depth of an
//! mma (in tf32x3 `k / 16 + 9` stands for `k / k_mma`), u half a unit in the last place of the result's type.
//! docs/backprop.md derives what tensor cores can be off by. Against factors that are not rounded the share of the
//! squared error is at most u^2.

use crate::kernels::{KINDS, Kernels, Product, compiler, precisions};
use half::{bf16, f16};
use warp19::cuda::operations::product::Sizes;
use warp19::device::Precision;

/// What a sum is allowed to be off by, in 2^-23 S: one for each mma that adds to it, and each part. In tf32x3 half of
/// one for each step that is added to another, 3 for the mma of a step, and 6 for what is left out: numbers are rounded
/// to 22 bits, and small times small is 2^-22 S.
fn allowed(sm: u32, precision: Precision, k: usize, parts: usize) -> f64 {
    let sums = match precision {
        Precision::Tf32 => k.div_ceil(8) as f64,
        Precision::Tf32x3 => 0.5 * (k.div_ceil(8) - 1) as f64 + 3.0 + 6.0,
        _ => k.div_ceil(if sm < 80 { 8 } else { 16 }) as f64,
    };
    sums + (parts + 2) as f64
}

/// The largest relative error of a factor.
fn unit(precision: Precision) -> f64 {
    match precision {
        Precision::Bf16 => 2f64.powi(-8),
        Precision::Tf32x3 => 2f64.powi(-22),
        _ => 2f64.powi(-11),
    }
}

fn agrees(kernels: &Kernels, p: &Product, seed: u64) {
    let got = kernels.product(p, seed);
    let precision = kernels.precision;
    let allowed = allowed(kernels.sm, precision, p.s.k, p.parts);
    let result = kernels.result(p.kind, p.wide);
    let factor = |v: f32| match precision {
        Precision::Bf16 => f64::from(bf16::from_f32(v)),
        Precision::F16 => f64::from(f16::from_f32(v)),
        Precision::Tf32x3 => f64::from(v),
        _ => precision.factor(f64::from(v)),
    };
    let [a, b]: [Vec<f64>; 2] = [&p.a, &p.b].map(|v| v.iter().map(|&v| factor(v)).collect());
    let (mut worst, mut error, mut power) = (0f64, 0.0, 0.0);
    for i in 0..p.s.m {
        for j in 0..p.s.n {
            let (mut y, mut s, mut unrounded) = (0.0, 0.0, 0.0);
            for l in 0..p.s.k {
                let (left, right) = (p.left(i, l), p.right(l, j));
                y += a[left] * b[right];
                s += (a[left] * b[right]).abs();
                unrounded += f64::from(p.a[left]) * f64::from(p.b[right]);
            }
            let got = f64::from(got[i * p.s.n + j]);
            let bound = allowed * f64::from(f32::EPSILON) * s + result.unit() * y.abs();
            worst = worst.max((got - y).abs() / bound);
            assert!((got - y).abs() <= bound, "{precision} {:?} {:?} at {i}, {j}: {got}, not {y}", p.kind, p.s);
            error += (got - unrounded).powi(2);
            power += unrounded * unrounded;
        }
    }
    let nmse = error / power;
    println!("{precision} sm_{} {:?} {:?}: {worst:.2} of the bound, NMSE {nmse:.1e}", kernels.sm, p.kind, p.s);
    // What float32 adds up to is in the contract's bound. A handful of numbers has no mean: all may be nearly zero.
    let most = if precision == Precision::Tf32x3 { 1e-7 } else { unit(precision).powi(2) };
    assert!(nmse <= most || got.len() < 100, "NMSE {nmse:.1e} of {precision}");
}

/// Every tile, rows of any length, inner dimensions shorter and longer than the stages, in parts and whole.
fn every_product(nvrtc: &str, architectures: &[u32], tiles: &[usize], seeds: &[u64]) {
    let nvrtc = compiler(nvrtc);
    for &sm in architectures {
        for &precision in precisions(sm) {
            for &tile in tiles {
                let kernels = Kernels::new(&nvrtc, sm, precision, tile);
                let sizes: &[(usize, usize, usize, usize)] = match kernels.tile.vector {
                    1 => &[(67, 65, 41, 1), (1, 10, 300, 3), (5, 3, 1, 1)],
                    _ => &[(136, 72, 24, 1), (64, 136, 328, 3), (8, 8, 8, 1), (128, 64, 96, 1)],
                };
                for (&(m, n, k, parts), seed) in sizes.iter().zip(seeds.iter().cycle()) {
                    for kind in KINDS {
                        for wide in [true, false] {
                            agrees(&kernels, &Product::drawn(kind, Sizes { m, n, k }, parts, wide), *seed);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn products_are_within_the_bound() {
    every_product("13", &[75, 86], &[0, 3], &[1, 2, 3]);
}

#[test]
#[ignore = "every tile on every architecture by both compilers; scripts/test.sh --all runs it"]
fn products_are_within_the_bound_everywhere() {
    for seeds in [[1, 2, 3], [2, 3, 1], [3, 1, 2]] {
        every_product("13", &[75, 80, 86, 89, 90], &[0, 1, 2, 3], &seeds);
    }
    every_product("12", &[75, 80, 90], &[0, 1, 2, 3], &[4]);
}
