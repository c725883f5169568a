//! What the targets start from: small valid files of every kind, made here, and inputs that once failed, kept in
//! `tests/fuzz/corpus/TARGET/`.

use crate::common::{repository, synthetic};
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, ImageFormat, Luma, Rgb, RgbImage};
use std::io::{Cursor, Write};
use warp19::data::{Images, idx};
use warp19::train::checkpoint::{Checkpoint, Meta};
use warp19::train::{Config, Recipe};

/// The seeds with the inputs that are kept for a target.
pub fn with_kept(name: &str, mut seeds: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let folder = repository().join("tests/fuzz/corpus").join(name);
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = files.map(|entry| entry.path()).collect();
    paths.sort();
    seeds.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    seeds
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn idx_images() -> Vec<Vec<u8>> {
    let (images, _) = synthetic::split(2, 1);
    let colours = Images { count: 3, height: 4, width: 5, channels: 3, pixels: (0..180).collect() };
    let raw = [images, colours].map(|images| idx::encode_images(&images).unwrap());
    raw.iter().cloned().chain(raw.iter().map(|bytes| gzip(bytes))).collect()
}

pub fn idx_labels() -> Vec<Vec<u8>> {
    let raw = [vec![0, 1, 2, 3, 9], vec![0, 700, 2]].map(|labels| idx::encode_labels(&labels).unwrap());
    raw.iter().cloned().chain(raw.iter().map(|bytes| gzip(bytes))).collect()
}

pub fn cifar() -> Vec<Vec<u8>> {
    vec![(0..2 * 3073).map(|i| (i % 251) as u8).collect()]
}

pub fn pictures() -> Vec<Vec<u8>> {
    let colours = RgbImage::from_fn(24, 20, |x, y| Rgb([(x * 10) as u8, (y * 12) as u8, if x > y { 250 } else { 5 }]));
    let colours = DynamicImage::ImageRgb8(colours);
    let deep = image::ImageBuffer::from_fn(16, 16, |x, y| Luma([(x * y * 257) as u16]));
    let all = [colours.clone(), colours.to_luma8().into(), colours.to_rgba8().into(), DynamicImage::ImageLuma16(deep)];
    let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::WebP];
    let mut out = Vec::new();
    for (picture, format) in all.iter().flat_map(|picture| formats.map(|format| (picture, format))) {
        let mut bytes = Cursor::new(Vec::new());
        // Not every format has every kind of pixel.
        if picture.write_to(&mut bytes, format).is_ok() {
            out.push(bytes.into_inner());
        }
    }
    assert!(out.len() >= 10, "{} pictures", out.len());
    out
}

pub fn classes() -> Vec<Vec<u8>> {
    let mapping: String = (0..47).map(|i| format!("{i} {}\n", 48 + i)).collect();
    ["cat\ndog\nhorse\n", "\u{feff}Zürich\r\nGenève\r\n", &mapping].map(|text| text.as_bytes().to_vec()).to_vec()
}

fn config() -> Config {
    Config {
        model: "deep-mnist-sgd".into(),
        input: "4x4x1".into(),
        classes: 3,
        dataset: "test".into(),
        recipe: Recipe::named(None, "deep-mnist-sgd").unwrap(),
        extended: Vec::new(),
        seed: 7,
        images: 100,
        validation: 0,
        test_images: 0,
        frozen_features: false,
        precision: Default::default(),
    }
}

/// A whole one, and its head alone, in which most changes meet something.
pub fn checkpoints() -> Vec<Vec<u8>> {
    let weights = vec![0.5; config().model().unwrap().arena_len()];
    let checkpoint = Checkpoint { meta: Meta::new(0, config(), None, [0.0; 4]), arenas: vec![("weights", weights)] };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    checkpoint.write(&path).unwrap();
    let whole = std::fs::read(path).unwrap();
    let head = whole[..4096.min(whole.len())].to_vec();
    vec![head.clone(), head.clone(), head, whole]
}

pub fn weights() -> Vec<Vec<u8>> {
    let tensor = |dtype: &str, shape: &[usize], from: usize, to: usize| {
        let data_offsets = [from, to];
        serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": data_offsets})
    };
    let head = serde_json::json!({
        "features.0.weight": tensor("F32", &[2, 3, 3, 3], 0, 216),
        "features.0.bias": tensor("F32", &[2], 216, 224),
        "classifier.0.weight": tensor("BF16", &[4, 2], 224, 240),
    });
    let head = head.to_string();
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend(head.as_bytes());
    bytes.extend([0x3f; 240]);
    vec![bytes, b"PK\x03\x04archive/data.pkl".to_vec()]
}

pub fn records() -> Vec<Vec<u8>> {
    let config = serde_json::to_value(config()).unwrap();
    let record =
        serde_json::json!({"version": "0.1.0", "command": ["warp19", "train"], "device": "cpu", "config": config});
    vec![record.to_string().into_bytes(), serde_json::to_string_pretty(&record).unwrap().into_bytes()]
}
