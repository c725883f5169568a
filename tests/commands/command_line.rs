//! The `warp19` command on a small synthetic dataset: what it writes, that it repeats, that it goes on after a kill,
//! and what it says when something is wrong.

use crate::common::command::{ended, fails, json, ok, run, warp19, warp19_in, workplace};
use crate::common::synthetic;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Trains for two epochs.
fn train(dir: &Path, line: &str) -> Command {
    train_for(2, dir, line)
}

fn train_for(epochs: u32, dir: &Path, line: &str) -> Command {
    let fixed = format!("--epochs {epochs} --recipe robust --lr 0.001 --batch 50 --out");
    crate::common::command::train(dir, &format!("{fixed} {line}"))
}

fn same_file(a: PathBuf, b: PathBuf) -> bool {
    std::fs::read(a).unwrap() == std::fs::read(b).unwrap()
}

#[test]
fn a_run_is_written_evaluated_predicted_and_exported() {
    let dir = workplace(600, 120);
    let dir = dir.path();
    ok(&mut train(dir, "run --validation 100"));
    for file in ["config.json", "metrics.jsonl", "checkpoint.safetensors", "best.safetensors"] {
        assert!(dir.join("run").join(file).exists(), "{file}");
    }
    let metrics = std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap();
    assert_eq!(metrics.lines().count(), 2);
    let last: serde_json::Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    for key in ["train_loss", "train_accuracy", "test_loss", "test_accuracy", "lr", "seconds"] {
        assert!(last[key].is_number(), "{key} in {last}");
    }
    for key in ["test_accuracy_raw", "val_accuracy", "images_per_second"] {
        assert!(last[key].is_number(), "{key} in {last}");
    }
    assert_eq!((last["epoch"].as_u64(), last["step"].as_u64()), (Some(2), Some(20)));

    let evaluate = |line: &str| warp19_in(dir, &format!("eval run --data set {line}"));
    let eval = json(&mut evaluate("--json --checkpoint last"));
    assert_eq!(eval["accuracy"], last["test_accuracy"]);
    assert!((eval["loss"].as_f64().unwrap() - last["test_loss"].as_f64().unwrap()).abs() < 1e-6);
    let confusion = eval["confusion"].as_array().unwrap();
    let cells = confusion.iter().flat_map(|r| r.as_array().unwrap());
    assert_eq!(cells.map(|c| c.as_u64().unwrap()).sum::<u64>(), 120);
    assert_eq!(eval["per_class"].as_array().unwrap().len(), synthetic::CLASSES);
    assert!(ok(&mut evaluate("")).contains("accuracy"));
    let first: serde_json::Value = serde_json::from_str(metrics.lines().next().unwrap()).unwrap();
    assert!(first["test_accuracy_raw"].is_null(), "{first}");

    let picture = dir.join("digit.png");
    let (images, _) = synthetic::split(1, 9);
    let png = warp19::image::encode_png(28, 28, warp19::image::Colour::Grey, &images.all().unwrap()).unwrap();
    std::fs::write(&picture, png).unwrap();
    let predicted = json(&mut warp19_in(dir, "predict run digit.png --json"));
    let top = predicted[0]["top"].as_array().unwrap();
    assert_eq!(top.len(), 5);
    assert!(top[0]["probability"].as_f64() >= top[1]["probability"].as_f64());

    let export = "export run --format safetensors --out out.safetensors";
    ok(&mut warp19_in(dir, export));
    let bytes = std::fs::read(dir.join("out.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let shape = |name: &str| tensors.tensor(name).unwrap().shape().to_vec();
    assert_eq!(shape("features.0.weight"), [32, 1, 5, 5]);
    assert_eq!(shape("features.3.weight"), [64, 32, 5, 5]);
    assert_eq!(shape("classifier.0.weight"), [1024, 3136]);
    assert_eq!(shape("classifier.3.weight"), [12, 1024]);
}

/// The answers that a run keeps are those that its best weights give.
#[test]
fn answers_are_kept_and_used_where_they_are_those_of_weights_and_images() {
    let dir = workplace(600, 120);
    let dir = dir.path();
    ok(&mut train(dir, "run --plain-too"));
    let metrics = std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap();
    assert_eq!(metrics.matches("test_accuracy_raw").count(), 2, "{metrics}");
    let evaluate = |line: &str| warp19_in(dir, &format!("eval run --json {line}"));
    let (kept, again) = (json(&mut evaluate("--data set")), json(&mut evaluate("--data set --again")));
    for key in ["accuracy", "errors", "confusion", "per_class", "step"] {
        assert_eq!(kept[key], again[key], "{key}");
    }
    assert!((kept["loss"].as_f64().unwrap() - again["loss"].as_f64().unwrap()).abs() < 1e-6);

    let path = dir.join("run/predictions.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("probabilities").unwrap().shape(), [120, synthetic::CLASSES]);
    let (_, labels) = synthetic::split(120, 2);
    assert_eq!(tensors.tensor("labels").unwrap().data(), bytemuck::cast_slice::<u32, u8>(&labels));
    // Other images, and other weights, are answered to anew.
    synthetic::dataset(&dir.join("other"), 120, 60);
    assert_eq!(json(&mut evaluate("--data other --dataset other"))["images"], 60);
    ok(&mut train_for(3, dir, "longer"));
    std::fs::copy(dir.join("longer/predictions.safetensors"), &path).unwrap();
    assert_eq!(json(&mut evaluate("--data set"))["confusion"], again["confusion"]);
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    fails(&mut evaluate("--data set"), &["predictions.safetensors", "damaged"]);
    assert_eq!(json(&mut evaluate("--data set --again"))["confusion"], again["confusion"]);
}

/// `devices` and the run name the instruction set; one that is not there is an error that has those that are.
#[test]
fn the_instruction_set_is_chosen_and_named() {
    let dir = workplace(100, 20);
    for isa in warp19::cpu::Isa::all() {
        let name = isa.name();
        assert!(isa.to_string().starts_with(name));
        let chosen = |line: &str| {
            let mut command = warp19_in(dir.path(), line);
            command.env("WARP19_ISA", name);
            command
        };
        assert!(ok(&mut chosen("devices")).contains(&format!("cpu ({isa}, ")));
        let train = "train --model deep-mnist --data set --dataset shapes --device cpu --steps 1 --batch 10";
        ok(&mut chosen(&format!("{train} --out {name}")));
        let config = std::fs::read_to_string(dir.path().join(name).join("config.json")).unwrap();
        assert!(config.contains(&format!("\"device\": \"cpu ({isa}, ")), "{config}");
    }
    fails(warp19("devices").env("WARP19_ISA", "avx1024"), &["WARP19_ISA=avx1024", "plain"]);
}

#[test]
fn one_seed_gives_one_run_whatever_the_threads_and_another_seed_another() {
    let dir = workplace(300, 60);
    let dir = dir.path();
    ok(&mut train(dir, "a --threads 1"));
    ok(&mut train(dir, "b --threads 3"));
    ok(&mut train(dir, "c --seed 1"));
    for file in ["checkpoint.safetensors", "best.safetensors"] {
        assert!(same_file(dir.join("a").join(file), dir.join("b").join(file)), "{file}");
        assert!(!same_file(dir.join("a").join(file), dir.join("c").join(file)), "{file}");
    }
}

/// Kills the run six times, each at a random moment after it has made some progress, and resumes it: the same bytes as
/// never killed.
#[test]
fn a_killed_and_resumed_run_equals_one_never_killed() {
    let dir = workplace(600, 120);
    let dir = dir.path();
    ok(&mut train(dir, "whole"));
    let checkpoint = dir.join("cut/checkpoint.safetensors");
    let written = || checkpoint.metadata().and_then(|m| m.modified()).ok();
    let seed = std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
    println!("kill times from {seed}");
    let resume = || warp19_in(dir, "train --resume cut --data set --save-every 0");
    let first = || train(dir, "cut --save-every 0");
    let mut kills = 0;
    for attempt in 0..6u64 {
        let before = written();
        let mut command = if before.is_some() { resume() } else { first() };
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
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
    ok(&mut resume());
    for file in ["checkpoint.safetensors", "best.safetensors"] {
        assert!(same_file(dir.join("whole").join(file), dir.join("cut").join(file)), "{file}");
    }
    let lines = std::fs::read_to_string(dir.join("cut/metrics.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2);
}

/// A run on a part of the images is tested on a part, says so, and says what its accuracy means and what to do next;
/// `eval` takes all images all the same.
#[test]
fn a_trial_is_short_and_explained() {
    let dir = workplace(1500, 1200);
    let dir = dir.path();
    let said = run(&mut train(dir, "trial --limit 100"), 0).said;
    for words in [
        "100 images, tested on 1000",
        "a guess is right in 8 % of the cases",
        "4 steps on 100 of 1,500 images",
        "tested on 1,000 of 1,200 test images; on all: warp19 eval trial",
        "warp19 train --model deep-mnist --recipe quick",
        "3 epochs, about",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let kept = std::fs::read(dir.join("trial/predictions.safetensors")).unwrap();
    let kept = safetensors::SafeTensors::deserialize(&kept).unwrap();
    assert_eq!(kept.tensor("labels").unwrap().shape(), [1000]);
    assert_eq!(json(&mut warp19_in(dir, "eval trial --data set --json"))["images"], 1200);
    let page = std::fs::read_to_string(dir.join("trial/report.html")).unwrap();
    assert!(page.contains("tested on 1,000 of 1,200 test images"));

    let said = run(&mut train(dir, "other --limit 100 --test-limit 300"), 0).said;
    assert!(said.contains("tested on 300 of 1,200 test images"), "{said}");
    let said = run(&mut train(dir, "whole"), 0).said;
    assert!(!said.contains("guess") && !said.contains("tested on"), "{said}");
    let page = std::fs::read_to_string(dir.join("whole/report.html")).unwrap();
    assert!(!page.contains("of 1,200 test images"));
}

#[test]
fn a_step_limit_saves_and_the_run_goes_on() {
    let dir = workplace(300, 60);
    let dir = dir.path();
    ok(&mut train(dir, "whole"));
    ok(&mut train(dir, "cut --steps 7"));
    ok(&mut warp19_in(dir, "train --resume cut --data set"));
    let file = "checkpoint.safetensors";
    assert!(same_file(dir.join("whole").join(file), dir.join("cut").join(file)));
}

#[cfg(unix)]
#[test]
fn ctrl_c_and_sigterm_save_and_say_how_to_resume() {
    let dir = workplace(600, 120);
    let dir = dir.path();
    for (signal, run) in [(libc::SIGINT, "ctrl-c"), (libc::SIGTERM, "term")] {
        let mut command = train_for(500, dir, run);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let checkpoint = dir.join(run).join("checkpoint.safetensors");
        for _ in 0..600 {
            if checkpoint.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        // Safety: a signal to our own child.
        unsafe { libc::kill(child.id() as i32, signal) };
        let said = ended(&command, child.wait_with_output().unwrap(), 1).said;
        let advice = format!("warp19 train --resume {run}");
        assert!(said.contains(&advice), "{said}");
        ok(&mut warp19_in(dir, &format!("eval {run} --data set")));
    }
}

#[test]
fn mistakes_are_explained_and_nothing_is_lost() {
    let dir = workplace(600, 120);
    let dir = dir.path();
    ok(&mut train(dir, "run --steps 3"));
    let before = std::fs::read(dir.join("run/checkpoint.safetensors")).unwrap();

    fails(&mut train(dir, "run"), &["already holds a run", "--resume"]);
    fails(&mut warp19_in(dir, "train --data nowhere"), &["nowhere", "no dataset"]);
    for device in ["tpu", "gpu", "cuda:", "cuda:-1", "cuda:x"] {
        let unknown = format!("unknown device '{device}'; known are auto, cpu,");
        fails(&mut warp19_in(dir, &format!("train --data set --device {device}")), &[&unknown]);
    }
    if !warp19::cuda::driver::is_present() {
        fails(&mut warp19_in(dir, "train --data set --device cuda:3"), &["no CUDA driver"]);
    }
    fails(&mut warp19_in(dir, "eval nowhere"), &["no run folder nowhere"]);
    fails(&mut warp19_in(dir, "eval set"), &["set", "not the folder of a run"]);
    fails(&mut warp19_in(dir, "train --resume set --data set"), &["to resume from"]);
    fails(&mut warp19_in(dir, "predict run nothing.png"), &["nothing.png"]);
    let said =
        fails(&mut warp19_in(dir, "export run --out no/such/folder/x"), &["the folder no/such/folder", "No such file"]);
    assert!(!said.contains(".tmp"), "{said}");
    fails(&mut warp19_in(dir, "export run --out weights.pt"), &["weights.pt", ".onnx", "--format"]);
    fails(&mut warp19_in(dir, "verify --device cpu --timing 64"), &["warp19 profile --device cpu --batch 64"]);
    fails(&mut train(dir, "zero --limit 0"), &["--limit 0"]);
    fails(&mut train(dir, "all --validation 600"), &["600"]);

    // A dataset of fewer classes than the run's.
    let (images, labels) = synthetic::split(120, 3);
    let few: Vec<u32> = labels.iter().map(|l| l % 10).collect();
    for part in ["train", "t10k"] {
        synthetic::write(&dir.join("few"), part, &images, &few);
    }
    fails(&mut warp19_in(dir, "eval run --data few --dataset few"), &["10 classes", "12"]);

    // A damaged checkpoint.
    let mut damaged = before.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::create_dir(dir.join("bad")).unwrap();
    std::fs::write(dir.join("bad/checkpoint.safetensors"), &damaged).unwrap();
    fails(&mut warp19_in(dir, "eval bad --data set"), &["bad", "damaged"]);
    fails(&mut warp19_in(dir, "train --resume bad --data set"), &["damaged"]);

    // A folder that cannot be written: not even by root.
    fails(&mut train(dir, "/proc/warp19"), &["/proc/warp19"]);

    assert!(std::fs::read(dir.join("run/checkpoint.safetensors")).unwrap() == before);
    for (wrong, part) in [
        ("train --epochs many", "many"),
        ("train --model vgg91", "vgg16-4pool"),
        ("train --recipe secret", "robust"),
        ("params --model vgg91", "deep-mnist-sgd"),
        ("verify --device cpu --only foo", "scaling"),
    ] {
        let said = run(&mut warp19_in(dir, wrong), 2).said;
        assert!(said.contains(part), "{wrong}: {said}");
    }
    run(&mut warp19_in(dir, ""), 2);
}

#[test]
fn the_layer_table_has_the_published_counts() {
    let small = json(&mut warp19("params --json"));
    assert_eq!(small["weights_without_output_layer"], 42_988_096);
    assert_eq!(small["parameters"], 43_012_802);
    let large = json(&mut warp19("params --input 224x224x3 --classes 1000 --json"));
    assert_eq!(large["parameters"], 143_667_240);
    assert!(ok(&mut warp19("params")).contains("conv5_4"));
    assert_eq!(ok(&mut warp19("params --model VGG19")), ok(&mut warp19("params")));
}

#[test]
fn the_device_chooses_a_precision_where_asked() {
    let dir = workplace(60, 20);
    let dir = dir.path();
    let chosen = |device: &str, isa: &str| {
        let (out, line) = (format!("{device}-{isa}"), format!("--device {device} --precision auto --steps 1"));
        let mut command = train(dir, &format!("{out} {line}"));
        let isas = if isa.is_empty() { vec![] } else { vec![("WARP19_ISA", isa)] };
        ok(command.envs(isas).env("SOFTGPU_DEVICE", "sm_86"));
        let record: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(dir.join(&out).join("config.json")).unwrap()).unwrap();
        (record["config"]["precision"].clone(), record["device"].to_string())
    };
    assert_eq!(chosen("cpu", "plain").0, "f32");
    let (precision, device) = chosen("cpu", "");
    assert_eq!(precision, if device.contains("amx") { "bf16" } else { "f32" }, "{device}");
    assert_eq!(chosen("softgpu", "").0, "bf16");
}
