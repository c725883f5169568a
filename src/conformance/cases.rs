//! The cases: every layer shape of the networks at a small batch, and sizes that are odd: 1, primes, a tile and one
//! more or less.

use crate::ops::batch::{Augment, Gather};
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::loss::LossKind;
use crate::ops::optimizer::{AdamParams, Epsilon, SgdParams};
use crate::ops::pool::PoolShape;

/// One case: an operation with all its passes at one size.
#[derive(Clone, Debug)]
pub enum Case {
    Conv(ConvShape),
    Linear(LinearShape),
    Pool(PoolShape),
    /// Elements and probability.
    Dropout(usize, f32),
    Loss {
        kind: LossKind,
        rows: usize,
        classes: usize,
    },
    /// Length of the arena.
    Adam(AdamParams, usize),
    Sgd(SgdParams, usize),
    Gather(Gather),
    /// Copying and clearing of so many elements.
    Memory(usize),
}

impl Case {
    /// The operation's name, to choose cases by.
    pub fn operation(&self) -> &'static str {
        match self {
            Case::Conv(_) => "conv",
            Case::Linear(_) => "linear",
            Case::Pool(_) => "pool",
            Case::Dropout(..) => "dropout",
            Case::Loss { .. } => "loss",
            Case::Adam(..) => "adam",
            Case::Sgd(..) => "sgd",
            Case::Gather(_) => "gather",
            Case::Memory(_) => "memory",
        }
    }
}

fn conv(n: usize, h: usize, w: usize, c: usize, k: usize, kernel: usize) -> Case {
    Case::Conv(ConvShape { n, h, w, c, k, kernel })
}

fn linear(n: usize, inputs: usize, outputs: usize) -> Case {
    Case::Linear(LinearShape { n, inputs, outputs })
}

fn pool(n: usize, h: usize, w: usize, c: usize) -> Case {
    Case::Pool(PoolShape { n, h, w, c })
}

/// Convolutions of the networks (VGG19 on 28x28 and 32x32x3 input, deep-mnist), then odd ones.
fn convolutions() -> Vec<Case> {
    vec![
        conv(2, 28, 28, 1, 64, 3),
        conv(2, 28, 28, 64, 64, 3),
        conv(2, 14, 14, 64, 128, 3),
        conv(2, 14, 14, 128, 128, 3),
        conv(2, 7, 7, 128, 256, 3),
        conv(2, 7, 7, 256, 256, 3),
        conv(2, 4, 4, 256, 512, 3),
        conv(2, 4, 4, 512, 512, 3),
        conv(2, 2, 2, 512, 512, 3),
        conv(1, 32, 32, 3, 64, 3),
        conv(2, 28, 28, 1, 32, 5),
        conv(2, 14, 14, 32, 64, 5),
        conv(1, 1, 1, 1, 1, 3),
        conv(1, 1, 1, 1, 1, 5),
        conv(3, 1, 1, 17, 5, 3),
        conv(1, 1, 1, 30, 70, 5),
        conv(2, 2, 3, 13, 7, 5),
        conv(5, 7, 5, 31, 65, 3),
        conv(2, 9, 11, 19, 67, 3),
        conv(1, 13, 8, 63, 129, 5),
        conv(3, 5, 17, 3, 2, 3),
        conv(2, 8, 15, 1, 7, 3),
        conv(67, 3, 3, 8, 33, 3),
        conv(129, 2, 2, 4, 4, 3),
        conv(130, 4, 4, 16, 12, 3),
        conv(33, 7, 7, 20, 132, 3),
        conv(7, 15, 15, 12, 60, 3),
        conv(31, 5, 5, 132, 68, 5),
    ]
}

fn linears() -> Vec<Case> {
    vec![
        linear(4, 512, 4096),
        linear(2, 4096, 4096),
        linear(3, 4096, 1000),
        linear(64, 1000, 10),
        linear(32, 3136, 1024),
        linear(1, 1, 1),
        linear(7, 13, 3),
        linear(65, 97, 129),
        linear(2, 64, 65),
        linear(127, 129, 128),
        linear(129, 128, 132),
        linear(128, 124, 64),
        linear(1, 1024, 4),
    ]
}

/// All cases.
pub fn all() -> Vec<Case> {
    let mut cases = convolutions();
    cases.extend(linears());
    cases.extend([
        pool(2, 28, 28, 64),
        pool(2, 14, 14, 128),
        pool(2, 7, 7, 256),
        pool(2, 4, 4, 512),
        pool(2, 2, 2, 512),
        pool(1, 1, 1, 1),
        pool(3, 5, 2, 3),
        pool(1, 1, 9, 17),
    ]);
    cases.extend([(1, 0.5), (3, 0.5), (4096, 0.5), (10_007, 0.3)].map(|(n, p)| Case::Dropout(n, p)));
    for kind in [LossKind::Mean, LossKind::SummedClipped] {
        for (rows, classes) in [(64, 10), (1, 2), (37, 1000), (17, 33), (16, 47)] {
            cases.push(Case::Loss { kind, rows, classes });
        }
    }
    for epsilon_kind in [Epsilon::Outer, Epsilon::Hat] {
        let p = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind };
        cases.extend([64, 4160, 300_032].map(|len| Case::Adam(p, len)));
    }
    let p = SgdParams { momentum: 0.9, l2: 5e-4 };
    cases.extend([64, 4160, 300_032].map(|len| Case::Sgd(p, len)));
    cases.extend(gathers());
    cases.extend([1, 1001].map(Case::Memory));
    cases
}

fn gathers() -> Vec<Case> {
    let plain = Gather { n: 5, h: 28, w: 28, c: 1, mean: 0.1307, std: 0.3081, seed: 7, augment: None };
    let affine = Augment { degrees: 12.0, scale: 0.1, shear: 0.15, shift: 2.0, elastic: 0.0, spacing: 8 };
    let elastic = Augment { elastic: 2.0, ..affine };
    // Far outside the image, and control points closer together than pixels of a strip.
    let wild = Augment { degrees: 180.0, scale: 0.5, shear: 1.0, shift: 40.0, elastic: 9.0, spacing: 3 };
    vec![
        Case::Gather(plain),
        Case::Gather(Gather { augment: Some(affine), ..plain }),
        Case::Gather(Gather { augment: Some(elastic), ..plain }),
        Case::Gather(Gather { augment: Some(wild), ..plain }),
        Case::Gather(Gather { n: 3, h: 17, w: 5, c: 3, augment: Some(elastic), ..plain }),
    ]
}
