//! Training with `--device softgpu` as a user does it: the same bits in every order of execution and after a resume,
//! and deep-mnist on MNIST beside the CPU backend.

use crate::common::command::{ended, ok, train, warp19_in, workplace};
use crate::common::{nvrtc, repository};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use warp19::train::metrics::{self, Epoch};

/// The command with an NVRTC and more variables.
pub fn with(mut command: Command, variables: &[(&str, &str)]) -> Command {
    command.env("WARP19_NVRTC", nvrtc("13"));
    command.envs(variables.iter().copied());
    command
}

/// A run of two epochs in the folder `run`.
fn training(dir: &Path, run: &str, steps: u32, variables: &[(&str, &str)]) -> Command {
    let line = format!("--device softgpu --batch 8 --epochs 2 --steps {steps} --out {run}");
    with(train(dir, &line), variables)
}

/// The rest of a run, or so many steps of it.
pub fn resume(dir: &Path, line: &str, seed: &str) {
    let line = format!("train --device softgpu --data set --resume {line}");
    ok(&mut with(warp19_in(dir, &line), &[("SOFTGPU_SEED", seed)]));
}

pub fn weights(dir: &Path, run: &str) -> Vec<u8> {
    let line = format!("export {run} --format safetensors --out {run}.safetensors");
    ok(&mut with(warp19_in(dir, &line), &[]));
    std::fs::read(dir.join(format!("{run}.safetensors"))).unwrap()
}

#[test]
fn the_same_bits_in_every_order_and_after_a_resume() {
    let dir = workplace(48, 16);
    let dir = dir.path();
    let run = |name: &str, steps: u32, variables: &[(&str, &str)]| {
        ok(&mut training(dir, name, steps, variables));
        weights(dir, name)
    };
    let order = |seed, threads| [("SOFTGPU_SEED", seed), ("SOFTGPU_THREADS", threads)];
    let expected = run("first", 6, &order("1", "1"));
    for (name, seed, threads) in [("second", "2", "2"), ("third", "3", "3")] {
        assert!(run(name, 6, &order(seed, threads)) == expected, "seed {seed}, {threads} threads");
    }
    // Without graphs every launch goes through the driver on its own.
    let launched = run("launched", 6, &[("WARP19_GRAPH", "0")]);
    assert!(launched == expected, "without graphs");
    ok(&mut training(dir, "resumed", 3, &[("SOFTGPU_SEED", "4")]));
    resume(dir, "resumed --steps 6", "5");
    assert!(weights(dir, "resumed") == expected, "resumed");
}

/// Killed without warning after its first checkpoint, and gone on with: the bits of a run that was let be.
#[test]
fn the_same_bits_after_being_killed() {
    // 3 steps an epoch, a checkpoint after each epoch.
    let dir = workplace(24, 16);
    let dir = dir.path();
    ok(&mut training(dir, "whole", 6, &[("SOFTGPU_SEED", "1")]));
    let mut child = training(dir, "killed", 6, &[("SOFTGPU_SEED", "2")]).stderr(Stdio::null()).spawn().unwrap();
    while !dir.join("killed/checkpoint.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without a checkpoint");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it ended before it was killed");
    resume(dir, "killed", "3");
    assert!(weights(dir, "killed") == weights(dir, "whole"));
}

/// Nothing runs on softgpu before the host waits for it: a host that runs ahead would queue the whole epoch before it
/// saves or hears of Ctrl-C.
#[test]
fn ctrl_c_and_saving_do_not_wait_for_an_epoch() {
    let dir = workplace(3000, 16);
    let dir = dir.path();
    let line = "--device softgpu --batch 4 --epochs 1 --save-every 1 --out run";
    let mut child = with(train(dir, line), &[]).stderr(Stdio::piped()).spawn().unwrap();
    while !dir.join("run/checkpoint.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it saved");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let said = ended(&train(dir, line), child.wait_with_output().unwrap(), 1).said;
    let step = said.split("interrupted at step ").nth(1).and_then(|s| s.split(';').next()?.parse::<u32>().ok());
    assert!(step.is_some_and(|step| step < 750 / 2), "750 steps an epoch: {said}");
}

/// 20 steps of deep-mnist at batch 32 on MNIST, an epoch of metrics every 4 steps, on softgpu and on the CPU.
#[test]
fn deep_mnist_beside_the_cpu() {
    let from = mnist();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    first_images(&from, &dir.join("data"), 128);
    let run = |device: &str| -> Vec<f64> {
        let line = format!("train --model deep-mnist --device {device} --batch 32 --epochs 5");
        let line = format!("{line} --limit 128 --data data --out {device}");
        ok(&mut with(warp19_in(dir, &line), &[]));
        let epochs = metrics::read::<Epoch>(&dir.join(device).join("metrics.jsonl")).unwrap();
        epochs.iter().map(|e| e.train_loss).collect()
    };
    let (gpu, cpu) = (run("softgpu"), run("cpu"));
    println!("training loss of 5 epochs of 4 steps: softgpu {gpu:?}, CPU {cpu:?}");
    assert_eq!(gpu.len(), 5);
    for (a, b) in gpu.iter().zip(&cpu) {
        assert!((a - b).abs() <= 0.02 * b, "softgpu {gpu:?}, CPU {cpu:?}");
    }
    assert!(gpu[4] < 0.7 * gpu[0], "{gpu:?}");
}

/// Where MNIST is.
pub fn mnist() -> PathBuf {
    std::env::var_os("WARP19_MNIST").map_or(repository().join("data/mnist"), PathBuf::from)
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
        let mut bytes = std::fs::read(from.join(name))
            .unwrap_or_else(|e| panic!("{}: {e}; `warp19 data fetch` brings MNIST", from.join(name).display()));
        if size > 0 {
            bytes[4..8].copy_from_slice(&count.to_be_bytes());
            bytes.truncate(header + size * count as usize);
        }
        std::fs::write(to.join(name), bytes).unwrap();
    }
}
