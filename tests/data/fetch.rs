//! Fetching, from servers on this machine: what comes is checked, what fails is listed, and what was there stays.

mod archives;
mod contents;
mod folders;
mod mirrors;
mod npm;
mod server;

use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use warp19::data::fetch::Options;
use warp19::data::known::{KnownDataset, KnownFile, Sum};
use warp19::data::{Images, idx};

/// Held by tests that start a program or write one: a script that is open for writing in one
/// thread while another starts a program cannot be run for a moment.
static PROGRAMS: Mutex<()> = Mutex::new(());

fn programs() -> std::sync::MutexGuard<'static, ()> {
    PROGRAMS.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The raw files of a small dataset, in the order of [`dataset`].
fn raw_files() -> [(&'static str, Vec<u8>); 4] {
    let images = |count: usize| Images {
        count,
        height: 28,
        width: 28,
        channels: 1,
        pixels: (0..count * 784).map(|i| (i % 251) as u8).collect(),
    };
    let labels = |count: usize| (0..count).map(|i| (i % 10) as u32).collect::<Vec<u32>>();
    [
        ("train-images-idx3-ubyte", idx::encode_images(&images(20)).unwrap()),
        ("train-labels-idx1-ubyte", idx::encode_labels(&labels(20)).unwrap()),
        ("t10k-images-idx3-ubyte", idx::encode_images(&images(10)).unwrap()),
        ("t10k-labels-idx1-ubyte", idx::encode_labels(&labels(10)).unwrap()),
    ]
}

/// The description of that dataset, fetched from `mirrors`.
fn dataset(mirrors: Vec<String>) -> KnownDataset {
    let file = |(name, raw): (&str, Vec<u8>)| KnownFile {
        name: name.to_string(),
        count: if name.starts_with("train") { 20 } else { 10 },
        image_size: name.contains("images").then_some((28, 28)),
        sum: Sum::Raw(hex(&raw)),
    };
    KnownDataset { name: "tiny".to_string(), files: raw_files().map(file).to_vec(), mirrors, npm_package: None }
}

fn options() -> Options {
    Options { connect_timeout: Duration::from_secs(2), read_timeout: Duration::from_millis(500), ..Options::default() }
}

fn listing(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn assert_complete(dir: &Path) {
    for (name, raw) in raw_files() {
        assert!(std::fs::read(dir.join(name)).unwrap() == raw, "{name}");
    }
    assert_eq!(listing(dir).len(), 4, "temporary files are left: {:?}", listing(dir));
}
