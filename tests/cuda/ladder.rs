//! The ladder of products on softgpu: every step right for any size, without a finding, and each cheaper than the one
//! below in what it is about.

use crate::common::command::{json, warp19};
use crate::common::nvrtc;
use serde_json::Value;

/// The steps' reports by kernel.
fn climb(device: &str, major: &str, size: &str) -> Vec<Value> {
    let mut command = warp19(&format!("ladder --device softgpu --json --size {size}"));
    command.env("SOFTGPU_CHECK", "all").env("SOFTGPU_DEVICE", device).env("WARP19_NVRTC", nvrtc(major));
    let result = json(&mut command);
    assert_eq!(result["softgpu_findings"]["findings"].as_array().map(Vec::len), Some(0), "{result:#}");
    let steps = result["steps"].as_array().unwrap().clone();
    for step in &steps {
        assert_eq!(step["comparison"]["failure"], Value::Null, "{device} {size}: {step:#}");
    }
    steps
}

#[test]
fn every_step_is_right_at_any_size() {
    // One element; a tile and one more or less; rows that are and are not multiples of 16 bytes, of k and of n.
    for size in ["1", "127x129x33", "130x136x40", "65x258x64"] {
        assert_eq!(climb("sm_86", "13", size).len(), 8);
    }
    assert_eq!(climb("sm_90", "13", "129x72x104").len(), 8);
    // No tensor cores for bfloat16.
    for (device, major) in [("sm_61", "12"), ("sm_75", "13")] {
        assert_eq!(climb(device, major, "129x70x41").len(), 7);
    }
}

#[test]
fn every_step_mends_what_it_is_about() {
    let steps = climb("sm_86", "13", "256");
    let number = |step: &Value, path: &[&str]| path.iter().fold(step, |v, n| &v[*n]).as_f64().unwrap();
    let counter = |i: usize, path: &[&str]| number(&steps[i]["counters"], path);
    let loads = ["global_loads", "moved"];
    let passes = |i: usize| counter(i, &["shared_loads", "moved"]);
    let conflicts = |i: usize| {
        let sum = |what| counter(i, &["shared_loads", what]) + counter(i, &["shared_stores", what]);
        sum("moved") / sum("ideal")
    };
    let names: Vec<&str> = steps.iter().map(|s| s["kernel"].as_str().unwrap()).collect();
    assert_eq!(names[0], "ladder_naive");
    assert!(counter(1, &loads) * 6.0 < counter(0, &loads), "coalesced");
    assert!(counter(2, &loads) * 15.0 < counter(1, &loads), "a shared tile");
    assert!(passes(3) * 2.5 < passes(2), "a register tile");
    assert!(counter(4, &["shared_loads", "requests"]) * 3.5 < counter(3, &["shared_loads", "requests"]), "wide reads");
    assert!(counter(5, &["barriers"]) * 1.9 < counter(4, &["barriers"]), "two buffers");
    assert!(conflicts(5) > 1.4 && conflicts(6) == 1.0, "no conflicts");
    assert!(counter(7, &["warp_instructions"]) * 12.0 < counter(6, &["warp_instructions"]), "tensor cores");
    assert_eq!(counter(7, &["tensor_multiply_adds"]), 256f64.powi(3));
    assert_eq!(conflicts(7), 1.0);
    let share = |i: usize, name: &str| {
        let main_loop = &steps[i]["main_loop"]["main_loop"];
        let all: f64 = main_loop.as_object().unwrap().values().map(|v| v.as_f64().unwrap()).sum();
        number(main_loop, &[name]) / all
    };
    assert!(share(6, "FFMA") > 0.8 && share(7, "HMMA") > 0.33, "{:#}", steps[7]["main_loop"]);
}

#[test]
fn what_it_cannot_do_is_said() {
    for (words, said) in [
        ("ladder --device cpu", "the ladder's kernels are CUDA's"),
        ("ladder --device softgpu --size 12x13", "give one number"),
        ("ladder --device softgpu --size 0", "1 to 2^31 - 1 elements"),
    ] {
        let output = warp19(words).env("WARP19_NVRTC", nvrtc("13")).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{words}: {error}");
    }
}
