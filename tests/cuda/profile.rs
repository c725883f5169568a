//! `warp19 profile` on softgpu: what each operation's kernels do, counted, adds up to the step that is recorded.

use crate::common::command::{json, ok, warp19};
use crate::common::nvrtc;
use serde_json::Value;

fn profile(line: &str) -> std::process::Command {
    let mut command = warp19(&format!("profile --device softgpu --model deep-mnist-sgd --batch 1 {line}"));
    command.env("WARP19_NVRTC", nvrtc("13"));
    command
}

#[test]
fn counts_add_up_to_the_recorded_step() {
    let all = json(&mut profile("--json"));
    assert!(all["peaks"].is_null(), "softgpu's times say nothing about a card: {}", all["peaks"]);
    let number = |v: &Value, name: &str| v[name].as_u64().unwrap_or_else(|| panic!("{name} in {v}"));
    let rows = all["operations"].as_array().unwrap();
    for r in rows {
        let kernels: Vec<&str> = r["kernels"].as_array().unwrap().iter().map(|k| k.as_str().unwrap()).collect();
        let name = r["operation"].as_str().unwrap();
        let known = match name {
            "linear_forward" => "gemm_nn_",
            "linear_backward_data" => "gemm_nt_",
            "linear_backward_weight" => "gemm_tn_",
            "loss" => "softmax_cross_entropy_",
            "conv_forward" | "conv_backward_weight" if r["layer"] == "conv1" => "conv_direct_",
            other => other,
        };
        assert!(kernels[0].starts_with(known), "{name}: {kernels:?}");
        assert!(number(r, "warp_instructions") > 0 && number(r, "global_bytes") >= 32, "{r}");
    }
    for what in ["warp_instructions", "global_bytes", "shared_passes", "tensor_multiply_adds"] {
        let sum: u64 = rows.iter().map(|r| number(r, what)).sum();
        assert_eq!(sum, number(&all["sum"], what), "{what}");
        // The numbers are other ones in the second run, and a few branches depend on them.
        let step = number(&all["step"], what);
        assert!(sum.abs_diff(step) <= step / 10_000, "{what}: operations {sum}, the step {step}");
    }
    let text = ok(&mut profile(""));
    for part in ["instructions", "MB needed", "add up to", "docs/results/cuda.md"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
