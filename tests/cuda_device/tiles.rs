//! Every tile, and Winograd's algorithm, on shapes that the choice by shape would give to others: all but the large
//! ones, which `--all` adds in `tests/cuda/conformance.rs`.

use crate::{no_findings, softgpu};
use std::ops::Range;
use warp19::conformance::{self, Case, cases};
use warp19::cuda::CudaDevice;
use warp19::device::Precision;
use warp19::ops::operation::Kind;

/// Runs the layers with weights of at most so many floating-point operations that `chosen` takes.
fn agrees(d: &mut CudaDevice, precision: Precision, chosen: &dyn Fn(&Case) -> bool) {
    let mut count = 0;
    for case in cases::all(precision) {
        let Case::Operation(kind @ Kind::Layer(_)) = &case else { continue };
        if chosen(&case) && kind.describe(precision).flops <= 20_000_000 {
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
    d.set_winograd(Some(false));
    for tile in 0..4 {
        d.set_tile(Some(tile));
        agrees(d, Precision::F32, &|_| true);
    }
}

/// Tensor cores: each tile in a precision, with the ways of reading that all have between them.
#[test]
fn every_tile_computes_every_small_shape_on_tensor_cores() {
    let tiles = [(Precision::Bf16, 0..4), (Precision::F16, 2..3), (Precision::Tf32, 1..2), (Precision::Tf32x3, 0..1)];
    on_tensor_cores(tiles);
}

#[test]
#[ignore = "the tiles of all precisions, beside some of each above; scripts/test.sh --all runs it"]
fn every_tile_of_every_precision_computes_every_small_shape() {
    on_tensor_cores(Precision::ALL[1..].iter().map(|&precision| (precision, 0..4)));
}

fn on_tensor_cores(tiles: impl IntoIterator<Item = (Precision, Range<usize>)>) {
    let (_alone, d) = &mut softgpu("all", "0");
    for (precision, tiles) in tiles {
        for tile in tiles {
            d.set_tile(Some(tile));
            agrees(d, precision, &|_| true);
        }
    }
}

#[test]
fn winograd_computes_every_small_shape() {
    let (_alone, d) = &mut softgpu("all", "0");
    d.set_winograd(Some(true));
    agrees(d, Precision::F32, &|case| case.group() == "conv");
}
