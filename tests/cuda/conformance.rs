//! The conformance suite on softgpu with every check on: several devices, both NVRTCs, several orders of execution,
//! every tile. Each run is a process of its own, because a process has one softgpu device.

use crate::common::command::{json, warp19};
use crate::common::nvrtc;

/// Runs `verify --device softgpu`, with all checks where `variables` do not say otherwise, and expects no wrong result
/// and no finding.
fn verify(only: &str, precision: &str, variables: &[(&str, &str)], major: &str) {
    let mut command = warp19("verify --device softgpu --json --precision");
    command.arg(precision);
    if !only.is_empty() {
        command.args(["--only", only]);
    }
    command.env("SOFTGPU_CHECK", "all").env("WARP19_NVRTC", nvrtc(major));
    let result = json(command.envs(variables.iter().copied()));
    assert!(result["comparisons"].as_array().unwrap().len() > 40, "{result:#}");
    assert_eq!(result["failed"], 0);
    assert_eq!(result["softgpu_findings"]["findings"].as_array().map(Vec::len), Some(0));
}

/// All operations in a precision, with the NVRTC of a version, in one order of execution for each seed.
fn on(device: &str, precision: &str, major: &str, seeds: &[&str]) {
    for seed in seeds {
        verify("", precision, &[("SOFTGPU_DEVICE", device), ("SOFTGPU_SEED", seed)], major);
    }
}

#[test]
fn on_a_gtx_1080() {
    on("sm_61", "f32", "12", &["1"]);
}

#[test]
fn on_an_ampere() {
    on("sm_86", "f32", "13", &["3"]);
}

/// The results alone: their kernels are those of the two devices above, which run them with all checks.
#[test]
fn on_a_turing_and_a_hopper() {
    for device in ["sm_75", "sm_90"] {
        verify("", "f32", &[("SOFTGPU_DEVICE", device), ("SOFTGPU_CHECK", "none")], "13");
    }
}

/// What is around the products in 16 bits; products on tensor cores are in `tests/tensor` and in
/// `tests/cuda_device/tiles.rs`.
#[test]
fn in_16_bits() {
    for (device, precision) in [("sm_75", "f16"), ("sm_90", "bf16")] {
        let only = "pool,dropout,loss,adam,sgd,gather,cast,scaling";
        verify(only, precision, &[("SOFTGPU_DEVICE", device)], "13");
    }
}

/// All operations in every precision on every architecture that has it, in an order of execution of its own; in three
/// on two of them; by the older NVRTC too.
#[test]
#[ignore = "all of what in_16_bits, tests/tensor and tests/cuda_device show a part of; scripts/test.sh --all runs it"]
fn on_every_architecture_with_tensor_cores() {
    on("sm_75", "f16", "13", &["1", "2", "3"]);
    on("sm_75", "f16", "12", &["4"]);
    for precision in ["bf16", "f16", "tf32", "tf32x3"] {
        on("sm_86", precision, "13", &["1", "2", "3"]);
        on("sm_86", precision, "12", &["4"]);
        for (device, seed) in [("sm_80", "1"), ("sm_89", "2"), ("sm_90", "3")] {
            on(device, precision, "13", &[seed]);
        }
    }
}

/// That results do not depend on the order is seen from bits in `training`; here more orders meet the checks.
#[test]
#[ignore = "repeats the tests above in other orders of execution and with all checks; scripts/test.sh --all runs it"]
fn in_more_orders_of_execution() {
    on("sm_61", "f32", "12", &["2", "3"]);
    on("sm_75", "f32", "13", &["1", "2", "3"]);
    on("sm_86", "f32", "13", &["1", "2"]);
    on("sm_90", "f32", "13", &["1", "2", "3"]);
    on("sm_86", "f32", "12", &["4"]);
    on("sm_90", "f32", "12", &["5"]);
}

/// The choice of tiles takes each where it fits best; here one computes every shape.
fn with_tiles(device: &str, major: &str, tiles: &[&str]) {
    for tile in tiles {
        let variables = [("SOFTGPU_DEVICE", device), ("WARP19_TILE", tile), ("WARP19_WINOGRAD", "0")];
        verify("conv,linear", "f32", &variables, major);
    }
}

#[test]
#[ignore = "large shapes too, beside the small ones of tests/cuda_device/tiles.rs; scripts/test.sh --all runs it"]
fn with_every_tile() {
    with_tiles("sm_86", "13", &["0", "1", "2", "3"]);
    // Where the older compiler keeps copies together (`Matrices::SPREADS`).
    with_tiles("sm_90", "12", &["0", "1"]);
}

/// Winograd's algorithm wherever it can be, also where products win.
#[test]
#[ignore = "large shapes too, beside the small ones of tests/cuda_device/tiles.rs; scripts/test.sh --all runs it"]
fn with_winograd_everywhere() {
    verify("conv", "f32", &[("SOFTGPU_DEVICE", "sm_86"), ("WARP19_WINOGRAD", "1")], "13");
}

/// Devices before sm_80 fill shared memory through registers: the widest and the narrowest tile, and Winograd's.
#[test]
#[ignore = "the same kernels as on a GTX 1080, for every shape; scripts/test.sh --all runs it"]
fn with_tiles_filled_through_registers() {
    with_tiles("sm_61", "12", &["0", "3"]);
    verify("conv", "f32", &[("SOFTGPU_DEVICE", "sm_61"), ("WARP19_WINOGRAD", "1")], "12");
}
