//! The conformance suite on softgpu with every check on: several devices, both NVRTCs, several orders of execution,
//! every tile. Each run is a process of its own, because a process has one softgpu device.

mod common;

use common::command::{json, warp19};
use common::nvrtc;

/// Runs `verify --device softgpu` with all checks and expects no wrong result and no finding.
fn verify(only: &str, variables: &[(&str, &str)], major: &str) {
    let mut command = warp19("verify --device softgpu --json");
    if !only.is_empty() {
        command.args(["--only", only]);
    }
    command.env("SOFTGPU_CHECK", "all").env("WARP19_NVRTC", nvrtc(major));
    let result = json(command.envs(variables.iter().copied()));
    assert!(result["comparisons"].as_array().unwrap().len() > 50, "{result:#}");
    assert_eq!(result["failed"], 0);
    assert_eq!(result["softgpu_findings"]["findings"].as_array().map(Vec::len), Some(0));
}

/// All operations under three orders of execution.
fn on(device: &str, major: &str) {
    for seed in ["1", "2", "3"] {
        verify("", &[("SOFTGPU_DEVICE", device), ("SOFTGPU_SEED", seed)], major);
    }
}

#[test]
fn on_a_gtx_1080() {
    on("sm_61", "12");
}

#[test]
fn on_a_turing() {
    on("sm_75", "13");
}

#[test]
fn on_an_ampere() {
    on("sm_86", "13");
}

#[test]
fn on_a_hopper() {
    on("sm_90", "13");
}

#[test]
fn on_an_ampere_with_the_older_nvrtc() {
    verify("", &[("SOFTGPU_DEVICE", "sm_86"), ("SOFTGPU_SEED", "4")], "12");
}

/// The choice of tiles takes each where it fits best; here each computes every shape. Devices before sm_80 fill shared
/// memory through registers: there the widest and the narrowest tile.
#[test]
fn with_every_tile() {
    let runs = [("sm_86", "13", &["0", "1", "2", "3"][..]), ("sm_61", "12", &["0", "3"])];
    for (device, major, tiles) in runs {
        for tile in tiles {
            verify(
                "conv,linear",
                &[("SOFTGPU_DEVICE", device), ("WARP19_TILE", tile), ("WARP19_WINOGRAD", "0")],
                major,
            );
        }
    }
}

/// Winograd's algorithm wherever it can be, also where products win.
#[test]
fn with_winograd_everywhere() {
    for (device, major) in [("sm_86", "13"), ("sm_61", "12")] {
        verify("conv", &[("SOFTGPU_DEVICE", device), ("WARP19_WINOGRAD", "1")], major);
    }
}
