//! Forward passes, and those back to the input: sums over taps of products `pixels [P, C] x weights [C, K]`. A fully
//! connected layer is a convolution of maps of one pixel.
//!
//! The input is packed line by line, so that a tap is a shift of where A begins. A task packs the weights of a few
//! panels and takes many runs of pixels through them. The order of every sum follows from the sizes.

use super::finish::finish;
use super::numbers::parts;
use super::pack::{self, each_part, pairs_of_parts};
use super::patches::patched;
use super::runs::Runs;
use super::tiles::{Block, Factors, Pair, SIDE, STEP, Tiles};
use super::weights::Weights;
use crate::cpu::buffer::Room;
use crate::cpu::element::Element;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::matrix::MatrixMut;
use crate::cpu::parallel::for_each;
use crate::ops::conv::ConvShape;
use std::cell::RefCell;

/// `y = conv(x, w)` with an epilogue.
pub fn forward<T: Element, Y: Element>(
    tiles: Tiles,
    s: &ConvShape,
    (x, w): (&[T], &[T]),
    y: &mut [Y],
    end: Epilogue<T>,
    [room, patches]: [&mut Room; 2],
) {
    let (s, x) = patched(s, x, patches);
    sums(tiles, x, &Weights::forward(&s, w), y, end, room);
}

/// `dx` from `dy`: a forward pass from K to C channels with the flipped kernel, rows and columns exchanged.
pub fn backward_data<T: Element>(
    tiles: Tiles,
    s: &ConvShape,
    (dy, w): (&[T], &[T]),
    dx: &mut [T],
    end: Epilogue<T>,
    room: &mut Room,
) {
    sums(tiles, dy, &Weights::backward(s, w), dx, end, room);
}

/// Numbers of packed weights that a task goes through again and again: they stay in the second-level cache.
const WEIGHTS: usize = 320 << 10;
/// Runs that a task takes at least, so that packing its weights costs little beside them.
const RUNS: usize = 16;
/// Tasks that a pass is cut into at least, as far as that allows.
const TASKS: usize = 64;
/// Steps after which the next panel takes the same pixels, while they are in the first-level cache.
const STEPS: usize = 8;

thread_local! {
    /// A task's packed weights.
    static PANELS: RefCell<Room> = RefCell::default();
}

/// `y = sum over taps of x w`, with an epilogue.
fn sums<T: Element, Y: Element>(
    tiles: Tiles,
    x: &[T],
    weights: &Weights<T>,
    y: &mut [Y],
    end: Epilogue<T>,
    room: &mut Room,
) {
    let s = &weights.convolution();
    let (runs, per_tap, panels) = (Runs::new(s), s.c.div_ceil(SIDE), s.k.div_ceil(SIDE));
    let (stride, panel_len) = (per_tap * SIDE, weights.panel_len());
    let x_len = runs.lines() * runs.width() * stride;
    let packed: &mut [_] = room.of(parts::<T>() * x_len);
    each_part::<T>(tiles, x_len, packed, |part, to| pack::lines(part, &runs, x, stride, to));
    let packed = &*packed;

    let group = (WEIGHTS / panel_len / parts::<T>()).clamp(1, panels);
    let mut outputs: Vec<Vec<MatrixMut<Y>>> = (0..panels.div_ceil(group)).map(|_| Vec::new()).collect();
    for run in runs.outputs(y) {
        for (outputs, part) in outputs.iter_mut().zip(run.tiles(SIDE, group * SIDE)) {
            outputs.push(part);
        }
    }
    let lines = RUNS.div_ceil(runs.across()).max((runs.lines() * outputs.len()).div_ceil(TASKS));
    let mut tasks = Vec::new();
    for (number, outputs) in outputs.iter_mut().enumerate() {
        let parts = outputs.chunks_mut(lines * runs.across()).enumerate();
        tasks.extend(parts.map(|(part, outputs)| (number * group, part * lines, outputs)));
    }

    let steps = (1..=STEPS).rev().find(|steps| per_tap.is_multiple_of(*steps)).unwrap_or(1);
    for_each(tasks, |_, (first_panel, first_line, outputs)| {
        PANELS.with_borrow_mut(|room| {
            let mut blocks = vec![Block::ZERO; group.min(panels - first_panel)];
            let b_len = blocks.len() * panel_len;
            let b: &mut [_] = room.of(parts::<T>() * b_len);
            each_part::<T>(tiles, b_len, b, |part, to| weights.pack(part, first_panel, to));
            let (on, mut pairs) = (tiles.configure(), Vec::new());
            for (i, y) in outputs.iter_mut().enumerate() {
                let (line, j) = (first_line + i / runs.across(), i % runs.across());
                pairs.clear();
                for (tap, at) in runs.taps(line, j) {
                    for step in (0..per_tap).step_by(steps) {
                        let at = Pair { a: at * stride + step * SIDE, b: (tap * per_tap + step) * STEP };
                        pairs.extend(pairs_of_parts::<T>(at, (x_len, b_len)));
                    }
                }
                for (number, pairs) in pairs.chunks(STEPS / steps).enumerate() {
                    for (panel, block) in blocks.iter_mut().enumerate() {
                        let factors = Factors { a: packed, row: stride, step: SIDE, b: &b[panel * panel_len..], steps };
                        on.multiply(&factors, pairs, block, number > 0);
                    }
                }
                let (rows, columns, run) = (y.rows(), y.columns(), runs.run(line, j));
                for (panel, block) in blocks.iter().enumerate() {
                    let (from, channel) = (panel * SIDE, (first_panel + panel) * SIDE);
                    let y = y.block(0..rows, from..columns.min(from + SIDE));
                    // SAFETY: `tiles` proves the instructions.
                    unsafe { finish(block, y, &end, (run, channel), s.k) };
                }
            }
        });
    });
}
