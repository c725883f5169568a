//! How the pixels of a batch of maps are taken 32 at a time, the rows of a block.
//!
//! The pixels of a run see the same pixels through a tap, each shifted by the same distance, so that one product of
//! tiles serves a tap. There are two kinds of run:
//! - **images**: one pixel of 32 images. Taps in the padding are left out exactly.
//! - **rows**: 32 pixels of a row of one image, fewer at its end. Taps beyond the left and right border meet zeros.
//!
//! Runs lie in lines: all runs of a row of the map, of one image or of 32.

use super::tiles::SIDE;
use crate::cpu::conv::axis;
use crate::cpu::matrix::MatrixMut;
use crate::ops::conv::ConvShape;
use std::ops::Range;

/// The runs of a convolution's maps.
#[derive(Clone, Copy)]
pub struct Runs {
    pub s: ConvShape,
    images: bool,
}

/// The pixels of a run.
#[derive(Clone, Copy)]
pub struct Run {
    /// The first.
    pub first: usize,
    /// From each to the next.
    pub distance: usize,
    /// How many.
    pub count: usize,
}

impl Runs {
    /// Those with which the fewer products are needed.
    pub fn new(s: &ConvShape) -> Runs {
        let [images, rows] = [true, false].map(|images| Runs { s: *s, images });
        if images.products() <= rows.products() { images } else { rows }
    }

    /// Products of tiles for a tap, a step and a panel, in all.
    fn products(&self) -> usize {
        let seen = |(from, to, _)| to - from;
        let taps = |size| (0..self.s.kernel).map(|tap| seen(axis::alive(tap, self.s.pad(), size))).sum::<usize>();
        let along = if self.images { taps(self.s.w) } else { self.across() * self.s.kernel };
        self.lines() / self.s.h * taps(self.s.h) * along
    }

    /// Number of lines.
    pub fn lines(&self) -> usize {
        self.s.h * if self.images { self.s.n.div_ceil(SIDE) } else { self.s.n }
    }

    /// Runs of a line.
    pub fn across(&self) -> usize {
        if self.images { self.s.w } else { self.s.w.div_ceil(SIDE) }
    }

    /// A run of a line.
    pub fn run(&self, line: usize, j: usize) -> Run {
        let s = &self.s;
        if self.images {
            let (image, i) = (line / s.h * SIDE, line % s.h);
            Run { first: (image * s.h + i) * s.w + j, distance: s.h * s.w, count: SIDE.min(s.n - image) }
        } else {
            Run { first: line * s.w + SIDE * j, distance: 1, count: SIDE.min(s.w - SIDE * j) }
        }
    }

    /// Pixels of a line as it is packed: its runs, with rows also the padding on both sides.
    pub fn width(&self) -> usize {
        self.across() * SIDE + 2 * self.border()
    }

    /// Pixels of padding on each side of a packed line.
    pub fn border(&self) -> usize {
        if self.images { 0 } else { self.s.pad() }
    }

    /// The line that a line sees through the taps of row `u` of the kernel, if it is not in the padding.
    pub fn line(&self, line: usize, u: usize) -> Option<usize> {
        let i = line % self.s.h;
        axis::input(i, u, self.s.pad(), self.s.h).map(|x| line - i + x)
    }

    /// The runs of a line that see inside through the taps of column `v` of the kernel, and the place in a packed line
    /// of the first pixel that the first of them sees; that of the next is a run further on.
    pub fn column(&self, v: usize) -> (Range<usize>, usize) {
        if self.images {
            let (from, to, first) = axis::alive(v, self.s.pad(), self.s.w);
            (from..to, first * SIDE)
        } else {
            (0..self.across(), v)
        }
    }

    /// The taps that see inside for a run of a line, and the pixel of the packed lines where each begins.
    pub fn taps(&self, line: usize, j: usize) -> impl Iterator<Item = (usize, usize)> {
        let kernel = self.s.kernel;
        (0..kernel * kernel).filter_map(move |tap| {
            let (seen, (alive, first)) = (self.line(line, tap / kernel)?, self.column(tap % kernel));
            alive.contains(&j).then(|| (tap, seen * self.width() + first + (j - alive.start) * SIDE))
        })
    }

    /// The outputs of the runs, line by line: a row for each pixel.
    pub fn outputs<'a, Y>(&self, y: &'a mut [Y]) -> Vec<MatrixMut<'a, Y>> {
        let ConvShape { n, h, w, k, .. } = self.s;
        if self.images {
            MatrixMut::new(y, n, h * w * k).tiles(SIDE, k)
        } else {
            MatrixMut::new(y, n * h * w, k).tiles(w, k).into_iter().flat_map(|line| line.tiles(SIDE, k)).collect()
        }
    }

    /// Whether a run is of one pixel of many images.
    pub fn images(&self) -> bool {
        self.images
    }
}
