//! Data of every kind, the whole way: trained on, evaluated, predicted, reported, resumed, exported.

use crate::common::command::{fails, json, ok, run, warp19_in};
use crate::common::{repository, synthetic};
use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use std::path::{Path, PathBuf};
use std::process::Command;
use warp19::data::{Images, idx};
use warp19::image::{Colour, Form, encode_png, read};

/// A picture that `scripts/fetch_pictures.sh` brings.
fn fetched(name: &str) -> PathBuf {
    let path = repository().join(".cache/pictures").join(name);
    assert!(path.is_file(), "{} is missing: run scripts/fetch_pictures.sh", path.display());
    path
}

/// scikit-learn's digits as a folder of pictures.
pub fn digits(to: &Path) {
    let script = repository().join("scripts/digit_pictures.py");
    let status = Command::new("python3").arg(script).arg(fetched("digits.csv.gz")).arg(to).status().unwrap();
    assert!(status.success());
}

/// Trains in two goes, and takes the run through every command; `picture` is a test picture of the class `name`. The
/// accuracy.
fn whole_way(dir: &Path, train: &str, picture: &str, name: &str) -> f64 {
    ok(&mut warp19_in(dir, &format!("train --model deep-mnist --device cpu --out run {train} --steps 20")));
    ok(&mut warp19_in(dir, "train --resume run --device cpu"));
    let evaluated = json(&mut warp19_in(dir, "eval run --json --again"));
    assert_eq!(json(&mut warp19_in(dir, "eval run --json"))["confusion"], evaluated["confusion"]);
    assert!(ok(&mut warp19_in(dir, "eval run")).contains(name));
    let record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("run/config.json")).unwrap()).unwrap();
    let classes = record["data"]["names"].as_array().unwrap();
    assert_eq!(classes.len() as u64, record["data"]["classes"].as_u64().unwrap());
    let answer = json(&mut warp19_in(dir, &format!("predict run {picture} --json --show")));
    for top in answer[0]["top"].as_array().unwrap() {
        assert_eq!(top["name"], classes[top["class"].as_u64().unwrap() as usize]);
    }
    assert!(answer[0]["top"].as_array().unwrap().iter().any(|top| top["name"] == name), "{name}: {answer}");
    ok(&mut warp19_in(dir, "report run"));
    let page = std::fs::read_to_string(dir.join("run/report.html")).unwrap();
    assert!(page.contains(&format!("<td>{}</td>", name.replace('&', "&amp;"))), "{name} is in the page");
    for file in ["errors.png", "confusion.png", "correct.png", "features.png"] {
        assert!(image_size(&dir.join("run").join(file)) > 10_000, "{file}");
    }
    ok(&mut warp19_in(dir, "export run --out out.safetensors"));
    ok(&mut warp19_in(dir, "export run --format onnx --out out.onnx"));
    let bytes = std::fs::read(dir.join("out.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let channels = record["data"]["size"][2].as_u64().unwrap() as usize;
    assert_eq!(tensors.tensor("features.0.weight").unwrap().shape(), [32, channels, 5, 5]);
    evaluated["accuracy"].as_f64().unwrap()
}

/// Pixels of a PNG.
fn image_size(path: &Path) -> usize {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let reader = png::Decoder::new(file).read_info().unwrap();
    (reader.info().width * reader.info().height) as usize
}

#[test]
fn a_folder_of_pictures_is_learned() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    digits(&dir.join("digits"));
    let info = ok(&mut warp19_in(dir, "data info --data digits --sheet sheet.png"));
    for part in ["digits: 10 classes", "training: 1438 images of 8x8,", "test: 359 images of 8x8,"] {
        assert!(info.contains(part), "{part}: {info}");
    }
    assert_eq!(image_size(&dir.join("sheet.png")), (16 * 50 + 2) * (10 * 50 + 2));
    let four = "digits/test/4";
    let first = std::fs::read_dir(dir.join(four)).unwrap().next().unwrap().unwrap().file_name();
    let picture = format!("{four}/{}", first.to_str().unwrap());
    let accuracy = whole_way(dir, "--data digits --epochs 30", &picture, "4");
    assert!(accuracy >= 0.97, "{accuracy}");

    // What every test picture is predicted as is what eval counts.
    let mut names = Vec::new();
    for digit in 0..10 {
        for entry in std::fs::read_dir(dir.join(format!("digits/test/{digit}"))).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            names.extend((!name.ends_with(".seen.png")).then(|| format!("digits/test/{digit}/{name}")));
        }
    }
    let list = json(&mut warp19_in(dir, &format!("predict run --json {}", names.join(" "))));
    let right = list.as_array().unwrap().iter().zip(&names);
    let right = right.filter(|(a, name)| a["top"][0]["name"].as_str() == name.split('/').nth(2)).count();
    assert_eq!(right as f64 / 359.0, accuracy);

    // One picture less, or another one, is another listing.
    std::fs::rename(dir.join(&picture), dir.join("gone.png")).unwrap();
    fails(&mut warp19_in(dir, "eval run --again"), &["digits/*", "SHA-256", "--data"]);
    std::fs::copy(dir.join("gone.png"), dir.join(&picture)).unwrap();
    ok(&mut warp19_in(dir, "eval run --again"));
    std::fs::rename(dir.join("digits"), dir.join("moved")).unwrap();
    fails(&mut warp19_in(dir, "eval run --again"), &["digits", "folder of pictures", "--data"]);
    ok(&mut warp19_in(dir, "eval run --again --data moved"));
    std::fs::write(dir.join("moved/train/7/bad.png"), "no picture").unwrap();
    fails(&mut warp19_in(dir, "data info --data moved"), &["moved/train/7/bad.png", "cannot be read as a picture"]);
}

