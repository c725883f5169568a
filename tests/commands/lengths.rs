//! Runs that are longer than they were, shorter than a batch, or no training at all.

use crate::common::command::{fails, ok, run, train, warp19_in, workplace};
use std::path::Path;

fn metrics(dir: &Path, run: &str) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(dir.join(run).join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn recorded(dir: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(dir.join("run/config.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).unwrap()["config"].clone()
}

/// A finished run goes on for more epochs, by their schedule from there on; that is said, recorded, and repeats.
#[test]
fn a_finished_run_is_made_longer() {
    let dir = workplace(300, 60);
    let dir = dir.path();
    let line = "--recipe robust --lr 0.001 --batch 50 --epochs 2 --out";
    ok(&mut train(dir, &format!("{line} run")));
    ok(&mut train(dir, &format!("{line} same")));
    fails(&mut warp19_in(dir, "train --resume run --data set --epochs 2"), &["--epochs 2", "has 2 already"]);
    let said = run(&mut warp19_in(dir, "train --resume run --data set --epochs 4"), 0).said;
    for words in ["made longer: 4 epochs where it had 2", "schedule of 4 epochs", "epoch 4/4"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let lines = metrics(dir, "run");
    let epochs: Vec<u64> = lines.iter().map(|e| e["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs, [1, 2, 3, 4]);
    // Robust: warm-up over half an epoch, then linearly to zero. Step 18 of 24 is the last of epoch 3.
    let lr = lines[2]["lr"].as_f64().unwrap();
    assert!((lr - 0.001 * (24.0 - 17.5) / (24.0 - 3.0)).abs() < 1e-9, "{lr}");
    let config = recorded(dir);
    assert_eq!(config["recipe"]["epochs"], 4);
    assert_eq!(config["extended"], serde_json::json!([{"step": 12, "epochs": 2}]));

    // The same with a stop on the way.
    ok(&mut warp19_in(dir, "train --resume same --data set --epochs 4 --steps 15"));
    ok(&mut warp19_in(dir, "train --resume same --data set"));
    for file in ["checkpoint.safetensors", "steps.jsonl"] {
        let bytes = |run: &str| std::fs::read(dir.join(run).join(file)).unwrap();
        assert!(bytes("run") == bytes("same"), "{file}");
    }
}

/// Every epoch has a step, however few images there are.
#[test]
fn fewer_images_than_a_batch_lose_no_epoch() {
    let dir = workplace(300, 60);
    let dir = dir.path();
    let said = run(&mut train(dir, "--limit 30 --epochs 3 --batch 128 --out run"), 0).said;
    assert!(said.contains("30 images to train on, fewer than the batch of 128; the batch is 30"), "{said}");
    let steps: Vec<u64> = metrics(dir, "run").iter().map(|e| e["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, [1, 2, 3]);
    let said = run(&mut train(dir, "--limit 5000 --steps 1 --batch 50 --out other"), 0).said;
    assert!(said.contains("--limit 5000: there are 300 images"), "{said}");
}

/// What diverges fails, says so, and is never the best.
#[test]
fn a_diverging_run_ends_with_a_warning_and_nothing_best() {
    let dir = workplace(300, 60);
    let dir = dir.path();
    let said = run(&mut train(dir, "--lr 1000 --epochs 2 --batch 50 --out run"), 1).said;
    assert!(said.contains("the training diverge") && said.contains("smaller --lr"), "{said}");
    assert!(!said.contains("best test accuracy") && !said.contains("  best"), "{said}");
    assert!(!dir.join("run/best.safetensors").exists());
    assert_eq!(metrics(dir, "run").len(), 2, "its figures are there");
    fails(&mut train(dir, "--lr -1 --out none"), &["learning rate -1", "positive"]);
}
