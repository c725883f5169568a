//! A run remembers its data: later commands use the same, wherever they are called, and refuse others.

use crate::common::command::{fails, json, ok, run, warp19_in};
use crate::common::synthetic;
use std::path::Path;
use warp19::image::{Colour, encode_png};

/// A folder with a dataset in `own/mine` and a run on it in `run`; nothing is named but the folder.
fn trained() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    synthetic::dataset(&dir.path().join("own/mine"), 600, 120);
    let line = "train --model deep-mnist --data own/mine --epochs 2 --batch 50 --lr 0.001 --device cpu --out run";
    ok(&mut warp19_in(dir.path(), line));
    dir
}

fn last_accuracy(dir: &Path) -> f64 {
    let text = std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    line["test_accuracy"].as_f64().unwrap()
}

fn record(dir: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join("run/config.json")).unwrap()).unwrap()
}

#[test]
fn a_run_remembers_its_data() {
    let place = trained();
    let dir = place.path();
    let accuracy = last_accuracy(dir);
    assert!(accuracy > 0.5, "learned: {accuracy}");
    let record = record(dir);
    assert_eq!(record["config"]["dataset"], "mine");
    let data = &record["data"];
    assert_eq!((&data["name"], &data["polarity"]), (&"mine".into(), &"light-on-dark".into()));
    assert_eq!(data["size"], serde_json::json!([28, 28, 1]));
    assert_eq!(data["classes"], synthetic::CLASSES);
    assert_eq!(Path::new(data["path"].as_str().unwrap()), dir.join("own/mine"));
    assert_eq!(data["files"][3]["name"], "t10k-labels-idx1-ubyte");
    assert_eq!(data["files"][3]["sha256"].as_str().unwrap().len(), 64);
    assert!(record["command"].as_array().unwrap().contains(&"own/mine".into()));

    // Also from another folder, where there is no data/.
    let elsewhere = tempfile::tempdir().unwrap();
    let line = format!("eval {} --checkpoint last --json", dir.join("run").display());
    let evaluated = json(&mut warp19_in(elsewhere.path(), &line));
    assert_eq!(evaluated["accuracy"].as_f64(), Some(accuracy));
    ok(&mut warp19_in(elsewhere.path(), &format!("report {}", dir.join("run").display())));
    ok(&mut warp19_in(dir, "train --resume run"));
    assert_eq!(self::record(dir), record, "a finished run that is resumed stays what it was");
}

#[test]
fn moved_data_are_found_where_they_are_said_to_be() {
    let place = trained();
    let dir = place.path();
    std::fs::rename(dir.join("own/mine"), dir.join("own/moved")).unwrap();
    let was = dir.join("own/mine").display().to_string();
    for command in ["eval run", "report run", "train --resume run"] {
        fails(&mut warp19_in(dir, command), &[&was, "\"mine\"", "train-images-idx3-ubyte", "--data"]);
    }
    let evaluated = json(&mut warp19_in(dir, "eval run --checkpoint last --json --data own/moved"));
    assert_eq!(evaluated["accuracy"].as_f64(), Some(last_accuracy(dir)));
    ok(&mut warp19_in(dir, "train --resume run --data own/moved"));
    assert_eq!(Path::new(record(dir)["data"]["path"].as_str().unwrap()), dir.join("own/moved"));
    ok(&mut warp19_in(dir, "eval run"));
}

#[test]
fn other_data_are_refused() {
    let place = trained();
    let dir = place.path();
    let old = record(dir)["data"]["files"][0]["sha256"].as_str().unwrap().to_string();
    let (images, labels) = synthetic::split(600, 77);
    synthetic::write(&dir.join("own/mine"), "train", &images, &labels);
    for command in ["eval run", "report run", "train --resume run", "eval run --data own/mine"] {
        fails(&mut warp19_in(dir, command), &["train-images-idx3-ubyte", "SHA-256", &old, "--data"]);
    }
    // Said to be another dataset, they are taken.
    let said = run(&mut warp19_in(dir, "eval run --data own/mine --dataset changed"), 0);
    assert!(said.out.contains("accuracy"));

    // With another number of classes they cannot be.
    let (images, labels) = synthetic::split(600, 77);
    let fewer: Vec<u32> = labels.iter().map(|&label| label % 11).collect();
    for part in ["train", "t10k"] {
        synthetic::write(&dir.join("own/eleven"), part, &images, &fewer);
    }
    let line = "eval run --data own/eleven --dataset eleven";
    fails(&mut warp19_in(dir, line), &["eleven has 11 classes", "trained on mine with 12"]);
}