#[test]
fn a_folder_without_test_pictures_is_split_by_the_seed() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    digits(&dir.join("digits"));
    std::fs::rename(dir.join("digits/train"), dir.join("all")).unwrap();
    let line = "train --model deep-mnist --data all --epochs 1 --device cpu";
    let told = run(&mut warp19_in(dir, &format!("{line} --seed 3 --out run")), 0).said;
    assert!(told.contains("of 1438 pictures are held out") && told.contains("the seed 3"), "{told}");
    let first = json(&mut warp19_in(dir, "eval run --json --again"));
    let counts = |v: &serde_json::Value| -> Vec<u64> {
        v["per_class"].as_array().unwrap().iter().map(|c| c["count"].as_u64().unwrap()).collect()
    };
    assert!(counts(&first).iter().all(|&n| (13..=17).contains(&n)), "{:?}", counts(&first));
    let accuracy = |text: String| {
        let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        last["test_accuracy"].as_f64().unwrap()
    };
    let trained = accuracy(std::fs::read_to_string(dir.join("run/metrics.jsonl")).unwrap());
    assert_eq!(first["accuracy"].as_f64(), Some(trained), "the same pictures are held out again");
}

#[test]
fn cifar_files_in_colour() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let sources = ["astronaut.png", "chelsea.png", "china.jpg", "coffee.png", "flower.jpg", "ihc.png", "retina.jpg"];
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for (class, name) in sources.iter().enumerate() {
        let picture = read(&fetched(name), &Form::cut([320, 320, 3])).unwrap().pixels;
        // 100 pieces: test pieces are none that a training piece overlaps.
        for (at, (y, x)) in (0..10).flat_map(|y| (0..10).map(move |x| (y, x))).enumerate() {
            let record = if at % 5 == 0 { &mut test } else { &mut train };
            record.push(class as u8);
            for c in 0..3 {
                for row in 0..32 {
                    let start = ((32 * y + row) * 320 + 32 * x) * 3 + c;
                    record.extend(picture[start..].iter().step_by(3).take(32));
                }
            }
        }
    }
    let half = 280 * 3073;
    std::fs::create_dir(dir.join("cifar-10-batches-bin")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.join("cifar-10-batches-bin").join(name), bytes).unwrap();
    write("data_batch_1.bin", &train[..half]);
    write("data_batch_2.bin", &train[half..]);
    write("test_batch.bin", &test);
    let names: Vec<&str> = sources.iter().map(|name| name.split('.').next().unwrap()).collect();
    write("batches.meta.txt", names.join("\n").as_bytes());
    let accuracy = whole_way(dir, "--data . --epochs 12", fetched("retina.jpg").to_str().unwrap(), "retina");
    assert!(accuracy > 0.7, "{accuracy}");
    let record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("run/config.json")).unwrap()).unwrap();
    assert_eq!((&record["data"]["kind"], &record["data"]["size"]), (&"cifar".into(), &serde_json::json!([32, 32, 3])));
    assert_eq!(record["data"]["files"].as_array().unwrap().len(), 3);

    // The project's own recipe normalises channel by channel.
    let line = "train --model deep-mnist --recipe robust --data . --epochs 1 --device cpu --out robust";
    ok(&mut warp19_in(dir, line));
    let record = std::fs::read_to_string(dir.join("robust/config.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    for (c, mean) in record["config"]["recipe"]["mean"].as_array().unwrap().iter().enumerate() {
        let pixels = || train.chunks(3073).flat_map(|r| &r[1 + 1024 * c..][..1024]).map(|&v| f64::from(v));
        let want = pixels().sum::<f64>() / pixels().count() as f64 / 255.0;
        assert!((mean.as_f64().unwrap() - want).abs() < 1e-4, "{c}: {mean} {want}");
    }
    write("test_batch.bin", &test[1..]);
    fails(&mut warp19_in(dir, "data info --data ."), &["test_batch.bin", "a multiple of 3073"]);
}

