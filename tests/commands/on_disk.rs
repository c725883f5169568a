//! Pictures that stay on disk: the same bits as of those held in memory, by every command.

use crate::common::command::{fails, json, ok, run, warp19_in};
use crate::sources::digits;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// A command that holds no picture in memory.
fn on_disk(dir: &Path, line: &str) -> Command {
    let mut command = warp19_in(dir, line);
    command.env("WARP19_HELD_MIB", "0");
    command
}

#[test]
fn the_same_bits_from_disk() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    digits(&dir.join("digits"));
    let line = "train --model deep-mnist --recipe robust --lr 1e-3 --data digits --device cpu --validation 100";
    ok(&mut warp19_in(dir, &format!("{line} --epochs 3 --out held")));
    let told = run(&mut on_disk(dir, &format!("{line} --epochs 3 --out read --steps 20")), 0).said;
    assert!(told.contains("digits: the pictures have 0 MiB of pixels, more than the 0 that are held"), "{told}");
    ok(&mut on_disk(dir, "train --resume read --device cpu"));
    let file = |run: &str, name: &str| std::fs::read(dir.join(run).join(name)).unwrap();
    for name in ["checkpoint.safetensors", "best.safetensors", "predictions.safetensors", "errors.png", "correct.png"] {
        assert!(file("held", name) == file("read", name), "{name}");
    }
    let eval = |line: &str| json(&mut on_disk(dir, line));
    let kept = eval("eval read --json");
    assert_eq!(eval("eval read --json --again")["confusion"], kept["confusion"]);
    assert_eq!(json(&mut warp19_in(dir, "eval held --json --again"))["confusion"], kept["confusion"]);
    let limited = format!("{line} --epochs 1 --limit 300 --test-limit 40");
    ok(&mut on_disk(dir, &format!("{limited} --out some-read")));
    ok(&mut warp19_in(dir, &format!("{limited} --out some-held")));
    assert!(file("some-held", "best.safetensors") == file("some-read", "best.safetensors"));
    ok(&mut on_disk(dir, "data info --data digits --sheet read.png"));
    ok(&mut warp19_in(dir, "data info --data digits --sheet held.png"));
    assert!(file(".", "held.png") == file(".", "read.png"));
}

#[test]
fn the_same_bits_from_disk_on_softgpu() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    digits(&dir.join("digits"));
    let line = "train --model deep-mnist --recipe robust --data digits --device softgpu --batch 8 --test-limit 10 \
                --limit 40 --epochs 1";
    ok(&mut warp19_in(dir, &format!("{line} --out held")));
    ok(&mut on_disk(dir, &format!("{line} --out read")));
    let weights = |run: &str| std::fs::read(dir.join(run).join("checkpoint.safetensors")).unwrap();
    assert!(weights("held") == weights("read"));
}

#[test]
fn a_picture_that_goes_while_it_is_needed() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    digits(&dir.join("digits"));
    let line = "train --model deep-mnist --data digits --device cpu --test-limit 10 --epochs 100000 --out run";
    let mut training = on_disk(dir, line).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(training.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.by_ref().any(|line| line.starts_with("epoch 1/")), "it trains");
    let first = std::fs::read_dir(dir.join("digits/train/3")).unwrap().next().unwrap().unwrap().path();
    std::fs::rename(&first, dir.join("gone.png")).unwrap();
    let said: Vec<String> = said.collect();
    assert_eq!(training.wait().unwrap().code(), Some(1), "{said:?}");
    let last = said.last().unwrap();
    for part in [first.file_name().unwrap().to_str().unwrap(), "the run is saved as it was after step", "--resume run"]
    {
        assert!(last.contains(part), "{part}: {last}");
    }
    fails(&mut on_disk(dir, "train --resume run --device cpu"), &["SHA-256"]);
    std::fs::rename(dir.join("gone.png"), &first).unwrap();
    let step = last.split("after step ").nth(1).unwrap().split(':').next().unwrap().parse::<u64>().unwrap();
    assert!(step > 0);
    let steps = step + 5;
    let told = run(&mut on_disk(dir, &format!("train --resume run --device cpu --steps {steps}")), 0).said;
    assert!(told.contains(&format!("stopped at step {steps}")), "{told}");
}
