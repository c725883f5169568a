//! Colour: a training beside the CPU's, and VGG19 as torchvision has it, at 224x224 with 1000 classes.

use crate::{no_findings, softgpu};
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use warp19::cpu::CpuDevice;
use warp19::data::{Classes, Dataset, Images, Split};
use warp19::device::Device;
use warp19::model::Shape;
use warp19::train::{Config, Evaluation, Recipe, Trainer, activations, init};

fn config(model: &str, recipe: &str, Shape { h, w, c }: Shape, classes: usize, images: usize) -> Config {
    Config {
        model: model.into(),
        input: format!("{h}x{w}x{c}"),
        classes,
        dataset: "colours".into(),
        recipe: Recipe::named(Some(recipe), model).unwrap(),
        seed: 3,
        images,
        validation: 0,
        test_images: 0,
        extended: vec![],
        frozen_features: false,
        precision: Default::default(),
    }
}

/// Pictures of one colour each, with another one below a line, by their class.
fn pictures(count: usize, side: usize, classes: usize) -> Split {
    let pixel = |image: usize, y: usize, x: usize, c: usize| {
        let (class, low) = (image % classes, y > (image / classes * 5 + x) % side);
        ((class * (37 + 50 * c) + if low { 90 } else { 0 } + x + 3 * image) % 256) as u8
    };
    let places = move |image| (0..side * side * 3).map(move |at| pixel(image, at / 3 / side, at / 3 % side, at % 3));
    let images =
        Images { count, height: side, width: side, channels: 3, pixels: (0..count).flat_map(places).collect() };
    Split { images, labels: (0..count).map(|image| (image % classes) as u32).collect() }
}

#[test]
fn colours_are_trained_on_as_on_the_cpu() {
    let dataset = Dataset::new(pictures(24, 32, 4), pictures(12, 32, 4), Classes::numbered(4), "colours").unwrap();
    let mut config = config("deep-mnist", "robust", Shape { h: 32, w: 32, c: 3 }, 4, 24);
    (config.recipe.batch, config.recipe.epochs) = (8, 1);
    config.recipe.suit(&dataset.train.images).unwrap();
    let trained = |device: &mut dyn Device| -> (f64, Evaluation) {
        let dir = tempfile::tempdir().unwrap();
        let mut trainer = Trainer::new(device, config.clone(), &dataset, dir.path(), None).unwrap();
        let stop = AtomicBool::new(false);
        trainer.run(device, None, Duration::from_secs(100), &stop, &mut |_| {}).unwrap();
        (trainer.epochs[0].train_loss, trainer.test(device, &mut |_| {}).unwrap())
    };
    let (loss, answers) = trained(&mut CpuDevice::new(None).unwrap());
    let (_alone, mut d) = softgpu("all", "0");
    let (other_loss, other) = trained(&mut d);
    no_findings(&d);
    assert!((loss / other_loss - 1.0).abs() < 1e-4, "{loss} {other_loss}");
    let pairs = answers.probabilities.iter().zip(&other.probabilities);
    let worst = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("losses {loss} and {other_loss}, probabilities differ by {worst:.1e} at most");
    assert!(answers.probabilities.len() == 48 && worst < 1e-3, "{worst}");
}

#[test]
#[ignore = "a forward pass of 39 GFLOP on softgpu, and 2 GB of memory"]
fn vgg19_at_224_in_1000_classes_answers_as_on_the_cpu() {
    let config = config("vgg19-torchvision", "fine-tune", Shape { h: 224, w: 224, c: 3 }, 1000, 1);
    let weights = init::weights(&config.model().unwrap(), config.recipe.init, config.seed);
    let picture = pictures(1, 224, 1);
    let logits = |device: &mut dyn Device| {
        activations(device, &config, &weights, &picture, 0).unwrap().pop().expect("the last layer").values
    };
    let cpu = logits(&mut CpuDevice::new(None).unwrap());
    let (_alone, mut d) = softgpu("none", "0");
    let gpu = logits(&mut d);
    let most = cpu.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let worst = cpu.iter().zip(&gpu).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("logits to {most}, differ by {worst:.1e} at most");
    assert!(cpu.len() == 1000 && worst <= 1e-4 * most.max(1.0), "{worst}");
}