/// EMNIST's 47 classes of "balanced", drawn with the report's font, stored transposed as EMNIST's are.
fn emnist(dir: &Path) -> Vec<char> {
    let font = FontRef::try_from_slice(notosans::REGULAR_TTF).unwrap();
    let names: Vec<char> = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt".chars().collect();
    let draw = |name: char, number: usize, pixels: &mut Vec<u8>| {
        let scale = PxScale::from(22.0 + (number % 7) as f32);
        let scaled = font.as_scaled(scale);
        let at = point(5.0 + (number * 5 % 7) as f32, scaled.ascent() - 4.0 + (number * 3 % 7) as f32);
        let mut upright = [0u8; 784];
        if let Some(outlined) = font.outline_glyph(scaled.glyph_id(name).with_scale_and_position(scale, at)) {
            let bounds = outlined.px_bounds();
            outlined.draw(|x, y, cover| {
                let (x, y) = (x as i32 + bounds.min.x as i32, y as i32 + bounds.min.y as i32);
                if (0..28).contains(&x) && (0..28).contains(&y) {
                    upright[(28 * y + x) as usize] = (255.0 * cover.min(1.0)) as u8;
                }
            });
        }
        pixels.extend((0..784).map(|at| upright[at % 28 * 28 + at / 28]));
    };
    for (part, each) in [("train", 30), ("test", 6)] {
        let count = 47 * each;
        let mut pixels = Vec::new();
        (0..count).for_each(|i| draw(names[i % 47], if part == "train" { i } else { i + 100_003 }, &mut pixels));
        let images = Images { count, height: 28, width: 28, channels: 1, pixels: pixels.into() };
        let labels: Vec<u32> = (0..count as u32).map(|i| i % 47).collect();
        let path = |kind: &str| dir.join(format!("emnist-balanced-{part}-{kind}-ubyte"));
        std::fs::write(path("images-idx3"), idx::encode_images(&images).unwrap()).unwrap();
        std::fs::write(path("labels-idx1"), idx::encode_labels(&labels).unwrap()).unwrap();
    }
    names
}

#[test]
fn emnist_with_its_47_classes() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let names = emnist(dir);
    let mapping: String = names.iter().enumerate().map(|(i, &c)| format!("{i} {}\n", c as u32)).collect();
    std::fs::write(dir.join("emnist-balanced-mapping.txt"), mapping).unwrap();
    // A capital R as a photograph would show it, dark on light.
    let train = idx::read_images(&dir.join("emnist-balanced-train-images-idx3-ubyte")).unwrap();
    let upright: Vec<u8> = (0..784).map(|at| 255 - train.image(27).unwrap()[at % 28 * 28 + at / 28]).collect();
    let png = encode_png(28, 28, Colour::Grey, &upright).unwrap();
    std::fs::write(dir.join("letter.png"), png).unwrap();
    let accuracy = whole_way(dir, "--data . --dataset emnist-balanced --epochs 10", "letter.png", "R");
    assert!(accuracy > 0.8, "{accuracy}");
}

/// More classes than a byte can count, as 32-bit labels.
#[test]
fn labels_beyond_a_byte() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    let (classes, count) = (300usize, 1200usize);
    for part in ["train", "t10k"] {
        let pixels = (0..count * 64).map(|at| if (at / 64 % classes) >> (at % 64 % 11) & 1 == 1 { 200 } else { 20 });
        let images = Images { count, height: 8, width: 8, channels: 1, pixels: pixels.collect() };
        let labels: Vec<u32> = (0..count).map(|at| (at % classes) as u32).collect();
        std::fs::write(dir.join(format!("{part}-images-idx3-ubyte")), idx::encode_images(&images).unwrap()).unwrap();
        let labels = idx::encode_labels(&labels).unwrap();
        assert_eq!(labels[2], 0x0c, "32-bit integers");
        std::fs::write(dir.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
    let line = "train --model deep-mnist --data . --epochs 30 --batch 100 --device cpu --out run";
    ok(&mut warp19_in(dir, line));
    let evaluated = json(&mut warp19_in(dir, "eval run --json --again"));
    assert!(evaluated["accuracy"].as_f64().unwrap() > 0.5, "{}", evaluated["accuracy"]);
    assert_eq!(evaluated["confusion"].as_array().unwrap().len(), 300);
    assert!(ok(&mut warp19_in(dir, "eval run")).contains("most frequent mistakes"));
}

fn tensors_of(path: &Path) -> std::collections::BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let all = tensors.tensors().into_iter();
    all.map(|(name, view)| (name, (view.shape().to_vec(), view.data().to_vec()))).collect()
}

