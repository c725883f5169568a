//! Training with `--device softgpu` as a user does it: the same bits in every order of execution and after a resume,
//! and deep-mnist on MNIST beside the CPU backend.

mod common;

use common::nvrtc;
use std::path::{Path, PathBuf};
use std::process::Command;

fn warp19(arguments: &[&str], variables: &[(&str, &str)]) {
    let output = Command::new(env!("CARGO_BIN_EXE_warp19"))
        .args(arguments)
        .env("WARP19_NVRTC", nvrtc("13"))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?} {variables:?}: {log}"
    );
}

/// Trains on a small drawn dataset and gives the weights' file.
fn train(data: &Path, run: &Path, steps: &str, variables: &[(&str, &str)]) {
    let (data, run) = (data.to_str().unwrap(), run.to_str().unwrap());
    let fixed = [
        "train",
        "--model",
        "deep-mnist",
        "--device",
        "softgpu",
        "--batch",
        "8",
        "--epochs",
        "2",
    ];
    let mut arguments = fixed.to_vec();
    arguments.extend(["--steps", steps, "--data", data, "--out", run]);
    warp19(&arguments, variables);
}

fn weights(run: &Path) -> Vec<u8> {
    let out = run.with_extension("safetensors");
    warp19(
        &[
            "export",
            run.to_str().unwrap(),
            "--format",
            "safetensors",
            "--out",
            out.to_str().unwrap(),
        ],
        &[],
    );
    std::fs::read(out).unwrap()
}

#[test]
fn the_same_bits_in_every_order_and_after_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    common::synthetic_dataset(&data, 48, 16);
    let run = |name: &str| -> PathBuf { folder.path().join(name) };
    let first = run("first");
    train(
        &data,
        &first,
        "6",
        &[("SOFTGPU_SEED", "1"), ("SOFTGPU_THREADS", "1")],
    );
    let expected = weights(&first);
    for (name, seed, threads) in [("second", "2", "2"), ("third", "3", "3")] {
        train(
            &data,
            &run(name),
            "6",
            &[("SOFTGPU_SEED", seed), ("SOFTGPU_THREADS", threads)],
        );
        assert!(
            weights(&run(name)) == expected,
            "seed {seed}, {threads} threads"
        );
    }
    // Without graphs every launch goes through the driver on its own.
    train(&data, &run("launched"), "6", &[("WARP19_GRAPH", "0")]);
    assert!(weights(&run("launched")) == expected, "without graphs");
    let resumed = run("resumed");
    train(&data, &resumed, "3", &[("SOFTGPU_SEED", "4")]);
    let (path, data) = (resumed.to_str().unwrap(), data.to_str().unwrap());
    let again = [
        "train", "--resume", path, "--device", "softgpu", "--steps", "6", "--data", data,
    ];
    warp19(&again, &[("SOFTGPU_SEED", "5")]);
    assert!(weights(&resumed) == expected, "resumed");
}

/// Killed without warning after its first checkpoint, and gone on with: the bits of a run that was let be.
#[test]
fn the_same_bits_after_being_killed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // 3 steps an epoch, a checkpoint after each epoch.
    common::synthetic_dataset(&data, 24, 16);
    let whole = folder.path().join("whole");
    train(&data, &whole, "6", &[("SOFTGPU_SEED", "1")]);
    let killed = folder.path().join("killed");
    let mut child = Command::new(env!("CARGO_BIN_EXE_warp19"))
        .args(["train", "--model", "deep-mnist", "--device", "softgpu"])
        .args(["--batch", "8", "--epochs", "2", "--steps", "6", "--data"])
        .args([&data, &PathBuf::from("--out"), &killed])
        .env("WARP19_NVRTC", nvrtc("13"))
        .env("SOFTGPU_SEED", "2")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !killed.join("checkpoint.safetensors").exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended without a checkpoint"
        );
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert!(
        !child.wait().unwrap().success(),
        "it ended before it was killed"
    );
    let [run, set] = [&killed, &data].map(|p| p.to_str().unwrap());
    let again = [
        "train", "--resume", run, "--device", "softgpu", "--data", set,
    ];
    warp19(&again, &[("SOFTGPU_SEED", "3")]);
    assert!(weights(&killed) == weights(&whole));
}

/// The mean training loss after so many steps, from the run's metrics.
fn losses(run: &Path) -> Vec<f64> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let epoch = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["train_loss"]
            .as_f64()
            .unwrap()
    };
    text.lines().map(epoch).collect()
}

/// 20 steps of deep-mnist at batch 32 on MNIST, an epoch of metrics every 4 steps, on softgpu and on the CPU.
#[test]
fn deep_mnist_beside_the_cpu() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    let from = std::env::var_os("WARP19_MNIST").map_or(from, PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    first_images(&from, &data, 128);
    let run = |device: &str| -> Vec<f64> {
        let out = folder.path().join(device);
        warp19(
            &[
                "train",
                "--model",
                "deep-mnist",
                "--device",
                device,
                "--batch",
                "32",
                "--epochs",
                "5",
                "--limit",
                "128",
                "--data",
                data.to_str().unwrap(),
                "--out",
                out.to_str().unwrap(),
            ],
            &[],
        );
        losses(&out)
    };
    let (gpu, cpu) = (run("softgpu"), run("cpu"));
    println!("training loss of 5 epochs of 4 steps: softgpu {gpu:?}, CPU {cpu:?}");
    assert_eq!(gpu.len(), 5);
    for (a, b) in gpu.iter().zip(&cpu) {
        assert!((a - b).abs() <= 0.02 * b, "softgpu {gpu:?}, CPU {cpu:?}");
    }
    assert!(gpu[4] < 0.7 * gpu[0], "{gpu:?}");
}

/// A dataset of the first test images of another, and all its training images.
fn first_images(from: &Path, to: &Path, count: u32) {
    std::fs::create_dir_all(to).unwrap();
    for (name, header, size) in [
        ("train-images-idx3-ubyte", 16, 0),
        ("train-labels-idx1-ubyte", 8, 0),
        ("t10k-images-idx3-ubyte", 16, 784),
        ("t10k-labels-idx1-ubyte", 8, 1),
    ] {
        let mut bytes = std::fs::read(from.join(name)).unwrap_or_else(|e| {
            panic!(
                "{}: {e}; `warp19 data fetch` brings MNIST",
                from.join(name).display()
            )
        });
        if size > 0 {
            bytes[4..8].copy_from_slice(&count.to_be_bytes());
            bytes.truncate(header + size * count as usize);
        }
        std::fs::write(to.join(name), bytes).unwrap();
    }
}
