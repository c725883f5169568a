//! The kernels at full batches on softgpu: against the naive ones on the device, and single results against sums on the
//! host where even that would take too long.

use crate::common::operation::{conv, run};
use crate::softgpu;
use warp19::conformance::{full, values};
use warp19::cuda::CudaDevice;
use warp19::cuda::operations::naive::Within;
use warp19::device::{DType, Device, Owner, Precision, View, download_f32, upload_f32};
use warp19::ops::conv::ConvShape;
use warp19::ops::layer::{LayerPass, LayerShape, Pass};
use warp19::ops::operation::Kind;

fn agrees_with_naive(d: &mut CudaDevice, kind: &Kind, precision: Precision) {
    let found = full::against_naive(d, kind, precision).unwrap();
    assert!(!found.is_empty(), "{kind:?}");
    for c in found {
        println!("{} {}: {:.1} % of the bound, NMSE {:.1e}", c.operation, c.shape, 100.0 * c.share_of_bound, c.nmse);
        assert!(c.failure.is_none(), "{c:?}");
    }
}

/// Without checks, with which the conformance suite runs the tiled kernels in these shapes and `tests/cuda_device/gemm`
/// and `precision` the naive ones.
#[test]
fn every_layer_agrees_with_the_naive_kernels() {
    let (_alone, mut d) = softgpu("none", "0");
    for kind in full::kinds(2).iter().filter(|kind| matches!(kind, Kind::Layer(_))) {
        // 4096 by 4096 weights are many for one thread each.
        if !matches!(kind, Kind::Layer(LayerPass { shape: LayerShape::Linear(_), .. })) {
            agrees_with_naive(&mut d, kind, Precision::F32);
        }
    }
}

#[test]
fn a_difference_is_found_wherever_it_is() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    for len in [1, 255, 300_001] {
        let reference = values(1, len, 1.0);
        let [a, b] = [0; 2].map(|_| d.alloc(DType::F32, len).unwrap());
        upload_f32(d, b, &reference).unwrap();
        let compare = |d: &mut CudaDevice, at: usize, value: f32| {
            let mut result = reference.clone();
            result[at] = value;
            upload_f32(d, a, &result).unwrap();
            d.difference(a, b, Within { absolute: 1e-5, relative: 1e-4, sums: None }).unwrap()
        };
        let power: f64 = reference.iter().map(|v| f64::from(*v).powi(2)).sum();
        for at in [0, len / 2, len - 1] {
            let same = compare(d, at, reference[at]);
            assert_eq!((same.share, same.most, same.error), (0.0, 0.0, 0.0));
            assert!((same.power - power).abs() <= 1e-9 * power);
            let value = reference[at] + 1e-3;
            let by = f64::from(value) - f64::from(reference[at]);
            let found = compare(d, at, value);
            let bound = 1e-5f64.max(1e-4 * f64::from(value).abs().max(f64::from(reference[at]).abs()));
            assert_eq!((found.worst, found.most), (at, by.abs()), "{len}");
            assert!((found.share - by.abs() / bound).abs() <= 1e-9 * found.share && found.error == by * by);
            for bad in [f32::NAN, f32::INFINITY] {
                let found = compare(d, at, bad);
                assert_eq!((found.worst, found.share), (at, f64::INFINITY), "{bad}");
            }
        }
    }
}

/// A few of the shapes that `verify` times on a GPU, at their batches.
#[test]
#[ignore = "minutes; scripts/test.sh --all runs it"]
fn full_batches_agree_with_the_naive_kernels() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    let chosen = |kind: &Kind, size: usize| match kind {
        Kind::Layer(LayerPass { shape: LayerShape::Conv(s), .. }) => s.h == size,
        _ => false,
    };
    for (batch, size) in [(64, 28), (128, 2)] {
        for kind in full::kinds(batch).iter().filter(|kind| chosen(kind, size)) {
            for precision in Precision::ALL {
                agrees_with_naive(d, kind, precision);
            }
        }
    }
    // Every tile at a batch where the weight gradient's products pass 2^32 many times over.
    let s = ConvShape { n: 64, h: 28, w: 28, c: 64, k: 8, kernel: 3 };
    d.set_winograd(Some(false));
    for tile in 0..4 {
        d.set_tile(Some(tile));
        for pass in [Pass::Forward { relu: true }, Pass::BackwardData { masked: true }, Pass::BackwardWeight] {
            for precision in [Precision::F32, Precision::Bf16] {
                agrees_with_naive(d, &conv(&s, pass), precision);
            }
        }
    }
}

