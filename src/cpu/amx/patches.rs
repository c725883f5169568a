//! Few taps and channels, such as those of the one-channel first layer, as the channels of one tap.

use crate::cpu::conv::axis;
use crate::cpu::element::Element;
use crate::cpu::parallel::for_each;
use crate::ops::conv::ConvShape;
use rayon::prelude::*;

/// Up to this many taps times channels: they fill two steps, where every tap for itself would take one.
const PATCH: usize = 64;

/// The convolution of one tap that a convolution of few taps and channels is, on patches of the pixels.
pub fn shape(s: &ConvShape) -> Option<ConvShape> {
    let depth = s.kernel * s.kernel * s.c;
    (s.kernel > 1 && depth <= PATCH).then_some(ConvShape { c: depth, kernel: 1, ..*s })
}

/// The patch of each pixel, `[n, h, w, (u, v, c)]`, zeros in the padding.
pub fn gather<T: Element>(s: &ConvShape, x: &[T], patches: &mut [T]) {
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
                for j in from..to {
                    let at = ((n * s.h + xi) * s.w + xj + j - from) * c;
                    patches[j * depth + (u * s.kernel + v) * c..][..c].copy_from_slice(&x[at..at + c]);
                }
            }
        }
    });
}
