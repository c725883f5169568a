//! Starting weights, drawn on the host in f64 from Philox, so that they are the same on every device.

use super::recipe::{Bias, Init};
use crate::model::{Model, Parameter};
use crate::ops::philox::{Purpose, Stream};

/// The whole parameter arena of a fresh network; the gaps of alignment are zero.
pub fn weights(model: &Model, init: Init, seed: u64) -> Vec<f32> {
    let mut arena = vec![0.0; model.arena_len()];
    for (number, p) in model.parameters().iter().enumerate() {
        let out = &mut arena[p.offset..p.offset + p.len];
        let stream = Stream { seed, purpose: Purpose::Init, step: number as u64 };
        fill(p, init, &stream, out);
    }
    arena
}

fn fill(p: &Parameter, init: Init, stream: &Stream, out: &mut [f32]) {
    match init {
        Init::He | Init::Identity { .. } if p.is_bias() => {}
        Init::He | Init::Identity { .. } => {
            let [.., inputs, outputs] = p.shape[..] else { unreachable!("a weight has inputs and outputs") };
            // The first layer has no channels worth passing on, the linear ones mix all positions.
            let passes = p.shape.len() == 4 && p.layer > 0 && outputs.is_multiple_of(inputs);
            let (keep, noise) = match init {
                Init::Identity { keep, noise } if passes => (keep, noise),
                _ => (0.0, 1.0),
            };
            let std = (2.0 / p.fan_in() as f64).sqrt();
            let centre = p.fan_in() / inputs / 2;
            for (i, v) in out.iter_mut().enumerate() {
                let (tap, c, k) = (i / (inputs * outputs), i / outputs % inputs, i % outputs);
                let own = if tap == centre && k % inputs == c { keep } else { 0.0 };
                *v = (own + noise * (std * normals(stream, i as u32, 0)[0])) as f32;
            }
        }
        Init::TruncatedNormal { std, bias } => {
            let constant = match bias {
                Bias::Constant(v) => Some(v),
                Bias::ConstantAfterFirst(v) => Some(if p.layer == 0 { 0.0 } else { v }),
                Bias::LikeWeights => None,
            };
            match constant.filter(|_| p.is_bias()) {
                Some(v) => out.fill(v),
                None => {
                    for (i, v) in out.iter_mut().enumerate() {
                        *v = (std * truncated(stream, i as u32)) as f32;
                    }
                }
            }
        }
    }
}

/// Two independent standard normal numbers by the Box-Muller transform.
fn normals(stream: &Stream, index: u32, draw: u32) -> [f64; 2] {
    let [a, b, c, d] = stream.block(index, draw);
    // 53-bit uniforms in (0, 1]: the logarithm needs u > 0.
    let unit = |hi: u32, lo: u32| ((((u64::from(hi) << 32) | u64::from(lo)) >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
    let radius = (-2.0 * unit(a, b).ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * unit(c, d)).sin_cos();
    [radius * cos, radius * sin]
}

/// A standard normal number within two standard deviations; those beyond are drawn again.
fn truncated(stream: &Stream, index: u32) -> f64 {
    let mut draw = 0;
    loop {
        if let Some(v) = normals(stream, index, draw).into_iter().find(|v| v.abs() <= 2.0) {
            return v;
        }
        draw += 1;
    }
}
