//! Making a batch from the byte dataset: gather, random deformation, normalisation.
//!
//! For image `n` of the batch and output pixel `(i, j)`, with coordinates counted from the image's centre
//! `(cy, cx) = ((h - 1) / 2, (w - 1) / 2)`:
//! `(sx, sy) = M (j - cx, i - cy) + shift + e(i, j)`, the place in the source the pixel is taken from,
//! `x[n,i,j,c] = (bilinear(source, cy + sy, cx + sx, c) / 255 - mean) / std`, zero outside the source.
//!
//! `M = rotation(angle) [[1, shear], [0, 1]] / scale` and `e` is a smooth field: a uniform cubic B-spline over
//! control points `spacing` pixels apart whose displacements are uniform in `[-elastic, elastic]` pixels.
//! Draws, from the stream (seed, Augment, step), image `n` of the batch: block (n, 0) gives angle, scale, shear and
//! shift x; block (n, 1) shift y; block (n, 2 + k/2) words 2 (k mod 2) and the next the x and y of control point k.

use super::description::{Description, Operand, StepState};
use super::philox::{Purpose, Stream, uniform};
use super::view::{DType, Precision};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Ranges of the random deformation; each is drawn uniformly from `[-range, range]` (scale: `1 +- range`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Rotation in degrees.
    pub degrees: f32,
    /// Relative scale.
    pub scale: f32,
    /// Horizontal shear, as the tangent of its angle.
    pub shear: f32,
    /// Shift in pixels, each direction.
    pub shift: f32,
    /// Displacement of the elastic field's control points in pixels; 0 turns the field off.
    pub elastic: f32,
    /// Distance of the control points in pixels.
    pub spacing: usize,
}

/// A number for each channel of a picture, or one for all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Channels {
    All(f32),
    /// Red, green, blue.
    Each([f32; 3]),
}

impl Channels {
    /// That of a channel.
    pub fn of(&self, channel: usize) -> f32 {
        match self {
            Channels::All(v) => *v,
            Channels::Each(all) => all[channel.min(2)],
        }
    }
}

impl From<f32> for Channels {
    fn from(v: f32) -> Channels {
        Channels::All(v)
    }
}

/// How batches are made: `x[n, y, x, c]` and the labels of the step's samples ([`StepState::samples`]), images of a
/// dataset of bytes. Views: `pixels, labels, x, batch labels`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gather {
    /// Images in the dataset.
    pub images: usize,
    /// Images in the batch.
    pub n: usize,
    pub h: usize,
    pub w: usize,
    pub c: usize,
    /// Pixels are scaled to [0, 1], then `(p - mean) / std`.
    pub mean: Channels,
    pub std: Channels,
    pub seed: u64,
    pub augment: Option<Augment>,
}

/// One image's deformation.
#[derive(Clone, Debug)]
pub struct Warp {
    /// Row-major 2x2 matrix over (x, y).
    pub matrix: [f32; 4],
    /// Shift (x, y) in pixels.
    pub shift: [f32; 2],
}

impl Augment {
    /// Control points along an axis of `size` pixels.
    pub fn control_points(&self, size: usize) -> usize {
        (size - 1) / self.spacing + 4
    }
}

fn symmetric(word: u32, range: f32) -> f32 {
    (2.0 * uniform(word) - 1.0) * range
}

impl Gather {
    /// Bytes of an image.
    pub fn image_len(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let len = self.n * self.image_len();
        let operands = vec![
            Operand::read("pixels", DType::U8, self.images * self.image_len()),
            Operand::read("labels", DType::U32, self.images),
            Operand::write("x", precision.storage(), len),
            Operand::write("batch labels", DType::U32, self.n),
        ];
        let sizes = format!("{}x{}x{}x{}", self.n, self.h, self.w, self.c);
        // Of the dataset, only the images chosen.
        let bytes = (len * (1 + precision.storage().size())) as u64;
        Description { bytes, ..Description::new("gather", sizes, operands) }
    }

    /// The reference in f64.
    pub fn reference(&self, state: &StepState, values: &mut [Vec<f64>]) {
        let [pixels, labels, x, chosen] = values else { panic!("{} values", values.len()) };
        let pixels: Vec<u8> = pixels.iter().map(|&p| p as u8).collect();
        *chosen = state.samples.iter().map(|&i| labels[i as usize]).collect();
        *x = gather(self, state.step, &pixels, state.samples);
    }

    /// An error if a step's samples are not as many as the batch has, or not of the dataset.
    pub fn check(&self, samples: &[u32]) -> Result<()> {
        let wrong = if samples.len() != self.n {
            format!("{} samples were set for a batch of {}", samples.len(), self.n)
        } else if let Some(bad) = samples.iter().find(|&&i| i as usize >= self.images) {
            format!("image {bad} of a dataset of {}", self.images)
        } else {
            return Ok(());
        };
        Err(Error::Invalid(format!("gather: {wrong}")))
    }

