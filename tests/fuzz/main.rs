//! Files from outside, mutated and random: each is an error or a success, never a panic, and takes no more memory than
//! ten times its length or 64 MiB.
//!
//! Each target starts from small valid files and from those kept in `tests/fuzz/corpus`, changes them, and reads
//! them. In `cargo test` each runs for a few seconds; `scripts/test.sh --all` reads 100,000 inputs of each. An input
//! that fails is kept in `target/tmp/fuzz` and named, so that it can be put into the corpus. All inputs follow from a
//! seed.

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod mutate;

use common::allocations::{Counting, peak_of};
use mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use warp19::data::{cifar::CifarFiles, classes, idx};
use warp19::export::weights::Weights;
use warp19::image::{self, Form};
use warp19::model::zoo;
use warp19::train::checkpoint::Checkpoint;
use warp19::train::record::Record;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LEAST: usize = 64 << 20;

/// Reads the input in a file; an error is as good as a success.
type Target = fn(&Path);

fn idx_images(path: &Path) {
    drop(idx::read_images(path));
}

fn idx_labels(path: &Path) {
    drop(idx::read_labels(path));
}

fn cifar(path: &Path) {
    let folder = path.parent().unwrap().join("cifar");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(path, folder.join("test_batch.bin")).unwrap();
    std::fs::copy(path, folder.join("data_batch_1.bin")).unwrap();
    drop(CifarFiles::find(&folder).unwrap().load());
}

fn picture(path: &Path) {
    drop(image::read(path, &Form::mnist(28, 28)));
    drop(image::read(path, &Form::cut([16, 16, 3])));
}

fn names(path: &Path) {
    drop(classes::read(path));
    drop(classes::read_mapping(path));
}

fn checkpoint(path: &Path) {
    drop(Checkpoint::read(path));
}

fn weights(path: &Path) {
    let model = zoo::build("vgg19-torchvision", "32x32x3".parse().unwrap(), 2).unwrap();
    if let Ok(mut weights) = Weights::open(path) {
        weights.network();
        // Too short for the network: nothing is put into it that is not in the file.
        drop(weights.fill(&model, &mut [0.0; 0]));
    }
}

fn record(path: &Path) {
    let folder = path.parent().unwrap().join("run");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(path, folder.join("config.json")).unwrap();
    if let Ok(Some(record)) = Record::read(&folder) {
        drop(record.config.check());
        drop(record.config.model());
    }
}

/// Reads mutated inputs until the time is over, or so many of them.
fn fuzz(name: &str, target: Target, seeds: Vec<Vec<u8>>, seconds: u64, most: usize) {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("input");
    let mut mutator = Mutator::new(name, corpus::with_kept(name, seeds));
    let (began, mut done) = (Instant::now(), 0);
    while done < most && began.elapsed() < Duration::from_secs(seconds) {
        let input = mutator.next();
        std::fs::write(&path, &input).unwrap();
        let mut panicked = false;
        let peak = peak_of(|| panicked = catch_unwind(AssertUnwindSafe(|| target(&path))).is_err());
        let bound = LEAST.max(10 * input.len());
        if panicked || peak > bound {
            let kept = keep(name, &input);
            let memory = format!("{peak} bytes of memory, {bound} are allowed");
            let what = if panicked { "a panic" } else { &memory };
            panic!("{name}, input {done}: {what}; it is kept in {}", kept.display());
        }
        done += 1;
    }
    println!("{name}: {done} inputs in {:.1} s", began.elapsed().as_secs_f64());
    assert!(done >= 100, "{name}: only {done} inputs were read in {seconds} s");
}

fn keep(name: &str, input: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, input).unwrap();
    path
}

/// Gives the files that a target starts from.
type Seeds = fn() -> Vec<Vec<u8>>;

const TARGETS: [(&str, Target, Seeds); 8] = [
    ("idx-images", idx_images, corpus::idx_images),
    ("idx-labels", idx_labels, corpus::idx_labels),
    ("cifar", cifar, corpus::cifar),
    ("pictures", picture, corpus::pictures),
    ("classes", names, corpus::classes),
    ("checkpoint", checkpoint, corpus::checkpoints),
    ("weights", weights, corpus::weights),
    ("record", record, corpus::records),
];

/// The seconds that each target has here; together less than a minute.
const SECONDS: u64 = 6;

#[test]
fn readers_survive_mutated_files() {
    for (name, target, seeds) in TARGETS {
        fuzz(name, target, seeds(), SECONDS, usize::MAX);
    }
}

#[test]
#[ignore = "100,000 inputs of each reader, beside a few seconds of each above; scripts/test.sh --all runs it"]
fn readers_survive_a_hundred_thousand_mutated_files() {
    for (name, target, seeds) in TARGETS {
        fuzz(name, target, seeds(), u64::MAX, 100_000);
    }
}