/// `len` numbers that are easy to make where they are needed: uniform in [-1, 1].
fn number(seed: u32, at: usize) -> f32 {
    let mut x = (at as u32).wrapping_mul(0x9E37_79B1).wrapping_add(seed);
    x = (x ^ x >> 15).wrapping_mul(0x85EB_CA6B);
    x = (x ^ x >> 13).wrapping_mul(0xC2B2_AE35);
    ((x ^ x >> 16) >> 8) as f32 / 8_388_608.0 - 1.0
}

fn filled(d: &mut CudaDevice, owner: &Owner, seed: u32, len: usize) -> View {
    let view = d.alloc_for(owner, DType::F32, len).unwrap();
    const PIECE: usize = 1 << 22;
    for start in (0..len).step_by(PIECE) {
        let piece: Vec<f32> = (start..len.min(start + PIECE)).map(|i| number(seed, i)).collect();
        upload_f32(d, view.slice(start, piece.len()), &piece).unwrap();
    }
    view
}

/// Batch 1024 of 28x28x64 and batch 64 of 224x224x64, each with few channels on the other side: single results, the
/// first and the last among them, against sums in double on the host.
#[test]
#[ignore = "minutes and 3 GiB; scripts/test.sh --all runs it"]
fn the_largest_batches_are_right() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    for (n, size, c, k) in [(1024, 28, 64, 4), (1024, 28, 4, 64), (64, 224, 64, 4), (64, 224, 4, 64)] {
        let s = ConvShape { n, h: size, w: size, c, k, kernel: 3 };
        let owner = Owner::new();
        let [x, w, dy] =
            [(1, s.x_len()), (2, s.w_len()), (3, s.y_len())].map(|(seed, len)| filled(d, &owner, seed, len));
        let [b, y, dx, dw, db] =
            [s.k, s.y_len(), s.x_len(), s.w_len(), s.k].map(|len| d.alloc_for(&owner, DType::F32, len).unwrap());
        d.zero(b).unwrap();
        run(d, conv(&s, Pass::Forward { relu: false }), &[x, w, b, y]);
        run(d, conv(&s, Pass::BackwardData { masked: false }), &[dy, w, dx]);
        run(d, conv(&s, Pass::BackwardWeight), &[x, dy, dw, db]);
        let mut one = |view: View, at: usize| f64::from(download_f32(d, view.slice(at, 1)).unwrap()[0]);
        let close = |what: &str, at: usize, got: f64, want: f64, terms: usize| {
            // Terms are at most 1: rounding of float32, of as many additions as they have.
            let bound = 1e-4 * want.abs().max((terms as f64).sqrt());
            assert!((got - want).abs() <= bound, "{what} {at} of {s:?}: {got}, not {want}");
        };
        let spread = |len: usize| (0..40).map(move |i| (len - 1) / 39 * i).chain([len - 1]);
        for at in spread(s.y_len()) {
            close("y", at, one(y, at), sum(&s, at, false), 9 * c);
        }
        for at in spread(s.x_len()) {
            close("dx", at, one(dx, at), sum(&s, at, true), 9 * k);
        }
        for at in spread(s.w_len()).step_by(4) {
            let (to, from, tap) = (at % k, at / k % c, at / k / c);
            let mut want = 0.0;
            for pixel in 0..n * size * size {
                let (i, j) = (pixel / size % size + tap / 3, pixel % size + tap % 3);
                if (1..=size).contains(&i) && (1..=size).contains(&j) {
                    let away = (pixel + tap / 3 * size + tap % 3 - size - 1) * c + from;
                    want += f64::from(number(1, away)) * f64::from(number(3, pixel * k + to));
                }
            }
            close("dw", at, one(dw, at), want, n * size * size);
        }
    }
}

/// Element `at` of y, or of dx, by the definition.
fn sum(s: &ConvShape, at: usize, backward: bool) -> f64 {
    let (own, other) = if backward { (s.c, s.k) } else { (s.k, s.c) };
    let (channel, pixel) = (at % own, at / own);
    let mut sum = 0.0;
    for tap in 0..9 {
        // The flipped kernel looks the other way.
        let (u, v) = if backward { (2 - tap / 3, 2 - tap % 3) } else { (tap / 3, tap % 3) };
        let (i, j) = (pixel / s.w % s.h + u, pixel % s.w + v);
        if !(1..=s.h).contains(&i) || !(1..=s.w).contains(&j) {
            continue;
        }
        let there = pixel + u * s.w + v - s.w - 1;
        for l in 0..other {
            let weight = if backward { (tap * s.c + channel) * s.k + l } else { (tap * s.c + l) * s.k + channel };
            sum += f64::from(number(if backward { 3 } else { 1 }, there * other + l)) * f64::from(number(2, weight));
        }
    }
    sum
}
