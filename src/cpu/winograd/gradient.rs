//! The gradient of the weights.

use super::lines::{GradientLine, InputLine};
use super::plan::{Grid, Spectrum, piece, pieces};
use super::tiles::{Map, Part, to_weights};
use super::{BLOCK, F, env};
use crate::cpu::buffer::{Room, with_scratch};
use crate::cpu::gemm::Batch;
use crate::cpu::isa::Isa;
use crate::cpu::linear::add_parts;
use crate::cpu::matrix::Shared;
use crate::cpu::parallel::for_each;
use crate::cpu::vector::{Job, Vector};
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// `dw` from the layer's input and output gradient.
pub fn backward_weight(isa: Isa, s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], room: &mut Room) {
    let tiles = Grid::new(s).len();
    let (inputs, outputs) = (pieces(s.c, BLOCK), pieces(s.k, BLOCK));
    let blocks = inputs * outputs;
    // Where there are few blocks the tiles are cut too; by the shape alone, so that the order of the sums does not
    // depend on the machine.
    let parts = env("W_TASKS", 16).div_ceil(blocks).min(pieces(tiles, env("W_GT", 32)));
    let (x, dy) = (Map::new(s, s.c, x), Map::new(s, s.k, dy));
    let len = dw.len();
    let partial = if parts > 1 { room.numbers(parts * len) } else { &mut *dw };
    let to = Shared::new(partial);
    for_each(0..parts * blocks, |_, task| {
        let (part, i, o) = (task / blocks, task % blocks / outputs, task % outputs);
        let tiles = len_piece(tiles, parts, part);
        let c = i * BLOCK..s.c.min((i + 1) * BLOCK);
        let k = o * BLOCK..s.k.min((o + 1) * BLOCK);
        // SAFETY: each part is written by its own tasks alone.
        let dw = Shared::new(unsafe { to.part(part * len..(part + 1) * len) });
        let most = env("W_GT", 32);
        let room = Spectrum::new(most, c.len(), c.len()).len()
            + Spectrum::new(most, k.len(), isa.panel()).len()
            + Spectrum::new(c.len(), k.len(), k.len()).len();
        with_scratch(room, |scratch| isa.run(Task { isa, s, x, dy, dw: &dw, tiles, inputs: c, outputs: k, scratch }));
    });
    if parts > 1 {
        add_parts(room.numbers(parts * len), dw);
    }
}

/// Part `i` of `count` nearly equal ones.
fn len_piece(len: usize, count: usize, i: usize) -> Range<usize> {
    len * i / count..len * (i + 1) / count
}

/// Some input and output channels, over some tiles.
struct Task<'a> {
    isa: Isa,
    s: &'a ConvShape,
    x: Map<'a>,
    dy: Map<'a>,
    dw: &'a Shared<'a>,
    tiles: Range<usize>,
    inputs: Range<usize>,
    outputs: Range<usize>,
    scratch: &'a mut [f32],
}

impl Job for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let Task { isa, s, x, dy, dw, tiles, inputs, outputs, scratch } = self;
        let (c, k, most) = (inputs.len(), outputs.len(), env("W_GT", 32));
        let (most_x, most_y) = (Spectrum::new(most, c, c), Spectrum::new(most, k, V::PANEL));
        let sums = Spectrum::new(c, k, k);
        let (to_x, rest) = scratch.split_at_mut(most_x.len());
        let (to_y, to_w) = rest.split_at_mut(most_y.len());
        for i in 0..pieces(tiles.len(), most) {
            let here = piece(tiles.len(), most, i);
            let here = tiles.start + here.start..tiles.start + here.end;
            let n = here.len();
            let (xs, ys) = (Spectrum::new(n, c, c), Spectrum::new(n, k, V::PANEL));
            x.transform(zero, (&InputLine, 1), Part { tiles: here.clone(), channels: inputs.clone() }, xs, to_x);
            dy.transform(zero, (&GradientLine, 0), Part { tiles: here, channels: outputs.clone() }, ys, to_y);
            isa.run(Batch {
                count: F,
                size: (c, k, n),
                a: (to_x, xs.distance, (1, c)),
                b: (to_y, ys.distance),
                panel_rows: n,
                c: (to_w, sums.distance, k),
                accumulate: i > 0,
            });
        }
        // SAFETY: no other task of this part has the same channels.
        unsafe { to_weights(zero, s, (inputs, outputs), sums, to_w, dw) };
    }
}
