//! `warp19 profile` on the CPU: its rows are the step's operations, and add up to the step.

use crate::common::command::{fails, json, ok, warp19};
use serde_json::Value;

fn number(v: &Value, name: &str) -> f64 {
    v[name].as_f64().unwrap_or_else(|| panic!("{name} in {v}"))
}

#[test]
fn rows_are_the_steps_operations_and_add_up() {
    let all = json(&mut warp19("profile --device cpu --model deep-mnist --batch 16 --steps 9 --json"));
    let rows = all["operations"].as_array().unwrap();
    let found: Vec<String> = rows.iter().map(|r| format!("{} {} {}", r["phase"], r["layer"], r["operation"])).collect();
    let found: Vec<String> = found.iter().map(|r| r.replace('"', "")).collect();
    let [first, .., last] = &found[..] else { panic!("{found:?}") };
    assert_eq!((first.as_str(), last.as_str()), ("batch  gather", "optimizer  adam"));
    for wanted in ["forward conv1 conv_forward", "backward conv2 conv_backward_data", "loss  loss"] {
        assert!(found.iter().any(|r| r == wanted), "{wanted} in {found:?}");
    }
    // Work by the descriptions: three passes of every layer with weights, but no gradient of the images.
    let params = json(&mut warp19("params --model deep-mnist --json"));
    let layers = params["layers"].as_array().unwrap().iter().filter(|l| number(l, "weights") > 0.0);
    let mflop: Vec<f64> = layers.map(|l| number(l, "mflop")).collect();
    let flops: f64 = rows.iter().map(|r| number(r, "flops")).sum();
    assert!((flops / 16e6 - (3.0 * mflop.iter().sum::<f64>() - mflop[0])).abs() < 1e-6, "{flops}");
    for r in rows {
        assert!(number(r, "seconds") > 0.0 && number(r, "bytes") > 0.0, "{r}");
        assert!(number(r, "share_of_bandwidth") > 0.0, "{r}");
        assert_eq!(r["share_of_flops"].is_number(), number(r, "flops") > 0.0, "{r}");
    }
    for (work, peak) in [("flops", "flops"), ("bytes", "bandwidth")] {
        let worked = rows.iter().find(|r| number(r, work) > 0.0).unwrap();
        let share = number(worked, work) / number(worked, "seconds") / number(&all["peaks"], peak);
        assert!((number(worked, &format!("share_of_{peak}")) / share - 1.0).abs() < 1e-9, "{worked} {}", all["peaks"]);
    }
    let sum: f64 = rows.iter().map(|r| number(r, "seconds")).sum();
    assert!((sum / number(&all["sum"], "seconds") - 1.0).abs() < 1e-9, "{sum} {}", all["sum"]);
    // Both are medians of 9 on a machine that may be busy.
    let step = number(&all["step"], "seconds");
    assert!(sum > 0.5 * step && sum < 2.0 * step, "operations {sum} s, the step {step} s");
}

#[test]
fn its_table_has_phases_and_says_whether_they_add_up() {
    for precision in ["f32", "bf16"] {
        let line = format!("profile --device cpu --model deep-mnist-sgd --batch 4 --steps 1 --precision {precision}");
        let text = ok(&mut warp19(&line));
        for part in ["deep-mnist-sgd step, batch 4", precision, "of peak", "backward", "add up to", "as a whole takes"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
        let sums = text.lines().filter(|l| l.contains("  sum  ")).map(|l| l.split_whitespace().next().unwrap());
        assert_eq!(sums.collect::<Vec<_>>(), ["batch", "forward", "loss", "backward", "optimizer", "all"], "{text}");
    }
    fails(&mut warp19("profile --device cpu --precision tf32"), &["a format of tensor cores"]);
}
