//! What is transformed once for all tasks.

use super::lines::{Line, T};
use super::plan::{BLOCK, Part, Place, Spectrum, block, piece, pieces};
use super::tiles::Map;
use super::weights::transform;
use crate::cpu::isa::Isa;
use crate::cpu::matrix::Shared;
use crate::cpu::parallel::for_each;
use crate::cpu::vector::{Job, Vector};
use crate::cpu::weights::Weights;
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// Transformed tiles or weights, and how they lie.
#[derive(Clone, Copy)]
pub(super) struct Ready<'a> {
    pub(super) data: &'a [f32],
    pub(super) lie: Spectrum,
}

/// The tiles `tiles` of a map, transformed with a line's transform whose tiles begin `border` before their output
/// pixels, into `memory`, which has as many numbers as `lie` says.
pub(super) fn map<'a, X: Line<I, T>, const I: usize>(
    isa: Isa,
    map: Map,
    transform: (X, usize),
    tiles: Range<usize>,
    lie: Spectrum,
    memory: &'a mut [f32],
) -> Ready<'a> {
    /// Tiles of a task.
    const TILES: usize = 8;
    let (parts, blocks) = (pieces(tiles.len(), TILES), pieces(map.channels, BLOCK));
    let shared = Shared::new(memory);
    for_each(0..parts * blocks, |_, task| {
        let part = Part { tiles: piece(&tiles, parts, task / blocks), channels: block(map.channels, task % blocks) };
        let to = Place { memory: &shared, lie, row: part.tiles.start - tiles.start, channel: part.channels.start };
        isa.run(MapPart::<X, I> { map, transform: (&transform.0, transform.1), part, to });
    });
    Ready { data: memory, lie }
}

/// Some tiles and a block of channels.
struct MapPart<'a, X, const I: usize> {
    map: Map<'a>,
    /// The line's transform, of lines of I, and the border.
    transform: (&'a X, usize),
    part: Part,
    to: Place<'a>,
}

impl<X: Line<I, T>, const I: usize> Job for MapPart<'_, X, I> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        // SAFETY: no other task has these tiles and channels.
        unsafe { self.map.transform(zero, self.transform, self.part, self.to) };
    }
}

/// All weights, transformed into `memory`, which has as many numbers as `lie` says.
pub(super) fn weights<'a>(
    isa: Isa,
    s: &ConvShape,
    weights: Weights,
    lie: Spectrum,
    memory: &'a mut [f32],
) -> Ready<'a> {
    /// Input channels of a task.
    const INPUTS: usize = 16;
    let (parts, blocks) = (pieces(s.c, INPUTS), pieces(s.k, BLOCK));
    let shared = Shared::new(memory);
    for_each(0..parts * blocks, |_, task| {
        let (inputs, outputs) = (piece(&(0..s.c), parts, task % parts), block(s.k, task / parts));
        let to = Place { memory: &shared, lie, row: inputs.start, channel: outputs.start };
        isa.run(WeightsPart { s, weights, inputs, outputs, to });
    });
    Ready { data: memory, lie }
}

/// The weights of some input channels and a block of output channels.
struct WeightsPart<'a> {
    s: &'a ConvShape,
    weights: Weights<'a>,
    inputs: Range<usize>,
    outputs: Range<usize>,
    to: Place<'a>,
}

impl Job for WeightsPart<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        // SAFETY: no other task has these channels.
        unsafe { transform(zero, self.s, self.weights, (self.inputs, self.outputs), self.to) };
    }
}
