//! Layers in 16 bits on Intel's AMX: bfloat16 as it is, halves as sums of two bfloat16.
//!
//! `tiles` has the instructions and the right to them, `runs` how pixels are taken 32 at a time, `pack` the order in
//! which tiles take them, `layer` the forward pass and the one back to the input, `gradient` that of the weights,
//! `finish` what follows a sum.

mod finish;
mod gradient;
mod layer;
mod numbers;
mod pack;
mod patches;
mod runs;
pub mod tiles;
mod weights;

use super::buffer::Room;
use super::element::Element;
use super::epilogue::Epilogue;
use super::memory::Slice;
use crate::ops::description::OPERANDS;
use crate::ops::layer::{LayerPass, Pass};
use gradient::backward_weight;
use half::bf16;
use layer::{backward_data, forward};
use std::hint::black_box;
use std::time::Instant;
use tiles::{Block, Factors, Pair, SIDE, STEP, Tiles};

/// Memory reused from call to call.
#[derive(Default)]
pub struct Scratch {
    /// Packed input.
    input: Room,
    gradient: gradient::Scratch,
}

/// Floating-point operations a second of one thread's tiles, whose factors lie in its first-level cache.
pub fn peak_flops(tiles: Tiles) -> f64 {
    const STEPS: usize = 4;
    const ROUNDS: usize = 50_000;
    let (a, b) = (vec![bf16::ONE; SIDE * SIDE * STEPS], vec![bf16::ONE; STEP * STEPS]);
    let factors = Factors { a: &a, row: SIDE * STEPS, step: SIDE, b: &b, steps: STEPS };
    let (tiles, mut c, pairs) = (tiles.configure(), Block::ZERO, [Pair { a: 0, b: 0 }; 8]);
    let start = Instant::now();
    for _ in 0..ROUNDS {
        tiles.multiply(&factors, &pairs, black_box(&mut c), false);
    }
    (2 * SIDE.pow(3) * STEPS * pairs.len() * ROUNDS) as f64 / start.elapsed().as_secs_f64()
}

/// A pass through a layer with weights whose activations are of 16 bits.
pub fn run<T: Element>(tiles: Tiles, l: &LayerPass, slices: [Slice; OPERANDS], scratch: &mut Scratch) {
    let s = &l.shape.as_conv();
    let Scratch { input, gradient } = scratch;
    match (l.pass, slices) {
        (Pass::Forward { relu: true }, [x, w, b, y, ..]) => {
            let end = Epilogue::Bias { bias: b.read(), relu: true };
            forward::<T, T>(tiles, s, (x.read(), w.read()), y.write(), end, [input, &mut gradient.patches]);
        }
        // Logits are float32.
        (Pass::Forward { relu: false }, [x, w, b, y, ..]) => {
            let end = Epilogue::Bias { bias: b.read(), relu: false };
            forward::<T, f32>(tiles, s, (x.read(), w.read()), y.write(), end, [input, &mut gradient.patches]);
        }
        (Pass::BackwardData { masked }, [dy, w, dx, mask, ..]) => {
            let end = if masked { Epilogue::Mask(mask.read()) } else { Epilogue::None };
            backward_data::<T>(tiles, s, (dy.read(), w.read()), dx.write(), end, input);
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => {
            backward_weight::<T>(tiles, s, (x.read(), dy.read()), (dw.write(), db.write()), gradient);
        }
    }
}
