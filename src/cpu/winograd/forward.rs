//! The forward pass, and with turned weights the gradient of the input.

use super::lines::InputLine;
use super::plan::{Grid, Spectrum, piece, pieces};
use super::tiles::{Map, MapMut, Part, from_weights};
use super::{BLOCK, F, env};
use crate::cpu::buffer::{Room, with_scratch};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::Batch;
use crate::cpu::isa::Isa;
use crate::cpu::matrix::MatrixMut;
use crate::cpu::parallel::for_each;
use crate::cpu::vector::{Job, Vector};
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// Input channels whose weights a task transforms.
const GROUP: usize = 8;

/// Where a task has transformed weights from.
#[derive(Clone, Copy)]
enum Weights<'a> {
    /// All of them, transformed before.
    Ready(&'a [f32], Spectrum),
    /// It transforms those it needs.
    Plain(&'a [f32]),
}

/// `y = conv(x, w)` with an epilogue.
pub fn forward(isa: Isa, s: &ConvShape, x: &[f32], w: &[f32], y: &mut [f32], end: Epilogue, room: &mut Room) {
    let tiles = Grid::new(s).len();
    let most = env("W_T", 32);
    let all = Spectrum::new(s.c, s.k, isa.panel());
    let weights = if pieces(tiles, most) > env("W_READY", 2) {
        let ready = room.numbers(all.len());
        let columns = GROUP * isa.panel();
        let parts =
            MatrixMut::spaced(ready, F, s.c * s.k.next_multiple_of(isa.panel()), all.distance).tiles(F, columns);
        for_each(parts, |task, out| isa.run(WeightsPart { isa, s, w, task, out }));
        Weights::Ready(ready, all)
    } else {
        Weights::Plain(w)
    };
    let (x, y) = (Map::new(s, s.c, x), MapMut::new(s, s.k, y));
    let whole = env("W_S", 1) == 1;
    let blocks = if whole { 1 } else { pieces(s.k, BLOCK) };
    for_each(0..pieces(tiles, most) * blocks, |_, task| {
        let tiles = piece(tiles, most, task / blocks);
        let part = Part { tiles, channels: if whole { 0..s.k } else { block(s.k, task % blocks) } };
        if whole {
            let x_len = Spectrum::new(part.tiles.len(), s.c, s.c).len();
            let y_len = Spectrum::new(part.tiles.len(), BLOCK, BLOCK).len();
            with_scratch(x_len + y_len, |scratch| isa.run(Whole { isa, s, x, weights, y: &y, end, part, scratch }));
            return;
        }
        let sizes = Sizes::new(isa, &part, env("W_CB", BLOCK));
        with_scratch(sizes.len(), |scratch| isa.run(Task { isa, s, x, weights, y: &y, end, part, scratch }));
    });
}

/// Block number `i` of channels.
fn block(channels: usize, i: usize) -> Range<usize> {
    i * BLOCK..channels.min((i + 1) * BLOCK)
}

/// The weights of a panel's output channels and [`GROUP`] input channels, transformed.
struct WeightsPart<'a> {
    isa: Isa,
    s: &'a ConvShape,
    w: &'a [f32],
    task: usize,
    out: MatrixMut<'a>,
}

impl Job for WeightsPart<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(mut self, zero: V) {
        let groups = self.s.c / GROUP;
        let (panel, c) = (self.task / groups, self.task % groups * GROUP);
        let k = panel * V::PANEL..self.s.k.min((panel + 1) * V::PANEL);
        let to = Spectrum::new(GROUP, V::PANEL, self.isa.panel());
        from_weights(zero, self.s, self.w, (c..c + GROUP, k), to, &mut self.out);
    }
}

/// Some tiles and output channels, from map to map.
struct Task<'a> {
    isa: Isa,
    s: &'a ConvShape,
    x: Map<'a>,
    weights: Weights<'a>,
    y: &'a MapMut<'a>,
    end: Epilogue<'a>,
    part: Part,
    scratch: &'a mut [f32],
}

