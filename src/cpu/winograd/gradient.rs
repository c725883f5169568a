//! The gradient of the weights.
//!
//! A task takes a block of input and a block of output channels, and sums over tiles. Where there are few blocks the
//! tiles are cut into parts, each with a gradient of its own, which are added at the end in order.
//!
//! Input and output gradient are transformed once for all tasks, some tiles at a time; but by the task itself where
//! there is one block, so that no other task would use them.

use super::lines::{GradientLine, InputLine};
use super::plan::{BLOCK, F, Grid, Part, Place, Products, Spectrum, block, piece, pieces};
use super::ready::{self, Ready};
use super::tiles::Map;
use super::weights::put_gradient;
use crate::cpu::buffer::{Room, with_scratch};
use crate::cpu::isa::Isa;
use crate::cpu::matrix::Shared;
use crate::cpu::parallel::for_each;
use crate::cpu::sums::add_parts;
use crate::cpu::vector::{Job, Vector};
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// Tasks to aim at; a constant, as all of these, so that the order of the sums does not depend on the machine.
const TASKS: usize = 16;
/// Tiles that a task transforms at a time.
const TILES: usize = 32;
/// Numbers of transformed tiles that are kept for all tasks at a time: what the last cache holds.
const CHUNK: usize = 4 << 20;

/// `dw` from the layer's input and output gradient.
pub fn backward_weight(isa: Isa, s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], room: &mut Room) {
    let (x, dy) = (Map::new(s, s.c, x), Map::new(s, s.k, dy));
    let (tiles, blocks, len) = (Grid::new(s).len(), (pieces(s.c, BLOCK), pieces(s.k, BLOCK)), dw.len());
    let alone = blocks == (1, 1);
    let chunks = if alone { 1 } else { pieces(tiles * F * (s.c + s.k), CHUNK).min(tiles) };
    let parts = TASKS.div_ceil(blocks.0 * blocks.1).min(pieces(tiles / chunks, TILES));
    let most = tiles.div_ceil(chunks);
    let lie = |tiles| (Spectrum::new(tiles, s.c, BLOCK), Spectrum::new(tiles, s.k, isa.panel()));
    let (x_len, dy_len) = if alone { (0, 0) } else { (lie(most).0.len(), lie(most).1.len()) };
    let partial_len = if parts > 1 { parts * len } else { 0 };
    let (partial, rest) = room.of(partial_len + x_len + dy_len).split_at_mut(partial_len);
    let (to_x, to_dy) = rest.split_at_mut(x_len);
    let to = Shared::new(if parts > 1 { &mut *partial } else { &mut *dw });
    for chunk in 0..chunks {
        let tiles = piece(&(0..tiles), chunks, chunk);
        let source = if alone {
            Source::Maps(x, dy)
        } else {
            let (x_lie, dy_lie) = lie(tiles.len());
            let x = ready::map(isa, x, (InputLine, 1), tiles.clone(), x_lie, to_x);
            Source::Ready(x, ready::map(isa, dy, (GradientLine, 0), tiles.clone(), dy_lie, to_dy), tiles.start)
        };
        for_each(0..parts * blocks.0 * blocks.1, |_, task| {
            let (part, i, o) = (task / blocks.1 / blocks.0, task / blocks.1 % blocks.0, task % blocks.1);
            let (inputs, outputs) = (block(s.c, i), block(s.k, o));
            let tiles = piece(&tiles, parts, part);
            let sizes = Sizes::new(isa, &inputs, &outputs);
            with_scratch(sizes.len(), |scratch| {
                let (dw, accumulate) = ((&to, part * len), chunk > 0);
                isa.run(Task { isa, s, source, tiles, inputs, outputs, dw, accumulate, sizes, scratch });
            });
        });
    }
    if parts > 1 {
        add_parts(partial, dw);
    }
}

/// Where a task has its tiles from.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// It transforms those of the input and of the output gradient.
    Maps(Map<'a>, Map<'a>),
    /// Both are transformed, from this tile on.
    Ready(Ready<'a>, Ready<'a>, usize),
}

/// What a task keeps.
struct Sizes {
    x: Spectrum,
    dy: Spectrum,
    sums: Spectrum,
}

impl Sizes {
    fn new(isa: Isa, inputs: &Range<usize>, outputs: &Range<usize>) -> Sizes {
        let (c, k, t) = (inputs.len(), outputs.len(), TILES);
        Sizes { x: Spectrum::new(t, c, c), dy: Spectrum::new(t, k, isa.panel()), sums: Spectrum::new(c, k, k) }
    }

    fn len(&self) -> usize {
        self.x.len() + self.dy.len() + self.sums.len()
    }
}

/// A block of input and of output channels, over some tiles.
struct Task<'a> {
    isa: Isa,
    s: &'a ConvShape,
    source: Source<'a>,
    tiles: Range<usize>,
    inputs: Range<usize>,
    outputs: Range<usize>,
    dw: (&'a Shared<'a>, usize),
    accumulate: bool,
    sizes: Sizes,
    scratch: &'a mut [f32],
}

impl Job for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let Task { isa, s, source, tiles, inputs, outputs, dw, accumulate, sizes, scratch } = self;
        let (c, k, sums) = (inputs.len(), outputs.len(), sizes.sums);
        let (to_sums, rest) = scratch.split_at_mut(sums.len());
        match source {
            Source::Ready(x, dy, first) => Products {
                size: (c, k, tiles.len()),
                a: (&x.data[x.lie.at(tiles.start - first, inputs.start)..], x.lie, (1, BLOCK)),
                b: (&dy.data[dy.lie.at(tiles.start - first, outputs.start)..], dy.lie),
                c: (to_sums, sums),
                accumulate: false,
            }
            .run(isa),
            Source::Maps(x, dy) => {
                let (to_x, to_dy) = rest.split_at_mut(sizes.x.len());
                let count = pieces(tiles.len(), TILES);
                for i in 0..count {
                    let here = piece(&tiles, count, i);
                    let n = here.len();
                    let (xs, dys) = (Spectrum::new(n, c, c), Spectrum::new(n, k, V::PANEL));
                    let part = |channels: &Range<usize>| Part { tiles: here.clone(), channels: channels.clone() };
                    let (memory_x, memory_dy) = (Shared::new(to_x), Shared::new(to_dy));
                    // SAFETY: the task's own memory.
                    unsafe {
                        x.transform(zero, (&InputLine, 1), part(&inputs), Place::first(&memory_x, xs));
                        dy.transform(zero, (&GradientLine, 0), part(&outputs), Place::first(&memory_dy, dys));
                    }
                    Products {
                        size: (c, k, n),
                        a: (to_x, xs, (1, c)),
                        b: (to_dy, dys),
                        c: (to_sums, sums),
                        accumulate: i > 0,
                    }
                    .run(isa);
                }
            }
        }
        // SAFETY: no other task of this part has these channels, and other parts lie elsewhere.
        unsafe { put_gradient(zero, s, (inputs, outputs), (sums, to_sums), dw, accumulate) };
    }
}
