//! `warp19 report`: what is in the pictures and the page, that they repeat to the byte, and what odd runs give.

use crate::common::command::{fails, json, ok, run, train, warp19_in};
use crate::common::synthetic;
use std::path::Path;
use warp19::cpu::CpuDevice;
use warp19::data::idx;
use warp19::device::Device;
use warp19::report::{Run, known};

/// Trains on the dataset in `set`.
fn trained(dir: &Path, line: &str) {
    ok(&mut train(dir, &format!("--lr 0.001 --batch 50 {line}")));
}

/// A folder with a dataset and a run of two epochs.
fn workplace(line: &str) -> tempfile::TempDir {
    let dir = crate::common::command::workplace(600, 240);
    trained(dir.path(), &format!("--epochs 2 --out run {line}"));
    dir
}

fn read(dir: &Path, run: &str) -> Run {
    let open = &mut || Ok(Box::new(CpuDevice::new(Some(2))?) as Box<dyn Device>);
    Run::read(&dir.join(run), Some(&dir.join("set")), open, &mut |_, _| {}).unwrap()
}

/// Width, height, and three bytes a pixel.
fn picture(path: &Path) -> (usize, usize, Vec<u8>) {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width as usize, info.height as usize, pixels)
}

/// The data inside a page.
fn data(page: &str) -> serde_json::Value {
    let start = "<script type=\"application/json\" id=\"data\">";
    let rest = &page[page.find(start).unwrap() + start.len()..];
    serde_json::from_str(&rest[..rest.find("</script>").unwrap()]).unwrap()
}

const PICTURES: [&str; 8] =
    ["accuracy.png", "loss.png", "time.png", "steps.png", "errors.png", "correct.png", "confusion.png", "features.png"];

#[test]
fn training_ends_with_pictures_that_tell_what_evaluation_tells() {
    let place = workplace("--limit 150");
    let dir = place.path();
    for file in PICTURES {
        let (width, height, pixels) = picture(&dir.join("run").join(file));
        assert!(width >= 700 && height >= 200, "{file}: {width}x{height}");
        assert!(pixels.iter().any(|&p| p < 60), "{file} is empty");
    }
    for file in &PICTURES[..4] {
        let (width, height, _) = picture(&dir.join("run").join(file));
        assert_eq!((width, height), (1200, 800), "{file}");
    }
    let page = std::fs::read_to_string(dir.join("run/report.html")).unwrap();
    for outside in ["http:", "https:", "src=\"/", "@import", "file:"] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
    let eval = json(&mut warp19_in(dir, "eval run --data set --json"));
    let shown = &data(&page)[0];
    assert_eq!(shown["confusion"], eval["confusion"]);
    assert_eq!(shown["total"], eval["errors"]);

    // Every misread image is there, the surest first, and no other.
    let run = read(dir, "run");
    let tested = run.tested.as_ref().unwrap();
    let listed = shown["errors"].as_array().unwrap();
    assert!(!listed.is_empty(), "a run of two epochs misreads something");
    let wrong: Vec<usize> = (0..240)
        .filter(|&i| {
            let row = &tested.evaluation.probabilities[12 * i..12 * (i + 1)];
            let label = tested.test.labels[i] as usize;
            row.iter().any(|&p| p > row[label])
        })
        .collect();
    let mut images: Vec<usize> = listed.iter().map(|e| e["image"].as_u64().unwrap() as usize).collect();
    let sureness: Vec<f64> = listed.iter().map(|e| e["top"][0][1].as_f64().unwrap()).collect();
    assert!(sureness.is_sorted_by(|a, b| a >= b), "{sureness:?}");
    let first = images[0];
    images.sort_unstable();
    assert_eq!(images, wrong);

    // The first digit of the sheet: each of its pixels a square of four without blur, ink on white.
    let (width, _, pixels) = picture(&dir.join("run/errors.png"));
    let digit = tested.test.images.image(first).unwrap();
    for y in 0..112 {
        for x in 0..112 {
            let ink = f64::from(digit[y / 4 * 28 + x / 4]) / 255.0;
            let expected = (255.0 + (28.0 - 255.0) * ink).round() as u8;
            let red = pixels[3 * ((150 + y) * width + 36 + x)];
            assert_eq!(red, expected, "at {x}, {y}");
        }
    }
}