#[test]
fn a_run_starts_from_weights_with_frozen_features() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    synthetic::dataset(&dir.join("twelve"), 240, 48);
    let line = "train --model deep-mnist --data twelve --epochs 1 --device cpu --out first";
    ok(&mut warp19_in(dir, line));
    ok(&mut warp19_in(dir, "export first --out first.safetensors"));
    for (part, count) in [("train", 240), ("t10k", 48)] {
        let (images, labels) = synthetic::split(count, 5);
        let labels: Vec<u32> = labels.iter().map(|label| label % 5).collect();
        synthetic::write(&dir.join("five"), part, &images, &labels);
    }
    let line = "train --model deep-mnist --init first.safetensors --freeze features --data five --batch 32 --epochs 2 \
                --device cpu";
    let told = run(&mut warp19_in(dir, &format!("{line} --out tuned")), 0).said;
    assert!(told.contains("the weights are those of first.safetensors; fc2 start anew"), "{told}");
    let record: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("tuned/config.json")).unwrap()).unwrap();
    let sum = warp19::data::pictures::sha256(&dir.join("first.safetensors")).unwrap();
    assert_eq!(record["init"]["sha256"], sum);
    assert!(record["init"]["path"].as_str().unwrap().ends_with("/first.safetensors"), "{record}");
    ok(&mut warp19_in(dir, "export tuned --checkpoint last --out tuned.safetensors"));
    let (first, tuned) = (tensors_of(&dir.join("first.safetensors")), tensors_of(&dir.join("tuned.safetensors")));
    for (name, tensor) in &first {
        assert_eq!(tuned[name] == *tensor, name.starts_with("features"), "{name}");
    }
    assert_eq!(tuned["classifier.3.weight"].0, [5, 1024]);
    let checkpoint = tensors_of(&dir.join("tuned/checkpoint.safetensors"));
    assert!(checkpoint.contains_key("weights/conv1.weight") && !checkpoint.contains_key("moment1/conv1.weight"));

    // Stopped and gone on with, and with the average of weights and two moments, it ends the same.
    for recipe in ["fine-tune", "robust"] {
        ok(&mut warp19_in(dir, &format!("{line} --recipe {recipe} --out whole-{recipe}")));
        ok(&mut warp19_in(dir, &format!("{line} --recipe {recipe} --out parts-{recipe} --steps 5")));
        ok(&mut warp19_in(dir, &format!("train --resume parts-{recipe} --device cpu")));
        let bytes = |run: &str| std::fs::read(dir.join(format!("{run}-{recipe}/checkpoint.safetensors"))).unwrap();
        assert!(bytes("whole") == bytes("parts"), "{recipe}");
    }
    fails(&mut warp19_in(dir, &line.replace("deep-mnist", "vgg19")), &["first.safetensors does not fit vgg19"]);
    fails(&mut warp19_in(dir, &line.replace("--model deep-mnist", "")), &["another network", "--model"]);

    // What a layer makes of pictures, in both kinds of files.
    let (images, _) = synthetic::split(3, 9);
    for i in 0..3 {
        let png = encode_png(28, 28, Colour::Grey, &images.image(i).unwrap()).unwrap();
        std::fs::write(dir.join(format!("{i}.png")), png).unwrap();
    }
    for (layer, shape) in [("fc1", vec![3, 1024]), ("pool2", vec![3, 7, 7, 64])] {
        for file in ["out.safetensors", "out.npy"] {
            let line = format!("embed tuned 0.png 1.png 2.png --layer {layer} --out {file}");
            ok(&mut warp19_in(dir, &line));
        }
        let (found, values) = tensors_of(&dir.join("out.safetensors"))[layer].clone();
        assert_eq!(found, shape);
        let npy = std::fs::read(dir.join("out.npy")).unwrap();
        assert!(npy.starts_with(b"\x93NUMPY\x01\x00") && npy.ends_with(&values));
        assert_eq!((npy.len() - values.len()) % 64, 0);
        assert!(String::from_utf8_lossy(&npy[10..120]).contains("'descr': '<f4'"));
    }
    fails(&mut warp19_in(dir, "embed tuned 0.png --layer fc9 --out x.npy"), &["no layer 'fc9'", "conv1, pool1"]);
    fails(&mut warp19_in(dir, "embed tuned 0.png --layer fc1 --out x.txt"), &[".safetensors or .npy"]);
}
