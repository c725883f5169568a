//! A small dataset of drawn shapes.

use std::path::Path;
use warp19::data::{Images, idx};

/// Number of classes.
pub const CLASSES: usize = 12;

const SIZE: usize = 28;

/// Writes a dataset of 28x28 shapes in 12 classes as the four raw IDX files into `dir` (created
/// where missing). Classes take turns, so any 12 images in a row hold all of them. Position,
/// size, stroke width and brightness vary by image, from a fixed seed: the same numbers give the
/// same bytes, and a small network tells the classes apart after a few dozen steps.
pub fn dataset(dir: &Path, train_n: usize, test_n: usize) {
    for (part, count, seed) in [("train", train_n, 1), ("t10k", test_n, 2)] {
        let (images, labels) = split(count, seed);
        write(dir, part, &images, &labels);
    }
}

/// Writes one part of a dataset, `train` or `t10k`, into `dir` (created where missing).
pub fn write(dir: &Path, part: &str, images: &Images, labels: &[u32]) {
    std::fs::create_dir_all(dir).expect("create the folder of the dataset");
    let path = |kind: &str| dir.join(format!("{part}-{kind}-ubyte"));
    std::fs::write(path("images-idx3"), idx::encode_images(images).unwrap()).unwrap();
    std::fs::write(path("labels-idx1"), idx::encode_labels(labels).unwrap()).unwrap();
}

/// The images and labels of one part of such a dataset.
pub fn split(count: usize, seed: u64) -> (Images, Vec<u32>) {
    let mut random = SplitMix(seed);
    let mut pixels = Vec::with_capacity(count * SIZE * SIZE);
    let mut labels = Vec::with_capacity(count);
    for index in 0..count {
        let class = index % CLASSES;
        labels.push(class as u32);
        draw(class, &mut random, &mut pixels);
    }
    let images = Images { count, height: SIZE, width: SIZE, channels: 1, pixels: pixels.into() };
    (images, labels)
}

/// A straight stroke from one point to another, in a square of -1 to 1, y downwards.
type Stroke = [f32; 4];

/// The strokes of a class; a ring is drawn as eight short ones.
fn strokes(class: usize) -> Vec<Stroke> {
    let top = [-0.7, -0.8, 0.7, -0.8];
    let bottom = [-0.7, 0.8, 0.7, 0.8];
    let left = [-0.7, -0.8, -0.7, 0.8];
    let right = [0.7, -0.8, 0.7, 0.8];
    let middle = [-0.7, 0.0, 0.7, 0.0];
    let upright = [0.0, -0.8, 0.0, 0.8];
    let falling = [-0.7, -0.8, 0.7, 0.8];
    let rising = [-0.7, 0.8, 0.7, -0.8];
    match class {
        0 => ring(),
        1 => vec![upright],
        2 => vec![middle],
        3 => vec![falling],
        4 => vec![rising],
        5 => vec![middle, upright],
        6 => vec![falling, rising],
        7 => vec![top, upright],
        8 => vec![top, bottom, left, right],
        9 => vec![left, bottom],
        10 => vec![left, right],
        _ => vec![top, rising, bottom],
    }
}

fn ring() -> Vec<Stroke> {
    let point = |i: usize| {
        let angle = i as f32 * std::f32::consts::FRAC_PI_4;
        (0.75 * angle.cos(), 0.75 * angle.sin())
    };
    let side = |i| {
        let ((x0, y0), (x1, y1)) = (point(i), point(i + 1));
        [x0, y0, x1, y1]
    };
    (0..8).map(side).collect()
}

fn draw(class: usize, random: &mut SplitMix, pixels: &mut Vec<u8>) {
    let half = random.between(7.0, 10.0);
    let (cx, cy) = (random.between(12.0, 16.0), random.between(12.0, 16.0));
    let width = random.between(1.0, 1.8);
    let brightness = random.between(180.0, 255.0);
    let strokes = strokes(class);
    for y in 0..SIZE {
        for x in 0..SIZE {
            let at = [(x as f32 + 0.5 - cx) / half, (y as f32 + 0.5 - cy) / half];
            let nearest = strokes.iter().map(|stroke| distance(at, stroke)).fold(f32::INFINITY, f32::min);
            let cover = (width + 0.5 - nearest * half).clamp(0.0, 1.0);
            pixels.push((cover * brightness).round() as u8);
        }
    }
}

/// Distance from a point to a stroke.
fn distance(at: [f32; 2], stroke: &Stroke) -> f32 {
    let [x0, y0, x1, y1] = *stroke;
    let (dx, dy) = (x1 - x0, y1 - y0);
    let along = (at[0] - x0) * dx + (at[1] - y0) * dy;
    let t = (along / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (at[0] - x0 - t * dx).hypot(at[1] - y0 - t * dy)
}

/// A small generator (SplitMix64), so that the images depend on no library.
struct SplitMix(u64);

impl SplitMix {
    fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        low + (high - low) * (z >> 40) as f32 / (1u64 << 24) as f32
    }
}
