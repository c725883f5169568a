//! Precisions of 16 bits: the operations around the products against their references, and the scale of the gradients.

use crate::{no_findings, softgpu};
use warp19::conformance::{self, cases};
use warp19::cuda::CudaDevice;
use warp19::device::Precision;

/// All cases of a precision that `chosen` takes agree with the reference.
fn conforms(d: &mut CudaDevice, precision: Precision, chosen: &dyn Fn(&conformance::Case) -> bool) {
    let cases: Vec<_> = cases::all(precision).into_iter().filter(chosen).collect();
    assert!(!cases.is_empty());
    for case in cases {
        for result in conformance::run(&mut [d], &case, precision).unwrap() {
            assert!(result.failure.is_none(), "{precision}: {result:?}");
        }
    }
}

#[test]
fn what_is_stored_in_16_bits_agrees_with_the_references() {
    let (_alone, mut d) = softgpu("all", "0");
    for precision in [Precision::Bf16, Precision::F16] {
        conforms(&mut d, precision, &|case| !["conv", "linear"].contains(&case.group()));
    }
    no_findings(&d);
}
