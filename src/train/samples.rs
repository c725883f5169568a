//! The order of training images: one endless stream, each epoch of it a fresh permutation.
//!
//! Step s takes positions `s B .. (s + 1) B`, so that all batches have one size and every image is seen once an epoch;
//! epoch e is over after step `ceil((e + 1) N / B)`. Everything follows from (seed, position): nothing to save.

use crate::ops::philox::{Purpose, Stream};

/// The stream, with the permutation of the epoch asked for last.
pub struct Samples {
    seed: u64,
    images: usize,
    epoch: u64,
    order: Vec<u32>,
}

impl Samples {
    /// The stream over `images` images (at least one).
    pub fn new(seed: u64, images: usize) -> Samples {
        Samples { seed, images, epoch: 0, order: permutation(seed, 0, images) }
    }

    /// Image numbers of a step.
    pub fn batch(&mut self, step: u64, batch: usize) -> Vec<u32> {
        let start = step * batch as u64;
        (start..start + batch as u64).map(|position| self.at(position)).collect()
    }

    fn at(&mut self, position: u64) -> u32 {
        let epoch = position / self.images as u64;
        if epoch != self.epoch {
            self.order = permutation(self.seed, epoch, self.images);
            self.epoch = epoch;
        }
        self.order[(position % self.images as u64) as usize]
    }
}

/// Steps done when `epochs` epochs are over.
pub fn steps_after(epochs: u64, images: usize, batch: usize) -> u64 {
    (epochs * images as u64).div_ceil(batch as u64)
}

/// Fisher-Yates, drawing by multiplication (Lemire, arXiv 1805.10941, without rejection: the bias is below n / 2^64).
fn permutation(seed: u64, epoch: u64, n: usize) -> Vec<u32> {
    let stream = Stream { seed, purpose: Purpose::Shuffle, step: epoch };
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        let [a, b, ..] = stream.block(i as u32, 0);
        let word = u128::from((u64::from(a) << 32) | u64::from(b));
        order.swap(i, ((word * (i as u128 + 1)) >> 64) as usize);
    }
    order
}
