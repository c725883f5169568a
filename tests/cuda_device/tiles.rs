//! Every tile, and Winograd's algorithm, on shapes that the choice by shape would give to others: all but the large
//! ones, which `--all` adds in `tests/cuda/conformance.rs`.

use crate::{no_findings, softgpu};
use std::ops::Range;
use warp19::conformance::{self, Case, cases, example};
use warp19::cuda::CudaDevice;
use warp19::device::{Device, Owner, Precision};
use warp19::ops::conv::ConvShape;
use warp19::ops::layer::{LayerPass, LayerShape, Pass};
use warp19::ops::linear::LinearShape;
use warp19::ops::operation::Kind;

/// Operations of a layer: several tiles each way, and more.
const SMALL: u64 = 3_000_000;
const LARGER: u64 = 20_000_000;

/// Runs the layers with weights of at most `most` floating-point operations that `chosen` takes.
fn agrees(d: &mut CudaDevice, precision: Precision, most: u64, chosen: &dyn Fn(&Case) -> bool) {
    let mut count = 0;
    for case in cases::all(precision) {
        let Case::Operation(kind @ Kind::Layer(_)) = &case else { continue };
        if chosen(&case) && kind.describe(precision).flops <= most {
            for result in conformance::run(&mut [d], &case, precision).unwrap() {
                assert!(result.failure.is_none(), "{result:?}");
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count} cases");
    no_findings(d);
}

#[test]
fn every_tile_computes_every_small_shape() {
    let (_alone, d) = &mut softgpu("all", "0");
    with_every_tile(d, SMALL);
}

#[test]
#[ignore = "larger shapes than the test above; scripts/test.sh --all runs it"]
fn every_tile_computes_larger_shapes() {
    let (_alone, d) = &mut softgpu("all", "0");
    with_every_tile(d, LARGER);
}

fn with_every_tile(d: &mut CudaDevice, most: u64) {
    d.set_winograd(Some(false));
    for tile in 0..4 {
        d.set_tile(Some(tile));
        agrees(d, Precision::F32, most, &|_| true);
    }
}

/// Tensor cores: each tile in a precision, with the ways of reading that all have between them.
#[test]
fn every_tile_computes_every_small_shape_on_tensor_cores() {
    let tiles = [(Precision::Bf16, 0..4), (Precision::F16, 2..3), (Precision::Tf32, 1..2), (Precision::Tf32x3, 0..1)];
    on_tensor_cores(tiles, SMALL);
}

#[test]
#[ignore = "the tiles of all precisions and larger shapes, beside some above; scripts/test.sh --all runs it"]
fn every_tile_of_every_precision_computes_every_small_shape() {
    on_tensor_cores(Precision::ALL[1..].iter().map(|&precision| (precision, 0..4)), LARGER);
}

fn on_tensor_cores(tiles: impl IntoIterator<Item = (Precision, Range<usize>)>, most: u64) {
    let (_alone, d) = &mut softgpu("all", "0");
    for (precision, tiles) in tiles {
        for tile in tiles {
            d.set_tile(Some(tile));
            agrees(d, precision, most, &|_| true);
        }
    }
}

#[test]
fn winograd_computes_every_small_shape() {
    let (_alone, d) = &mut softgpu("all", "0");
    d.set_winograd(Some(true));
    agrees(d, Precision::F32, LARGER, &|case| case.group() == "conv");
}

/// A tile may follow the device, because no sum's order depends on it: products and weight gradients with the sums of
/// their columns, in parts and whole, on every tile.
#[test]
fn every_tile_gives_the_same_bits() {
    let (_alone, d) = &mut softgpu("none", "0");
    let conv = |n, size, c, k| LayerShape::Conv(ConvShape { n, h: size, w: size, c, k, kernel: 3 });
    let linear = |n, inputs, outputs| LayerShape::Linear(LinearShape { n, inputs, outputs });
    for precision in [Precision::F32, Precision::Bf16, Precision::Tf32x3] {
        for shape in [linear(40, 520, 136), linear(200, 72, 80), conv(3, 14, 24, 136), conv(5, 2, 72, 80)] {
            let gathered = [Pass::Forward { relu: true }, Pass::BackwardData { masked: true }];
            let is_conv = matches!(shape, LayerShape::Conv(_));
            let passes = gathered.into_iter().filter(|_| !is_conv).chain([Pass::BackwardWeight]);
            for pass in passes {
                let kind = Kind::Layer(LayerPass { shape, pass });
                let mut first: Option<Vec<Vec<u8>>> = None;
                for tile in [None, Some(0), Some(1), Some(2), Some(3)] {
                    d.set_tile(tile);
                    let owner = Owner::new();
                    let operation = example(d, &owner, kind.clone(), precision).unwrap();
                    d.run(&operation).unwrap();
                    let mut results = Vec::new();
                    for (operand, view) in operation.operands().filter(|(o, _)| o.is_written()) {
                        let mut bytes = vec![0; operand.len * operand.dtype.size()];
                        d.download(view, &mut bytes).unwrap();
                        results.push(bytes);
                    }
                    let first = first.get_or_insert_with(|| results.clone());
                    assert!(*first == results, "{precision} {kind:?} on tile {tile:?}");
                }
            }
        }
    }
}
