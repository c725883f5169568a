//! The forward pass, and with turned weights the gradient of the input.
//!
//! Two ways through, which give the same numbers up to the order of sums:
//! - **by tiles**, where there are many: the weights are transformed once for all; a task takes a few tiles, transforms
//!   their input, and goes through all output channels, block by block;
//! - **by channels**, where weights outweigh tiles: the input is transformed once for all; a task takes a block of
//!   output channels for many tiles, transforms their weights, and goes through all input channels, block by block.

use super::lines::InputLine;
use super::plan::{BLOCK, Grid, Part, Place, Products, Spectrum, block, piece, pieces};
use super::ready::{self, Ready};
use super::tiles::{Map, MapMut};
use super::weights::transform;
use crate::cpu::buffer::{Room, with_scratch};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::isa::Isa;
use crate::cpu::matrix::Shared;
use crate::cpu::parallel::for_each;
use crate::cpu::vector::{Job, Vector};
use crate::cpu::weights::Weights;
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// Up to this many tiles, or from that many input channels on, the way is by channels.
const FEW: usize = 128;
const MANY: usize = 512;
/// Tiles of a task, by tiles and by channels.
const TILES: [usize; 2] = [48, 64];
/// Input channels whose weights a task transforms at a time, by channels.
const INPUTS: usize = 32;

/// `y = conv(x, w)` with an epilogue.
pub fn forward(isa: Isa, s: &ConvShape, x: &[f32], weights: Weights, y: &mut [f32], end: Epilogue, room: &mut Room) {
    let tiles = Grid::new(s).len();
    let (x, y) = (Map::new(s, s.c, x), MapMut::new(s, s.k, y));
    if tiles <= FEW || s.c >= MANY {
        let lie = Spectrum::new(tiles, s.c, BLOCK);
        let x = ready::map(isa, x, (InputLine, 1), 0..tiles, lie, room.of(lie.len()));
        let (parts, blocks) = (pieces(tiles, TILES[1]), pieces(s.k, BLOCK));
        for_each(0..parts * blocks, |_, task| {
            let part = Part { tiles: piece(&(0..tiles), parts, task % parts), channels: block(s.k, task / parts) };
            let (n, k) = (part.tiles.len(), part.channels.len());
            let (products, ws) = (Spectrum::new(n, k, k), Spectrum::new(INPUTS, k, isa.panel()));
            with_scratch(products.len() + ws.len(), |scratch| {
                let (to_y, to_w) = scratch.split_at_mut(products.len());
                isa.run(ByChannels { isa, s, x, weights, y: &y, end, part, products, to_y, to_w });
            });
        });
    } else {
        let lie = Spectrum::new(s.c, s.k, isa.panel());
        let weights = ready::weights(isa, s, weights, lie, room.of(lie.len()));
        let parts = pieces(tiles, TILES[0]);
        for_each(0..parts, |_, task| {
            let tiles = piece(&(0..tiles), parts, task);
            let (n, k) = (tiles.len(), s.k.min(BLOCK));
            let (xs, products) = (Spectrum::new(n, s.c, s.c), Spectrum::new(n, k, k));
            with_scratch(xs.len() + products.len(), |scratch| {
                let (to_x, to_y) = scratch.split_at_mut(xs.len());
                isa.run(ByTiles { isa, s, x, weights, y: &y, end, tiles, xs, to_x, to_y });
            });
        });
    }
}

/// A few tiles, from map to map.
struct ByTiles<'a> {
    isa: Isa,
    s: &'a ConvShape,
    x: Map<'a>,
    weights: Ready<'a>,
    y: &'a MapMut<'a>,
    end: Epilogue<'a>,
    tiles: Range<usize>,
    xs: Spectrum,
    to_x: &'a mut [f32],
    to_y: &'a mut [f32],
}

impl Job for ByTiles<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let ByTiles { isa, s, x, weights, y, end, tiles, xs, to_x, to_y } = self;
        let part = |channels| Part { tiles: tiles.clone(), channels };
        let memory = Shared::new(to_x);
        for i in 0..pieces(s.c, BLOCK) {
            let channels = block(s.c, i);
            let to = Place { channel: channels.start, ..Place::first(&memory, xs) };
            // SAFETY: the task's own memory.
            unsafe { x.transform(zero, (&InputLine, 1), part(channels), to) };
        }
        for i in 0..pieces(s.k, BLOCK) {
            let outputs = block(s.k, i);
            let (n, k) = (tiles.len(), outputs.len());
            let products = Spectrum::new(n, k, k);
            Products {
                size: (n, k, s.c),
                a: (to_x, xs, (s.c, 1)),
                b: (&weights.data[weights.lie.at(0, outputs.start)..], weights.lie),
                c: (to_y, products),
                accumulate: false,
            }
            .run(isa);
            // SAFETY: no other task has these tiles.
            unsafe { y.put(zero, part(outputs), products, to_y, &end) };
        }
    }
}

/// A block of output channels for some tiles, from transformed input to map.
struct ByChannels<'a> {
    isa: Isa,
    s: &'a ConvShape,
    x: Ready<'a>,
    weights: Weights<'a>,
    y: &'a MapMut<'a>,
    end: Epilogue<'a>,
    part: Part,
    products: Spectrum,
    to_y: &'a mut [f32],
    to_w: &'a mut [f32],
}

impl Job for ByChannels<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let ByChannels { isa, s, x, weights, y, end, part, products, to_y, to_w } = self;
        let (n, k) = (part.tiles.len(), part.channels.len());
        for start in (0..s.c).step_by(INPUTS) {
            let inputs = start..s.c.min(start + INPUTS);
            let c = inputs.len();
            let ws = Spectrum::new(c, k, V::PANEL);
            let memory = Shared::new(to_w);
            // SAFETY: the task's own memory.
            unsafe { transform(zero, s, weights, (inputs, part.channels.clone()), Place::first(&memory, ws)) };
            Products {
                size: (n, k, c),
                a: (&x.data[x.lie.at(part.tiles.start, start)..], x.lie, (BLOCK, 1)),
                b: (to_w, ws),
                c: (to_y, products),
                accumulate: start > 0,
            }
            .run(isa);
        }
        // SAFETY: no other task has these tiles and channels.
        unsafe { y.put(zero, part, products, to_y, &end) };
    }
}