/// What a task keeps: products, transformed input and weights.
struct Sizes {
    y: Spectrum,
    x: Spectrum,
    w: Spectrum,
}

impl Sizes {
    fn new(isa: Isa, part: &Part, inputs: usize) -> Sizes {
        let (tiles, outputs) = (part.tiles.len(), part.channels.len());
        Sizes {
            y: Spectrum::new(tiles, outputs, outputs),
            x: Spectrum::new(tiles, inputs, inputs),
            w: Spectrum::new(inputs, outputs, isa.panel()),
        }
    }
    fn len(&self) -> usize {
        self.y.len() + self.x.len() + self.w.len()
    }
}

impl Job for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let Task { isa, s, x, weights, y, end, part, scratch } = self;
        let (tiles, outputs) = (part.tiles.len(), part.channels.len());
        let cb = env("W_CB", BLOCK);
        let sizes = Sizes::new(isa, &part, cb);
        let products = sizes.y;
        let (to_y, rest) = scratch.split_at_mut(products.len());
        let (to_x, to_w) = rest.split_at_mut(sizes.x.len());
        for start in (0..s.c).step_by(cb) {
            let inputs = start..s.c.min(start + cb);
            let c = inputs.len();
            let xs = Spectrum::new(tiles, c, c);
            let of = Part { tiles: part.tiles.clone(), channels: inputs.clone() };
            x.transform(zero, (&InputLine, 1), of, xs, to_x);
            let ws = Spectrum::new(c, outputs, V::PANEL);
            if let Weights::Plain(w) = weights {
                let mut to_w = MatrixMut::spaced(to_w, F, ws.distance, ws.distance);
                from_weights(zero, s, w, (inputs, part.channels.clone()), ws, &mut to_w);
            }
            let (b, panel_rows) = match weights {
                Weights::Ready(data, all) => ((&data[all.at(start, part.channels.start)..], all.distance), s.c),
                Weights::Plain(_) => ((&*to_w, ws.distance), c),
            };
            isa.run(Batch {
                count: F,
                size: (tiles, outputs, c),
                a: (to_x, xs.distance, (c, 1)),
                b,
                panel_rows,
                c: (to_y, products.distance, outputs),
                accumulate: start > 0,
            });
        }
        // SAFETY: no other task has the same tiles and channels.
        unsafe { y.put(zero, part, products, to_y, &end) };
    }
}

struct Whole<'a> {
    isa: Isa,
    s: &'a ConvShape,
    x: Map<'a>,
    weights: Weights<'a>,
    y: &'a MapMut<'a>,
    end: Epilogue<'a>,
    part: Part,
    scratch: &'a mut [f32],
}

impl Job for Whole<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let Whole { isa, s, x, weights, y, end, part, scratch } = self;
        let tiles = part.tiles.len();
        let xs = Spectrum::new(tiles, s.c, s.c);
        let (to_x, to_y) = scratch.split_at_mut(xs.len());
        for start in (0..s.c).step_by(BLOCK) {
            let channels = start..s.c.min(start + BLOCK);
            x.transform(zero, (&InputLine, 1), Part { tiles: part.tiles.clone(), channels }, xs, to_x);
        }
        for start in (0..s.k).step_by(BLOCK) {
            let channels = start..s.k.min(start + BLOCK);
            let k = channels.len();
            let ys = Spectrum::new(tiles, k, k);
            let Weights::Ready(data, all) = weights else { panic!() };
            isa.run(Batch {
                count: F,
                size: (tiles, k, s.c),
                a: (to_x, xs.distance, (s.c, 1)),
                b: (&data[all.at(0, start)..], all.distance),
                panel_rows: s.c,
                c: (to_y, ys.distance, k),
                accumulate: false,
            });
            // SAFETY: no other task has the same tiles and channels.
            unsafe { y.put(zero, Part { tiles: part.tiles.clone(), channels }, ys, to_y, &end) };
        }
    }
}
