//! `warp19 profile` on softgpu: what each operation's kernels do, counted, adds up to the step that is recorded.

use crate::common::command::{fails, json, ok, warp19};
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

/// Without a GPU, softgpu or NVRTC: a step's time by the plan's count.
#[test]
fn a_step_is_predicted_for_a_card_that_is_not_here() {
    let all = json(&mut warp19("profile --predict all --json"));
    assert_eq!(all["predicted"], true);
    let of = |card: &str, precision: &str| {
        let cards = all["cards"].as_array().unwrap();
        let found = cards.iter().find(|c| c["card"].as_str().unwrap().contains(card)).unwrap();
        found["seconds"][precision].as_f64()
    };
    for card in ["GTX 1080", "RTX 3090", "RTX 4090", "A100", "H100"] {
        assert!((1e-3..0.1).contains(&of(card, "f32").unwrap()), "{card}");
    }
    assert_eq!([of("GTX 1080", "f16"), of("GTX 1080", "bf16"), of("RTX 2080", "bf16")], [None; 3]);
    assert!(of("RTX 2080", "f16") < of("RTX 2080", "f32"));
    assert!(of("A100", "bf16") < of("A100", "f32") && of("H100", "f32") < of("A100", "f32"));

    // One card: its operations add up, and what it says is what the table says.
    let one = json(&mut warp19("profile --predict rtx3090 --precision bf16 --json"));
    let rows = one["operations"].as_array().unwrap();
    let sum: f64 = rows.iter().map(|r| r["seconds"].as_f64().unwrap()).sum();
    let seconds = one["seconds"].as_f64().unwrap();
    assert!((sum - seconds).abs() < 1e-9 && Some(seconds) == of("RTX 3090", "bf16"), "{sum} {seconds}");
    let text = ok(&mut warp19("profile --predict h100 --precision bf16 --model deep-mnist --batch 50"));
    for part in ["conv_backward_weight", "gemm_nn", "no measurement", "wgmma", "docs/results/cuda.md"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    fails(&mut warp19("profile --predict voodoo2"), &["voodoo2", "RTX 3090", "H100 SXM", "all"]);
    fails(&mut warp19("profile --predict gtx1080 --precision bf16"), &["bf16", "sm_61"]);
}
