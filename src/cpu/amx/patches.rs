//! Few taps and channels, such as those of the one-channel first layer, as the channels of one tap.

use crate::cpu::buffer::Room;
use crate::cpu::conv::axis;
use crate::cpu::element::Element;
use crate::cpu::parallel::for_each;
use crate::ops::conv::ConvShape;
use rayon::prelude::*;

/// Up to this many taps times channels: they fill two steps, where every tap for itself would take one.
const PATCH: usize = 64;

/// The convolution of one tap that a convolution of few taps and channels is, on patches of the pixels.
fn shape(s: &ConvShape) -> Option<ConvShape> {
    let depth = s.kernel * s.kernel * s.c;
    (s.kernel > 1 && depth <= PATCH).then_some(ConvShape { c: depth, kernel: 1, ..*s })
}

/// A convolution with its input, or with patches of it the convolution of one tap that it is.
pub fn patched<'a, T: Element>(s: &ConvShape, x: &'a [T], room: &'a mut Room) -> (ConvShape, &'a [T]) {
    match shape(s) {
        None => (*s, x),
        Some(of) => {
            let patches = room.of(of.x_len());
            gather(s, x, patches);
            (of, patches)
        }
    }
}

/// The patch of each pixel, `[n, h, w, (u, v, c)]`, zeros in the padding.
fn gather<T: Element>(s: &ConvShape, x: &[T], patches: &mut [T]) {
    let (c, depth) = (s.c, s.kernel * s.kernel * s.c);
    for_each(patches.par_chunks_mut(s.w * depth), |row, patches| {
        let (n, i) = (row / s.h, row % s.h);
        patches.fill(T::zeroed());
        for u in 0..s.kernel {
            let Some(xi) = axis::input(i, u, s.pad(), s.h) else {
                continue;
            };
            for v in 0..s.kernel {
                let (from, to, xj) = axis::alive(v, s.pad(), s.w);
                if from == to {
                    continue;
                }
                let x = &x[((n * s.h + xi) * s.w + xj) * c..][..(to - from) * c];
                let patches = patches[from * depth + (u * s.kernel + v) * c..].chunks_mut(depth);
                for (patch, pixel) in patches.zip(x.chunks_exact(c)) {
                    for (to, &from) in patch.iter_mut().zip(pixel) {
                        *to = from;
                    }
                }
            }
        }
    });
}