#[test]
fn pictures_repeat_to_the_byte_and_old_pages_go() {
    let place = workplace("--limit 150");
    let dir = place.path();
    std::fs::create_dir(dir.join("b")).unwrap();
    std::fs::write(dir.join("b/errors-9.png"), "an old page").unwrap();
    std::fs::write(dir.join("b/errors-of-mine.png"), "another's file").unwrap();
    for (out, threads) in [("a", "1"), ("b", "3")] {
        let report = format!("report run --data set --out {out} --threads {threads}");
        ok(&mut warp19_in(dir, &report));
    }
    for file in PICTURES.iter().chain(&["report.html"]) {
        let bytes = |out: &str| std::fs::read(dir.join(out).join(file)).unwrap();
        assert!(bytes("a") == bytes("b"), "{file}");
        assert!(bytes("a") == bytes("run"), "{file}: at the end of training and later");
    }
    assert!(!dir.join("b/errors-9.png").exists());
    assert!(dir.join("b/errors-of-mine.png").exists());
}

#[test]
fn several_runs_share_the_curves() {
    let place = workplace("");
    let dir = place.path();
    trained(dir, "--out other/run --epochs 1 --seed 3");
    ok(&mut warp19_in(dir, "report run other/run --data set --out both"));
    let curve = |out: &str| picture(&dir.join(out).join("accuracy.png")).2;
    assert!(curve("both") != curve("run"));
    let page = std::fs::read_to_string(dir.join("both/report.html")).unwrap();
    assert_eq!(data(&page).as_array().unwrap().len(), 2);
    assert!(page.contains("<option value=\"1\">run (2)</option>"), "equal names are told apart");
    assert!(page.contains("<h1>2 runs on shapes</h1>") && page.contains("<p>Best: <b>"), "a heading and a winner");
    let alone = std::fs::read_to_string(dir.join("run/report.html")).unwrap();
    assert!(!alone.contains("<p>Best: <b>"));
    for known in ["warp19 train --model deep-mnist --data set", env!("CARGO_PKG_VERSION"), "Precision"] {
        assert!(alone.contains(known), "{known}");
    }
    // One epoch is said in words, and has no curve to point at; its steps have one.
    let spots = |page: &str| -> serde_json::Value {
        let start = "<script type=\"application/json\" id=\"spots\">";
        let rest = &page[page.find(start).unwrap() + start.len()..];
        serde_json::from_str(&rest[..rest.find("</script>").unwrap()]).unwrap()
    };
    let one = std::fs::read_to_string(dir.join("other/run/report.html")).unwrap();
    assert_eq!(spots(&one)[0]["1200"], serde_json::json!([]));
    assert!(spots(&one)[3]["720"].as_array().unwrap().len() > 4);
    let two = spots(&alone);
    let said: Vec<&str> = two[0]["1200"].as_array().unwrap().iter().map(|spot| spot[2].as_str().unwrap()).collect();
    assert!(said.iter().any(|text| text.starts_with("run, test, epoch 2: ")), "{said:?}");
    assert!(said.iter().any(|text| text.starts_with("run, training, epoch 1: ")), "{said:?}");
}

