//! Every tile, and Winograd's algorithm, on shapes that the choice by shape would give to others: all but the large
//! ones, which `--all` adds in `tests/cuda/conformance.rs`.

use crate::{no_findings, softgpu};
use warp19::conformance::{self, Case, cases};
use warp19::cuda::CudaDevice;
use warp19::device::Precision;
use warp19::ops::operation::Kind;

/// Runs the layers with weights of at most so many floating-point operations that `chosen` takes.
fn agrees(d: &mut CudaDevice, chosen: &dyn Fn(&Case) -> bool) {
    let mut count = 0;
    for case in cases::all() {
        let Case::Operation(kind @ Kind::Layer(_)) = &case else { continue };
        if chosen(&case) && kind.describe(Precision::F32).flops <= 20_000_000 {
            for result in conformance::run(d, &case).unwrap() {
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
        agrees(d, &|_| true);
    }
}

#[test]
fn winograd_computes_every_small_shape() {
    let (_alone, d) = &mut softgpu("all", "0");
    d.set_winograd(Some(true));
    agrees(d, &|case| case.group() == "conv");
}
