//! The `warp19` command on a small synthetic dataset: what it writes, that it repeats, that it goes on after a kill,
//! and what it says when something is wrong.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn warp19(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warp19"));
    command.current_dir(dir).stdin(Stdio::null());
    command
}

/// A temporary folder with a dataset in `set`.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    common::synthetic_dataset(&dir.path().join("set"), 600, 120);
    dir
}

fn train_args<'a>(out: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec![
        "train",
        "--model",
        "deep-mnist",
        "--data",
        "set",
        "--dataset",
        "shapes",
    ];
    if !extra.contains(&"--epochs") {
        args.extend(["--epochs", "2"]);
    }
    args.extend([
        "--recipe", "robust", "--lr", "0.001", "--batch", "50", "--out", out,
    ]);
    args.extend(extra);
    args
}

fn ok(dir: &Path, args: &[&str]) -> String {
    let out = warp19(dir).args(args).output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", text(&out.stderr));
    text(&out.stdout)
}

/// Runs a command that must fail with exit code 1 and one paragraph that has all of `parts`.
fn fails(dir: &Path, args: &[&str], parts: &[&str]) -> Output {
    let out = warp19(dir).args(args).output().unwrap();
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1), "{args:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{args:?}: '{part}' is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
    out
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(s: &str) -> serde_json::Value {
    serde_json::from_str(s).unwrap_or_else(|e| panic!("{e} in {s}"))
}

fn same_file(a: PathBuf, b: PathBuf) -> bool {
    std::fs::read(a).unwrap() == std::fs::read(b).unwrap()
}

