//! Convolution on small maps, as sums of matrix products over taps: the rows of a product are one pixel of all images.
//!
//! `y[p] = sum over taps t of x[p + t] w[t]`, where p and p + t are pixels of the map: taps in the padding are left out
//! exactly; on 2x2 maps 16 of 36 products remain. Pixels are copied first, so that those of one position lie together.

use super::axis;
use crate::cpu::buffer::{Room, with_scratch};
use crate::cpu::epilogue::Epilogue;
use crate::cpu::gemm::{COLUMNS, Errands, KC, Packing, Panels, Put, pack, pack_turned, packed_len, pieces, product};
use crate::cpu::isa::Isa;
use crate::cpu::matrix::{Matrix, Shared};
use crate::cpu::parallel::for_each;
use crate::cpu::weights::Weights;
use crate::ops::conv::ConvShape;
use rayon::prelude::*;
use std::ops::Range;

/// Where the weights of a tap for some input and output channels lie, as they lie.
fn block<'a>(s: &ConvShape, w: Weights<'a>, tap: usize, inputs: Range<usize>, outputs: Range<usize>) -> Matrix<'a> {
    let len = s.c * s.k;
    match w {
        Weights::Straight(w) => Matrix::new(&w[tap * len..], s.c, s.k).block(inputs, outputs),
        Weights::Turned(w) => {
            let tap = s.kernel * s.kernel - 1 - tap;
            Matrix::new(&w[tap * len..], s.k, s.c).block(outputs, inputs)
        }
    }
}

/// The pairs of output and input position that a tap joins.
fn pairs(s: &ConvShape, tap: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (pad, h, w, kernel) = (s.pad(), s.h, s.w, s.kernel);
    (0..h * w).filter_map(move |p| {
        let i = axis::input(p / w, tap / kernel, pad, h)?;
        let j = axis::input(p % w, tap % kernel, pad, w)?;
        Some((p, i * w + j))
    })
}

/// Copies `[n, positions, c]` to `[positions, blocks of width channels, n, width]`, the last block narrower.
fn gather<'a>(s: &ConvShape, c: usize, width: usize, x: &[f32], to: &'a mut [f32]) -> &'a [f32] {
    let positions = s.h * s.w;
    for_each(to.par_chunks_mut(s.n * c), |p, to| {
        for (block, to) in to.chunks_mut(s.n * width).enumerate() {
            let channels = to.len() / s.n;
            for (n, to) in to.chunks_exact_mut(channels).enumerate() {
                to.copy_from_slice(&x[(n * positions + p) * c + block * width..][..channels]);
            }
        }
    });
    to
}

/// `y = conv(x, w)` with an epilogue. Each block of weights is packed once, for all positions that see it.
pub(super) fn forward(isa: Isa, s: &ConvShape, x: &[f32], w: Weights, y: &mut [f32], end: Epilogue, room: &mut Room) {
    let (n, positions, taps) = (s.n, s.h * s.w, s.kernel * s.kernel);
    let moved = gather(s, s.c, KC, x, room.of(x.len()));
    let y = Shared::new(y);
    for_each(0..s.k.div_ceil(COLUMNS), |_, task| {
        let outputs = task * COLUMNS..s.k.min((task + 1) * COLUMNS);
        // SAFETY: no other task has these output channels.
        let sums = |p| unsafe { y.matrix(p * s.k + outputs.start, (n, outputs.len()), positions * s.k) };
        (0..positions).for_each(|p| sums(p).fill(0.0));
        let alive = |&tap: &usize| pairs(s, tap).next().is_some();
        let blocks = (0..taps).filter(alive).flat_map(|tap| pieces(s.c, KC).map(move |steps| (tap, steps)));
        let mut blocks = blocks.peekable();
        let weights = |(tap, steps): &(usize, Range<usize>)| block(s, w, *tap, steps.clone(), outputs.clone());
        let len = |steps: &Range<usize>| packed_len(isa, steps.len(), outputs.len());
        with_scratch(2 * packed_len(isa, KC, COLUMNS), |scratch| {
            let (mut here, mut there) = scratch.split_at_mut(packed_len(isa, KC, COLUMNS));
            if let (Weights::Straight(_), Some(first)) = (w, blocks.peek()) {
                pack(isa, weights(first), &mut here[..len(&first.1)]);
            }
            while let Some((tap, steps)) = blocks.next() {
                // Turned weights lie in long pieces, which need no more than to be near.
                let (mut near, mut packing) = (None, None);
                match (w, blocks.peek()) {
                    (Weights::Straight(_), Some(next)) => {
                        packing = Some(Packing::new(isa, weights(next), &mut there[..len(&next.1)]));
                    }
                    (Weights::Turned(_), next) => {
                        pack_turned(isa, weights(&(tap, steps.clone())), &mut here[..len(&steps)]);
                        near = next.map(weights);
                    }
                    _ => {}
                }
                for (p, from) in pairs(s, tap) {
                    let a = Matrix::new(&moved[(from * s.c + steps.start) * n..], n, steps.len());
                    let b = Panels { data: here, rows: steps.len() };
                    let errands = Errands { near: [near.take(), None], pack: packing.take() };
                    product(isa, a, b, &mut sums(p), Put::Add, errands);
                }
                if let Weights::Straight(_) = w {
                    std::mem::swap(&mut here, &mut there);
                }
            }
        });
        for p in 0..positions {
            for image in 0..n {
                end.apply(sums(p).row(image), (image * positions + p) * s.k, outputs.start);
            }
        }
    });
}

/// `dw` from the layer's input and output gradient.
pub(super) fn backward_weight(isa: Isa, s: &ConvShape, x: &[f32], dy: &[f32], dw: &mut [f32], room: &mut Room) {
    let (n, positions, taps) = (s.n, s.h * s.w, s.kernel * s.kernel);
    let dy_len = packed_len(isa, n, s.k);
    let (to_x, to_dy) = room.of(x.len() + positions * dy_len).split_at_mut(x.len());
    let x = gather(s, s.c, COLUMNS, x, to_x);
    for_each(to_dy.par_chunks_mut(dy_len), |p, to| {
        pack(isa, Matrix::spaced(&dy[p * s.k..], n, s.k, positions * s.k), to);
    });
    let (dy, dw) = (&*to_dy, Shared::new(dw));
    let (inputs, outputs) = (s.c.div_ceil(COLUMNS), s.k.div_ceil(COLUMNS));
    for_each(0..taps * inputs * outputs, |_, task| {
        let (tap, i, o) = (task / outputs / inputs, task / outputs % inputs * COLUMNS, task % outputs * COLUMNS);
        let (c, k) = (COLUMNS.min(s.c - i), COLUMNS.min(s.k - o));
        // SAFETY: no other task has this tap and these channels.
        let mut sums = unsafe { dw.matrix((tap * s.c + i) * s.k + o, (c, k), s.k) };
        let mut put = Put::Over;
        for (p, from) in pairs(s, tap) {
            let a = Matrix::new(&x[(from * s.c + i) * n..], n, c).transposed();
            let b = Panels { data: &dy[p * dy_len + o * n..], rows: n };
            product(isa, a, b, &mut sums, put, Errands::default());
            put = Put::Add;
        }
        if put == Put::Over {
            sums.fill(0.0);
        }
    });
}
