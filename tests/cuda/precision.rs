//! Training in every precision with `--device softgpu` as a user does it: the same bits after being killed, an overflow
//! in the middle, evaluation and export, and deep-mnist on MNIST.

use crate::common::command::{json, ok, train, warp19_in, workplace};
use crate::common::synthetic;
use crate::training::{mnist, resume, weights, with};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use warp19::image::{Colour, encode_png};
use warp19::ops::scaling::{INVERSE, SCALE, SKIPPED, STATE};
use warp19::train::checkpoint::{Checkpoint, LAST};

/// A training of so many steps, 3 an epoch.
fn training(dir: &Path, run: &str, precision: &str, more: &str) -> std::process::Command {
    let line = format!("--device softgpu --batch 8 --epochs 2 --precision {precision} --out {run} {more}");
    with(train(dir, &line), &[])
}

/// Killed without warning after its first checkpoint and gone on with, in another order of execution; then evaluated,
/// asked and exported on both devices.
fn killed_and_used(precision: &str) {
    let dir = workplace(24, 16);
    let dir = dir.path();
    ok(&mut training(dir, "whole", precision, ""));
    let mut child = training(dir, "killed", precision, "").stderr(Stdio::null()).spawn().unwrap();
    while !dir.join("killed").join(LAST).exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a checkpoint");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it ended before it was killed");
    resume(dir, "killed", "3");
    assert!(weights(dir, "killed") == weights(dir, "whole"), "{precision}");

    let on =
        |device: &str, line: &str| json(&mut with(warp19_in(dir, &format!("{line} --device {device} --json")), &[]));
    let eval = |device| on(device, "eval whole --data set");
    let (gpu, cpu) = (eval("softgpu"), eval("cpu"));
    let loss = |v: &Value| v["loss"].as_f64().unwrap();
    // Both round what they store, to 8 bits at least; logits are about as large as the loss.
    assert!((loss(&gpu) - loss(&cpu)).abs() <= 0.02 * loss(&cpu), "{precision}: {gpu} {cpu}");
    assert_eq!(gpu["images"], 16);
    let (images, _) = synthetic::split(1, 9);
    let png = encode_png(28, 28, Colour::Grey, &images.all().unwrap()).unwrap();
    std::fs::write(dir.join("digit.png"), png).unwrap();
    let [gpu, cpu] = ["softgpu", "cpu"].map(|device| on(device, "predict whole digit.png"));
    let first = |v: &Value| v[0]["top"][0]["probability"].as_f64().unwrap();
    assert!((first(&gpu) - first(&cpu)).abs() <= 0.02, "{precision}: {gpu} {cpu}");
}

#[test]
fn bf16_after_being_killed() {
    killed_and_used("bf16");
}

#[test]
fn f16_after_being_killed() {
    killed_and_used("f16");
}

/// Sets the scale of the gradients in a run's checkpoint, so that they overflow from the next step on.
fn overflow(run: &Path, scale: f32) {
    let mut checkpoint = Checkpoint::read(&run.join(LAST)).unwrap();
    let state = checkpoint.meta.scaling.as_mut().expect("a run in f16");
    (state[SCALE], state[INVERSE]) = (scale, 1.0 / scale);
    checkpoint.write(&run.join(LAST)).unwrap();
}

fn scaling(run: &Path) -> [f32; STATE] {
    Checkpoint::read(&run.join(LAST)).unwrap().meta.scaling.unwrap()
}

/// Three steps, then gradients beyond f16's numbers: steps are left out, and the scale falls, as on the CPU.
#[test]
fn an_overflow_in_the_middle() {
    let dir = workplace(48, 16);
    let dir = dir.path();
    ok(&mut training(dir, "run", "f16", "--steps 3"));
    overflow(&dir.join("run"), 2f32.powi(32));
    std::fs::create_dir(dir.join("cpu")).unwrap();
    for file in std::fs::read_dir(dir.join("run")).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), dir.join("cpu").join(file.file_name())).unwrap();
        }
    }
    let before = Checkpoint::read(&dir.join("run").join(LAST)).unwrap();
    let go_on = |run: &str, device: &str, steps: u32| {
        let line = format!("train --device {device} --data set --resume {run} --steps {steps}");
        ok(&mut with(warp19_in(dir, &line), &[]));
    };
    go_on("run", "softgpu", 5);
    let after = Checkpoint::read(&dir.join("run").join(LAST)).unwrap();
    assert_eq!(after.meta.scaling, Some([2f32.powi(30), 0.0, 0.0, 2.0]));
    assert!(after.arenas == before.arenas, "a step that was left out changed something");
    go_on("run", "softgpu", 8);
    go_on("cpu", "cpu", 8);
    let (gpu, cpu) = (scaling(&dir.join("run")), scaling(&dir.join("cpu")));
    assert!(gpu[SKIPPED] >= 2.0 && gpu == cpu, "{gpu:?} {cpu:?}");
}

/// 200 steps of deep-mnist at batch 32 on MNIST, those of f16 with an overflow after half of them, beside the CPU's in
/// float32; judged by all 10,000 test images on the CPU, in float32.
fn as_accurate_as_in_float32(precision: &str) {
    let (data, dir) = (mnist(), tempfile::tempdir().unwrap());
    let (data, dir) = (data.display(), dir.path());
    let trained = |run: &str, line: &str| -> f64 {
        let fixed = "train --model deep-mnist --batch 32 --epochs 1 --limit 6400 --test-limit 128";
        ok(&mut with(warp19_in(dir, &format!("{fixed} --data {data} --out {run} {line}")), &[]));
        if run == "f16" {
            overflow(&dir.join(run), 2f32.powi(32));
            let line = format!("train --device softgpu --data {data} --resume f16");
            ok(&mut with(warp19_in(dir, &line), &[]));
            let [scale, _, _, skipped] = scaling(&dir.join(run));
            println!("{skipped} steps left out, then a scale of {scale}");
            assert!((5.0..30.0).contains(&skipped), "{skipped}");
        }
        let line = format!("eval {run} --data {data} --device cpu --precision f32 --json");
        json(&mut warp19_in(dir, &line))["accuracy"].as_f64().unwrap()
    };
    let float32 = trained("float32", "--device cpu");
    let steps = if precision == "f16" { "--steps 100" } else { "" };
    let found = trained(precision, &format!("--device softgpu --precision {precision} {steps}"));
    println!("{precision}: {:.2} % of the test images, float32 {:.2} %", 100.0 * found, 100.0 * float32);
    assert!(float32 > 0.9 && (found - float32).abs() <= 0.01, "{precision}: {found}, float32 {float32}");
}

#[test]
#[ignore = "200 steps, minutes; scripts/test.sh --all runs it"]
fn deep_mnist_in_bf16_is_as_accurate() {
    as_accurate_as_in_float32("bf16");
}

#[test]
#[ignore = "200 steps, minutes; scripts/test.sh --all runs it"]
fn deep_mnist_in_f16_is_as_accurate() {
    as_accurate_as_in_float32("f16");
}

#[test]
#[ignore = "200 steps, minutes; scripts/test.sh --all runs it"]
fn deep_mnist_in_tf32_is_as_accurate() {
    as_accurate_as_in_float32("tf32");
}