    fn stream(&self, step: u64) -> Stream {
        Stream { seed: self.seed, purpose: Purpose::Augment, step }
    }

    /// The affine part of image `n`'s deformation at a step.
    pub fn warp(&self, a: &Augment, step: u64, n: u32) -> Warp {
        let [angle, scale, shear, shift_x] = self.stream(step).block(n, 0);
        let [shift_y, ..] = self.stream(step).block(n, 1);
        let (sin, cos) = symmetric(angle, a.degrees.to_radians()).sin_cos();
        let inverse = 1.0 / (1.0 + symmetric(scale, a.scale));
        let shear = symmetric(shear, a.shear);
        Warp {
            matrix: [cos * inverse, (cos * shear - sin) * inverse, sin * inverse, (sin * shear + cos) * inverse],
            shift: [symmetric(shift_x, a.shift), symmetric(shift_y, a.shift)],
        }
    }

    /// The displacement (x, y) of control point `k` (row-major) of image `n`.
    pub fn control(&self, a: &Augment, step: u64, n: u32, k: u32) -> [f32; 2] {
        let words = self.stream(step).block(n, 2 + k / 2);
        let at = 2 * (k as usize % 2);
        [symmetric(words[at], a.elastic), symmetric(words[at + 1], a.elastic)]
    }
}

/// Weights of the four control points around `t` in [0, 1) of a uniform cubic B-spline.
pub fn bspline(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    let s = 1.0 - t;
    [s * s * s / 6.0, (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0, (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0, t3 / 6.0]
}

/// Reference: one batch in f64. `pixels` are all images' bytes, NHWC; `indices` choose the batch.
pub fn gather(g: &Gather, step: u64, pixels: &[u8], indices: &[u32]) -> Vec<f64> {
    let mut out = Vec::with_capacity(g.n * g.image_len());
    for (n, &index) in indices.iter().enumerate() {
        let image = &pixels[index as usize * g.image_len()..][..g.image_len()];
        for i in 0..g.h {
            for j in 0..g.w {
                let (y, x) = source(g, step, n as u32, i, j);
                for c in 0..g.c {
                    let value = bilinear(g, image, y, x, c);
                    out.push((value / 255.0 - f64::from(g.mean.of(c))) / f64::from(g.std.of(c)));
                }
            }
        }
    }
    out
}

/// Source coordinates (y, x) of output pixel (i, j).
fn source(g: &Gather, step: u64, n: u32, i: usize, j: usize) -> (f64, f64) {
    let Some(a) = &g.augment else {
        return (i as f64, j as f64);
    };
    let warp = g.warp(a, step, n);
    let m = warp.matrix.map(f64::from);
    let (cy, cx) = ((g.h - 1) as f64 / 2.0, (g.w - 1) as f64 / 2.0);
    let (px, py) = (j as f64 - cx, i as f64 - cy);
    let mut x = cx + m[0] * px + m[1] * py + f64::from(warp.shift[0]);
    let mut y = cy + m[2] * px + m[3] * py + f64::from(warp.shift[1]);
    if a.elastic > 0.0 {
        let columns = a.control_points(g.w);
        let by = bspline((i % a.spacing) as f32 / a.spacing as f32);
        let bx = bspline((j % a.spacing) as f32 / a.spacing as f32);
        for (p, wy) in by.iter().enumerate() {
            for (q, wx) in bx.iter().enumerate() {
                let k = (i / a.spacing + p) * columns + j / a.spacing + q;
                let d = g.control(a, step, n, k as u32);
                x += f64::from(wx * wy) * f64::from(d[0]);
                y += f64::from(wx * wy) * f64::from(d[1]);
            }
        }
    }
    (y, x)
}

fn bilinear(g: &Gather, image: &[u8], y: f64, x: f64, c: usize) -> f64 {
    let (y0, x0) = (y.floor(), x.floor());
    let (fy, fx) = (y - y0, x - x0);
    let at = |dy: f64, dx: f64| {
        let (i, j) = (y0 + dy, x0 + dx);
        let inside = i >= 0.0 && j >= 0.0 && i < g.h as f64 && j < g.w as f64;
        if inside { f64::from(image[(i as usize * g.w + j as usize) * g.c + c]) } else { 0.0 }
    };
    (1.0 - fy) * ((1.0 - fx) * at(0.0, 0.0) + fx * at(0.0, 1.0)) + fy * ((1.0 - fx) * at(1.0, 0.0) + fx * at(1.0, 1.0))
}