/// What is left of a run after a crash, a copy without the large files, or a stop before the first epoch's end.
#[test]
fn incomplete_runs_give_what_they_have() {
    let place = workplace("");
    let dir = place.path();
    let report = || warp19_in(dir, "report run --data set --out out");
    let metrics = dir.join("run/metrics.jsonl");
    let text = std::fs::read_to_string(&metrics).unwrap();
    std::fs::write(&metrics, &text[..text.len() - 40]).unwrap();
    assert_eq!(read(dir, "run").epochs.len(), 1);
    ok(&mut report());

    std::fs::write(&metrics, text.replacen("\"epoch\"", "\"epohc\"", 1)).unwrap();
    fails(&mut report(), &["metrics.jsonl line 1"]);

    std::fs::remove_file(&metrics).unwrap();
    ok(&mut report());
    let (width, height, _) = picture(&dir.join("out/accuracy.png"));
    assert_eq!((width, height), (1200, 800));

    std::fs::write(&metrics, &text).unwrap();
    for file in ["best.safetensors", "checkpoint.safetensors"] {
        std::fs::rename(dir.join("run").join(file), dir.join(file)).unwrap();
    }
    std::fs::remove_dir_all(dir.join("out")).unwrap();
    let said = run(&mut report(), 0).said;
    assert!(said.contains("no checkpoint"), "{said}");
    assert!(dir.join("out/accuracy.png").exists() && !dir.join("out/errors.png").exists());
    let page = std::fs::read_to_string(dir.join("out/report.html")).unwrap();
    assert_eq!(data(&page), serde_json::json!([]));
    // The best epoch comes from the metrics then, and is the one of the checkpoint.
    let found = read(dir, "run").best;
    std::fs::rename(dir.join("best.safetensors"), dir.join("run/best.safetensors")).unwrap();
    assert_eq!(found, read(dir, "run").best);

    std::fs::write(dir.join("run/best.safetensors"), "half").unwrap();
    fails(&mut report(), &["best.safetensors"]);
    fails(&mut warp19_in(dir, "report set"), &["not the folder of a run"]);
    fails(&mut warp19_in(dir, "report nowhere"), &["no run folder"]);
    run(&mut warp19_in(dir, "report"), 2);

    trained(dir, "--out early --steps 1");
    ok(&mut warp19_in(dir, "report early --data set"));
    assert!(dir.join("early/errors.png").exists());
}

#[test]
fn a_network_without_errors_gets_a_page_that_says_so() {
    let place = workplace("--limit 150");
    let dir = place.path();
    let run = read(dir, "run");
    let answers: Vec<u32> = run.tested.unwrap().guesses.iter().map(|g| g.answer() as u32).collect();
    std::fs::write(dir.join("set/t10k-labels-idx1-ubyte"), idx::encode_labels(&answers).unwrap()).unwrap();
    // A run of before a run remembered its data: no others could be told from them.
    let path = dir.join("run/config.json");
    let mut record: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("data");
    std::fs::write(&path, record.to_string()).unwrap();
    ok(&mut warp19_in(dir, "report run --data set --out out"));
    let (_, height, _) = picture(&dir.join("out/errors.png"));
    assert!(height < 400, "{height}");
    let page = std::fs::read_to_string(dir.join("out/report.html")).unwrap();
    assert_eq!(data(&page)[0]["total"], 0);
    assert!(page.contains(": 100\u{a0}%</title>"));
}

#[test]
fn twenty_six_classes_and_many_errors_fill_pages() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (images, _) = synthetic::split(260, 5);
    let labels: Vec<u32> = (0..260).map(|i| (i % 26) as u32).collect();
    for part in ["train", "t10k"] {
        synthetic::write(&dir.join("set"), part, &images, &labels);
    }
    trained(dir, "--out run --epochs 1");
    let run = read(dir, "run");
    let errors = run.tested.unwrap().errors.len();
    assert!(errors > 200, "{errors}");
    for page in ["errors.png", "errors-2.png", "errors-3.png"] {
        assert!(dir.join("run").join(page).exists(), "{page}");
    }
    assert!(!dir.join("run/errors-4.png").exists());
    let (width, height, _) = picture(&dir.join("run/confusion.png"));
    assert!(width > 26 * 40 && height > 26 * 40, "{width}x{height}");
}

#[test]
fn labels_in_doubt_are_those_of_mnist_only() {
    assert_eq!(known::doubted("mnist", 10_000, 947, 8), Some(9));
    assert_eq!(known::doubted("mnist", 10_000, 947, 7), None);
    assert_eq!(known::doubted("mnist", 500, 947, 8), None);
    assert_eq!(known::doubted("kmnist", 10_000, 947, 8), None);
}