#[test]
fn a_run_is_written_evaluated_predicted_and_exported() {
    let dir = workplace();
    let dir = dir.path();
    ok(dir, &train_args("run", &["--validation", "100"]));
    for file in [
        "config.json",
        "metrics.jsonl",
        "checkpoint.safetensors",
        "best.safetensors",
    ] {
        assert!(dir.join("run").join(file).exists(), "{file}");
    }
    let metrics = std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 2);
    let last = json(metrics.lines().last().unwrap());
    for key in [
        "train_loss",
        "train_accuracy",
        "test_loss",
        "test_accuracy",
        "lr",
        "seconds",
    ] {
        assert!(last[key].is_number(), "{key} in {last}");
    }
    for key in ["test_accuracy_raw", "val_accuracy", "images_per_second"] {
        assert!(last[key].is_number(), "{key} in {last}");
    }
    assert_eq!(
        (last["epoch"].as_u64(), last["step"].as_u64()),
        (Some(2), Some(20))
    );

    let args = ["eval", "run", "--data", "set", "--json"];
    let eval = json(&ok(dir, &[&args[..], &["--checkpoint", "last"]].concat()));
    assert_eq!(eval["accuracy"], last["test_accuracy"]);
    assert!((eval["loss"].as_f64().unwrap() - last["test_loss"].as_f64().unwrap()).abs() < 1e-6);
    let confusion = eval["confusion"].as_array().unwrap();
    let cells = confusion.iter().flat_map(|r| r.as_array().unwrap());
    assert_eq!(cells.map(|c| c.as_u64().unwrap()).sum::<u64>(), 120);
    assert_eq!(
        eval["per_class"].as_array().unwrap().len(),
        common::SYNTHETIC_CLASSES
    );
    assert!(ok(dir, &args[..4]).contains("accuracy"));

    let picture = dir.join("digit.png");
    let (images, _) = common::synthetic_split(1, 9);
    warp19::image::write_png(
        &picture,
        28,
        28,
        warp19::image::Colour::Grey,
        &images.pixels,
    )
    .unwrap();
    let predicted = json(&ok(dir, &["predict", "run", "digit.png", "--json"]));
    let top = predicted[0]["top"].as_array().unwrap();
    assert_eq!(top.len(), 5);
    assert!(top[0]["probability"].as_f64() >= top[1]["probability"].as_f64());

    ok(
        dir,
        &[
            "export",
            "run",
            "--format",
            "safetensors",
            "--out",
            "out.safetensors",
        ],
    );
    let bytes = std::fs::read(dir.join("out.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| tensors.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("features.0.weight"), [32, 1, 5, 5]);
    assert_eq!(shape("features.3.weight"), [64, 32, 5, 5]);
    assert_eq!(shape("classifier.0.weight"), [1024, 3136]);
    assert_eq!(shape("classifier.3.weight"), [12, 1024]);
}

#[test]
fn one_seed_gives_one_run_whatever_the_threads_and_another_seed_another() {
    let dir = workplace();
    let dir = dir.path();
    ok(dir, &train_args("a", &["--threads", "1"]));
    ok(dir, &train_args("b", &["--threads", "3"]));
    ok(dir, &train_args("c", &["--seed", "1"]));
    for file in ["checkpoint.safetensors", "best.safetensors"] {
        assert!(
            same_file(dir.join("a").join(file), dir.join("b").join(file)),
            "{file}"
        );
        assert!(
            !same_file(dir.join("a").join(file), dir.join("c").join(file)),
            "{file}"
        );
    }
}

/// Kills the run six times, each at a random moment after it has made some progress, and resumes it: the same bytes as
/// never killed.
#[test]
fn a_killed_and_resumed_run_equals_one_never_killed() {
    let dir = workplace();
    let dir = dir.path();
    ok(dir, &train_args("whole", &[]));
    let checkpoint = dir.join("cut/checkpoint.safetensors");
    let written = || checkpoint.metadata().and_then(|m| m.modified()).ok();
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    println!("kill times from {seed}");
    let resume = [
        "train",
        "--resume",
        "cut",
        "--data",
        "set",
        "--save-every",
        "0",
    ];
    let first = train_args("cut", &["--save-every", "0"]);
    let mut kills = 0;
    for attempt in 0..6u64 {
        let before = written();
        let args = if before.is_some() {
            &resume[..]
        } else {
            &first[..]
        };
        let mut child = warp19(dir)
            .args(args)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while written() == before && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let delay = (u64::from(seed) + attempt * 7919) % 250;
        std::thread::sleep(Duration::from_millis(delay));
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 0, "the run ended before it could be killed");
    ok(dir, &resume);
    for file in ["checkpoint.safetensors", "best.safetensors"] {
        assert!(
            same_file(dir.join("whole").join(file), dir.join("cut").join(file)),
            "{file}"
        );
    }
    let lines = std::fs::read_to_string(dir.join("cut/metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2);
}

#[test]
fn a_step_limit_saves_and_the_run_goes_on() {
    let dir = workplace();
    let dir = dir.path();
    ok(dir, &train_args("whole", &[]));
    ok(dir, &train_args("cut", &["--steps", "7"]));
    ok(dir, &["train", "--resume", "cut", "--data", "set"]);
    let file = "checkpoint.safetensors";
    assert!(same_file(
        dir.join("whole").join(file),
        dir.join("cut").join(file)
    ));
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_save_and_say_how_to_resume() {
    let dir = workplace();
    let dir = dir.path();
    for (signal, run) in [(libc::SIGINT, "ctrl-c"), (libc::SIGTERM, "term")] {
        let child = warp19(dir)
            .args(train_args(run, &["--epochs", "500"]))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let checkpoint = dir.join(run).join("checkpoint.safetensors");
        for _ in 0..600 {
            if checkpoint.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // Safety: a signal to our own child.
        unsafe { libc::kill(child.id() as i32, signal) };
        let out = child.wait_with_output().unwrap();
        let said = text(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{said}");
        let advice = format!("warp19 train --resume {run}");
        assert!(said.contains(&advice), "{said}");
        ok(dir, &["eval", run, "--data", "set"]);
    }
}

#[test]
fn mistakes_are_explained_and_nothing_is_lost() {
    let dir = workplace();
    let dir = dir.path();
    ok(dir, &train_args("run", &["--steps", "3"]));
    let before = std::fs::read(dir.join("run/checkpoint.safetensors")).unwrap();

    fails(
        dir,
        &train_args("run", &[]),
        &["already holds a run", "--resume"],
    );
    fails(
        dir,
        &["train", "--data", "nowhere"],
        &["nowhere", "no dataset"],
    );
    fails(
        dir,
        &["train", "--data", "set", "--device", "tpu"],
        &["tpu", "cpu"],
    );
    fails(dir, &["eval", "nowhere"], &["no run folder nowhere"]);
    fails(dir, &["eval", "set"], &["set", "not the folder of a run"]);
    fails(
        dir,
        &["train", "--resume", "set", "--data", "set"],
        &["to resume from"],
    );
    fails(dir, &["predict", "run", "nothing.png"], &["nothing.png"]);
    fails(
        dir,
        &["export", "run", "--out", "no/such/folder/x"],
        &["no/such/folder"],
    );
    fails(dir, &train_args("zero", &["--limit", "0"]), &["--limit 0"]);
    fails(dir, &train_args("all", &["--validation", "600"]), &["600"]);

    // A dataset of fewer classes than the run's.
    let (images, labels) = common::synthetic_split(120, 3);
    let few: Vec<u8> = labels.iter().map(|l| l % 10).collect();
    std::fs::create_dir(dir.join("few")).unwrap();
    for part in ["train", "t10k"] {
        let name = |kind: &str| dir.join(format!("few/{part}-{kind}-ubyte"));
        warp19::data::idx::write_images(&name("images-idx3"), &images).unwrap();
        warp19::data::idx::write_labels(&name("labels-idx1"), &few).unwrap();
    }
    fails(
        dir,
        &["eval", "run", "--data", "few"],
        &["10 classes", "12"],
    );

    // A damaged checkpoint.
    let mut damaged = before.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::create_dir(dir.join("bad")).unwrap();
    std::fs::write(dir.join("bad/checkpoint.safetensors"), &damaged).unwrap();
    fails(dir, &["eval", "bad", "--data", "set"], &["bad", "damaged"]);
    fails(
        dir,
        &["train", "--resume", "bad", "--data", "set"],
        &["damaged"],
    );

    // A folder that cannot be written: not even by root.
    fails(dir, &train_args("/proc/warp19", &[]), &["/proc/warp19"]);

    assert!(std::fs::read(dir.join("run/checkpoint.safetensors")).unwrap() == before);
    for (wrong, part) in [
        (["train", "--epochs", "many"], "many"),
        (["train", "--model", "vgg91"], "vgg16-4pool"),
        (["train", "--recipe", "secret"], "robust"),
        (["params", "--model", "vgg91"], "deep-mnist-sgd"),
    ] {
        let usage = warp19(dir).args(wrong).output().unwrap();
        assert_eq!(usage.status.code(), Some(2), "{wrong:?}");
        assert!(text(&usage.stderr).contains(part), "{wrong:?}");
    }
    assert_eq!(warp19(dir).output().unwrap().status.code(), Some(2));
}

#[test]
fn the_layer_table_has_the_published_counts() {
    let dir = tempfile::tempdir().unwrap();
    let small = json(&ok(dir.path(), &["params", "--json"]));
    assert_eq!(small["weights_without_output_layer"], 42_988_096);
    assert_eq!(small["parameters"], 43_012_802);
    let args = [
        "params",
        "--input",
        "224x224x3",
        "--classes",
        "1000",
        "--json",
    ];
    assert_eq!(json(&ok(dir.path(), &args))["parameters"], 143_667_240);
    assert!(ok(dir.path(), &["params"]).contains("conv5_4"));
}
