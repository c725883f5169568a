//! The trainer's loop: where an interrupt falls, what a diverged run leaves, when a run that does not learn is noticed.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use warp19::cpu::CpuDevice;
use warp19::data::{Classes, Dataset, Split};
use warp19::train::checkpoint::{Checkpoint, LAST};
use warp19::train::metrics::{self, Epoch};
use warp19::train::trainer::{Event, Outcome};
use warp19::train::{Config, Recipe, Trainer};

fn dataset() -> Dataset {
    let split = |count, seed| {
        let (images, labels) = crate::common::synthetic::split(count, seed);
        Split::new(images, labels, "shapes").unwrap()
    };
    Dataset::new(split(120, 1), split(36, 2), Classes::numbered(12), "shapes").unwrap()
}

/// Three epochs of 2.4 steps of 50 images each: 3, 2 and 3 steps.
fn config(data: &Dataset) -> Config {
    let mut recipe = Recipe::named(Some("robust"), "deep-mnist-sgd").unwrap();
    (recipe.epochs, recipe.batch) = (3, 50);
    Config {
        model: "deep-mnist-sgd".into(),
        input: "28x28x1".into(),
        classes: data.classes.count(),
        dataset: "shapes".into(),
        recipe,
        extended: Vec::new(),
        seed: 4,
        images: data.train.len(),
        validation: 0,
        test_images: 0,
        frozen_features: false,
        precision: Default::default(),
    }
}

/// Runs from the folder's checkpoint, if there is one, and is asked to stop once `step` steps are done.
fn run(dir: &Path, config: &Config, stop_at: Option<u64>) -> (warp19::Result<Outcome>, Vec<String>) {
    let d = &mut CpuDevice::new(Some(2)).unwrap();
    let from = dir.join(LAST).exists().then(|| Checkpoint::read(&dir.join(LAST)).unwrap());
    let mut trainer = Trainer::new(d, config.clone(), &dataset(), dir, from).unwrap();
    let stop = AtomicBool::new(false);
    let mut warnings = Vec::new();
    let first = trainer.step;
    let tell = &mut |event: Event| match event {
        // Told at an epoch's last step whatever the time.
        Event::Progress { done, steps, .. } if done == steps && stop_at == Some(first + done) => {
            stop.store(true, Ordering::SeqCst);
        }
        Event::Warning(text) => warnings.push(text),
        _ => {}
    };
    let outcome = trainer.run(d, None, Duration::ZERO, &stop, tell);
    (outcome, warnings)
}

#[test]
fn an_interrupt_at_an_epochs_last_step_owes_no_evaluation() {
    let data = dataset();
    let config = config(&data);
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(run(whole.path(), &config, None).0.unwrap(), Outcome::Finished);
    let stopped = run(cut.path(), &config, Some(3)).0.unwrap();
    assert_eq!(stopped, Outcome::Interrupted);
    let lines = |dir: &Path| metrics::read::<Epoch>(&dir.join("metrics.jsonl")).unwrap();
    assert_eq!(lines(cut.path()).len(), 1, "the epoch that was over counts");
    // What a kill in the middle of a write leaves behind.
    let stale = cut.path().join(".warp19-AbCdEf.tmp");
    std::fs::write(&stale, "half a checkpoint").unwrap();
    assert_eq!(run(cut.path(), &config, None).0.unwrap(), Outcome::Finished);
    assert!(!stale.exists());
    for file in [LAST, "best.safetensors"] {
        let bytes = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(bytes(whole.path()) == bytes(cut.path()), "{file}");
    }
    for (a, b) in lines(whole.path()).iter().zip(&lines(cut.path())) {
        assert_eq!((a.step, a.train_loss, a.test_loss), (b.step, b.train_loss, b.test_loss));
    }
    let steps: Vec<u64> = lines(cut.path()).iter().map(|e| e.step).collect();
    assert_eq!(steps, [3, 5, 8]);
}

#[test]
fn a_diverged_run_stops_and_its_last_checkpoint_is_finite() {
    let data = dataset();
    let mut config = config(&data);
    config.recipe.lr = 1e18;
    let dir = tempfile::tempdir().unwrap();
    let error = run(dir.path(), &config, None).0.unwrap_err().to_string();
    assert!(error.contains("diverged") && error.contains("--lr"), "{error}");
    // With a checkpoint after every step, one was written before the weights were lost.
    let checkpoint = Checkpoint::read(&dir.path().join(LAST)).unwrap();
    for (name, values) in &checkpoint.arenas {
        assert!(values.iter().all(|v| v.is_finite()), "{name}");
    }
    let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, [LAST, metrics::STEPS], "no temporary file is left");
}

/// With a rate so small that nothing moves, the loss stays at ln 12; said once an epoch, and not before step 100.
#[test]
fn a_run_that_does_not_learn_is_noticed() {
    let data = dataset();
    let mut config = config(&data);
    config.recipe = Recipe { epochs: 103, batch: 50, lr: 1e-12, ..Recipe::named(Some("article"), "vgg19").unwrap() };
    config.images = 50;
    let dir = tempfile::tempdir().unwrap();
    let (outcome, warnings) = run(dir.path(), &config, None);
    assert_eq!(outcome.unwrap(), Outcome::Finished);
    // Epochs of one step; those that end at step 100 to 103.
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(warnings[0].contains("epoch 100") && warnings[0].contains("robust"));
}