/// A dataset of dark shapes on light paper that fill their frames is answered by `predict` as by `eval`: nothing is
/// inverted or centred that was not in training.
#[test]
fn pictures_are_seen_as_in_training() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let dark_on_light = |count, seed| {
        let (mut images, labels) = synthetic::split(count, seed);
        images.pixels = images.all().unwrap().iter().map(|v| 255 - v).collect();
        (images, labels)
    };
    for (part, count, seed) in [("train", 600, 1), ("t10k", 120, 2)] {
        let (images, labels) = dark_on_light(count, seed);
        synthetic::write(&dir.join("paper"), part, &images, &labels);
    }
    let line = "train --model deep-mnist --data paper --epochs 2 --batch 50 --lr 0.001 --device cpu --out run";
    ok(&mut warp19_in(dir, line));
    assert_eq!(record(dir)["data"]["polarity"], "dark-on-light");
    let (images, labels) = dark_on_light(120, 2);
    let (mut names, mut inverted) = (String::new(), String::new());
    for i in 0..images.count {
        let write = |name: String, pixels: Vec<u8>| {
            std::fs::write(dir.join(&name), encode_png(28, 28, Colour::Grey, &pixels).unwrap()).unwrap();
            name
        };
        names += &format!(" {}", write(format!("{i}.png"), images.image(i).unwrap().to_vec()));
        inverted +=
            &format!(" {}", write(format!("{i}-i.png"), images.image(i).unwrap().iter().map(|v| 255 - v).collect()));
    }
    let answers = |line: &str| -> Vec<u64> {
        let list = json(&mut warp19_in(dir, &format!("predict run --json {line}")));
        list.as_array().unwrap().iter().map(|a| a["class"].as_u64().unwrap()).collect()
    };
    let asked = answers(&names);
    let right = asked.iter().zip(&labels).filter(|(a, l)| **a == u64::from(**l)).count();
    let evaluated = json(&mut warp19_in(dir, "eval run --json"));
    assert_eq!(evaluated["errors"], 120 - right);
    assert!(right > 60, "{right}");
    // Light on dark, they are turned round; but not as they are.
    assert_eq!(answers(&inverted), asked);
    assert_ne!(answers(&format!("--as-is {inverted}")), asked);
}

#[test]
fn one_bad_picture_among_several_is_told_and_the_others_are_answered() {
    let place = trained();
    let dir = place.path();
    let (images, _) = synthetic::split(2, 9);
    for i in 0..2 {
        let png = encode_png(28, 28, Colour::Grey, &images.image(i).unwrap()).unwrap();
        std::fs::write(dir.join(format!("{i}.png")), png).unwrap();
    }
    std::fs::write(dir.join("bad.png"), "no picture").unwrap();
    let written = run(&mut warp19_in(dir, "predict run 0.png bad.png missing.png 1.png --json --show"), 1);
    let list: serde_json::Value = serde_json::from_str(&written.out).unwrap();
    let keys = ["class", "error", "error", "class"];
    for (entry, key) in list.as_array().unwrap().iter().zip(keys) {
        assert!(!entry[key].is_null(), "{entry}");
    }
    assert_eq!(list[0]["top"][0]["name"], list[0]["class"].to_string());
    for words in ["bad.png cannot be read as a picture", "missing.png", "0.png as the network sees it"] {
        assert!(written.said.contains(words), "{words}: {}", written.said);
    }
    assert!(dir.join("0.seen.png").exists() && dir.join("1.seen.png").exists());
    fails(&mut warp19_in(dir, "predict run bad.png"), &["cannot be read"]);
}
