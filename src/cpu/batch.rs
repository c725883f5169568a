//! Making a batch of a dataset's images; see [`crate::ops::batch`].

use super::memory::Slice;
use crate::device::StepState;
use crate::error::{Error, Result};
use crate::ops::batch::{Gather, bspline};
use crate::ops::description::OPERANDS;
use rayon::prelude::*;

/// The batch gather: no sample may lie beyond the dataset, and the elastic field must suit the images.
pub fn gather(g: &Gather, state: StepState, [pixels, labels, x, chosen, ..]: [Slice; OPERANDS]) -> Result<()> {
    if !supports(g) {
        return Err(Error::Invalid(format!(
            "gather: the elastic field's control points are too close for {}x{} images",
            g.h, g.w
        )));
    }
    g.check(state.samples)?;
    let labels: &[u32] = labels.read();
    for (chosen, &i) in chosen.write().iter_mut().zip(state.samples) {
        *chosen = labels[i as usize];
    }
    fill(g, state.step, pixels.read(), state.samples, x.write());
    Ok(())
}

fn fill(g: &Gather, step: u64, pixels: &[u8], indices: &[u32], x: &mut [f32]) {
    let len = g.image_len();
    let images = x.par_chunks_mut(len).zip(indices);
    images.enumerate().for_each(|(n, (out, &index))| {
        let image = &pixels[index as usize * len..][..len];
        if g.augment.is_some() {
            warp(g, step, n as u32, image, out);
        } else {
            for (out, pixel) in out.chunks_exact_mut(g.c).zip(image.chunks_exact(g.c)) {
                for (c, (o, &p)) in out.iter_mut().zip(pixel).enumerate() {
                    *o = normalise(g, c, f32::from(p));
                }
            }
        }
    });
}

fn normalise(g: &Gather, channel: usize, byte: f32) -> f32 {
    (byte / 255.0 - g.mean.of(channel)) / g.std.of(channel)
}

/// Most control points along an axis the field keeps on the stack.
const MAX_CONTROLS: usize = 32;

/// One deformed image. Coordinates are added up in f64: a float's rounding of a place near 28 moves the result by more
/// than the contract allows.
fn warp(g: &Gather, step: u64, n: u32, image: &[u8], out: &mut [f32]) {
    let a = g.augment.as_ref().expect("called with an augmentation");
    let warp = g.warp(a, step, n);
    let m = warp.matrix.map(f64::from);
    let (cy, cx) = ((g.h - 1) as f64 / 2.0, (g.w - 1) as f64 / 2.0);
    let (rows, columns) = (a.control_points(g.h), a.control_points(g.w));
    let elastic = a.elastic > 0.0;
    let mut controls = [[0.0f32; 2]; MAX_CONTROLS * MAX_CONTROLS];
    if elastic {
        for (k, d) in controls[..rows * columns].iter_mut().enumerate() {
            *d = g.control(a, step, n, k as u32);
        }
    }
    for i in 0..g.h {
        let by = bspline((i % a.spacing) as f32 / a.spacing as f32);
        for j in 0..g.w {
            let (px, py) = (j as f64 - cx, i as f64 - cy);
            let mut x = cx + m[0] * px + m[1] * py + f64::from(warp.shift[0]);
            let mut y = cy + m[2] * px + m[3] * py + f64::from(warp.shift[1]);
            if elastic {
                let bx = bspline((j % a.spacing) as f32 / a.spacing as f32);
                for (p, wy) in by.iter().enumerate() {
                    let at = (i / a.spacing + p) * columns + j / a.spacing;
                    for (d, wx) in controls[at..at + 4].iter().zip(bx) {
                        x += f64::from(wx * wy) * f64::from(d[0]);
                        y += f64::from(wx * wy) * f64::from(d[1]);
                    }
                }
            }
            for c in 0..g.c {
                out[(i * g.w + j) * g.c + c] = normalise(g, c, bilinear(g, image, y, x, c));
            }
        }
    }
}

fn bilinear(g: &Gather, image: &[u8], y: f64, x: f64, c: usize) -> f32 {
    let (y0, x0) = (y.floor(), x.floor());
    let (fy, fx) = ((y - y0) as f32, (x - x0) as f32);
    let at = |dy: f64, dx: f64| {
        let (i, j) = (y0 + dy, x0 + dx);
        if i >= 0.0 && j >= 0.0 && i < g.h as f64 && j < g.w as f64 {
            f32::from(image[(i as usize * g.w + j as usize) * g.c + c])
        } else {
            0.0
        }
    };
    (1.0 - fy) * ((1.0 - fx) * at(0.0, 0.0) + fx * at(0.0, 1.0)) + fy * ((1.0 - fx) * at(1.0, 0.0) + fx * at(1.0, 1.0))
}

/// Whether a deformation fits the fixed-size field of this backend.
fn supports(g: &Gather) -> bool {
    g.augment
        .as_ref()
        .is_none_or(|a| a.spacing > 0 && a.control_points(g.h) <= MAX_CONTROLS && a.control_points(g.w) <= MAX_CONTROLS)
}
