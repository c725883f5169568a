//! A product replayed on the host, in the kernel's own order of additions, by softgpu's model of the tensor cores gives
//! the same bits: the order is the one that is written down, and nothing else is added, left out or rounded.

use crate::kernels::{KINDS, Kernels, Product, compiler, precisions};
use half::{bf16, f16};
use softgpu::numerics::mma::{Accumulator, Architecture, Element, Operation, model};
use warp19::cuda::operations::product::Sizes;
use warp19::device::{DType, Precision};

/// The mma of a precision.
fn operation(sm: u32, precision: Precision) -> Operation {
    let (a, k) = match precision {
        Precision::Bf16 => (Element::Bf16, 16),
        Precision::F16 => (Element::F16, if sm < 80 { 8 } else { 16 }),
        _ => (Element::Tf32, 8),
    };
    let architecture = Architecture::of(sm).unwrap();
    Operation { m: 16, n: 8, k, a, b: a, c: Accumulator::F32, saturate: false, architecture }.check().unwrap()
}

/// Rounded to tf32, ties away from zero.
fn tf32(v: f32) -> f32 {
    f32::from_bits((v.to_bits() + 0x1000) & !0x1fff)
}

/// The factors of each mma of a step, in their order: the pattern of each number of `a`, then of `b`.
fn factors(precision: Precision, a: f32, b: f32) -> Vec<[u64; 2]> {
    match precision {
        Precision::Bf16 => vec![[a, b].map(|v| u64::from(bf16::from_f32(v).to_bits()))],
        Precision::F16 => vec![[a, b].map(|v| u64::from(f16::from_f32(v).to_bits()))],
        Precision::Tf32 => vec![[a, b].map(|v| u64::from(tf32(v).to_bits()))],
        _ => {
            let bits = |v: f32| u64::from(v.to_bits());
            let [[big_a, small_a], [big_b, small_b]] = [a, b].map(|v| [tf32(v), tf32(v - tf32(v))]);
            vec![[bits(small_a), bits(big_b)], [bits(big_a), bits(small_b)], [bits(big_a), bits(big_b)]]
        }
    }
}

/// Element (i, j) as the kernel adds it up.
fn replay(k: &Kernels, p: &Product, i: usize, j: usize) -> f32 {
    let op = operation(k.sm, k.precision);
    let of = |l: usize| if l < p.s.k { (p.a[p.left(i, l)], p.b[p.right(l, j)]) } else { (0.0, 0.0) };
    let tiles = p.s.k.div_ceil(k.tile.k);
    let each = tiles.div_ceil(p.parts);
    let part = |z: usize| {
        let (first, end) = ((z * each).min(tiles), ((z + 1) * each).min(tiles));
        (first * k.tile.k..end * k.tile.k).step_by(op.k).fold(0, |sum, at| {
            let step: Vec<_> = (at..at + op.k).map(|l| factors(k.precision, of(l).0, of(l).1)).collect();
            let add = |sum, term: usize| model::element(&op, |l| step[l][term][0], |l| step[l][term][1], sum);
            let terms = 0..step[0].len();
            if k.precision != Precision::Tf32x3 {
                return terms.fold(sum, add);
            }
            // A step's sum is one of its own, and added as float32 adds.
            let [sum, own] = [sum, terms.fold(0, add)].map(|sum| f32::from_bits(sum as u32));
            u64::from((sum + own).to_bits())
        })
    };
    let sums = (0..p.parts).map(|z| f32::from_bits(part(z) as u32));
    let sum = if p.parts == 1 { sums.sum() } else { sums.fold(0.0, |sum, part| sum + part) };
    match k.result(p.kind, p.wide) {
        DType::Bf16 => bf16::from_f32(sum).to_f32(),
        DType::F16 => f16::from_f32(sum).to_f32(),
        _ => sum,
    }
}

#[test]
fn replayed_products_have_the_same_bits() {
    let nvrtc = compiler("13");
    for sm in [75, 80, 89, 90] {
        for &precision in precisions(sm) {
            let kernels = Kernels::new(&nvrtc, sm, precision, 0);
            for (kind, wide) in [(KINDS[0], true), (KINDS[0], false), (KINDS[1], false), (KINDS[2], true)] {
                // Beyond a tile, an inner dimension with a tail, in parts of unequal length.
                let p = Product::drawn(kind, Sizes { m: 136, n: 144, k: 200 }, 3, wide);
                let got = kernels.product(&p, u64::from(sm));
                for (at, got) in got.iter().enumerate() {
                    let (i, j) = (at / p.s.n, at % p.s.n);
                    // Every element of some rows, of the others a few.
                    if i % 16 > 0 && at % 7 > 0 {
                        continue;
                    }
                    let want = replay(&kernels, &p, i, j);
                    let what = format!("{precision} on sm_{sm}, {kind:?}, element {i}, {j}");
                    assert_eq!(got.to_bits(), want.to_bits(), "{what}: {got}, replayed {want}");
                }
            }
        }
    }
}
