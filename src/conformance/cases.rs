//! The cases: every layer shape of the networks at a small batch, and sizes that are odd: 1, primes, a tile and one
//! more or less.

use crate::device::Precision;
use crate::ops::batch::{Augment, Channels, Gather};
use crate::ops::cast::Cast;
use crate::ops::conv::ConvShape;
use crate::ops::dropout::Dropout;
use crate::ops::layer::{LayerPass, LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::loss::{Loss, LossKind, Softmax};
use crate::ops::operation::Kind;
use crate::ops::optimizer::{Adam, AdamParams, Epsilon, Sgd, SgdParams};
use crate::ops::pool::{Pool, PoolShape};
use crate::ops::scaling::Scaling;

/// One case.
#[derive(Clone, Debug)]
pub enum Case {
    /// An operation at one size.
    Operation(Kind),
    /// Copying, clearing and recording with so many elements.
    Memory(usize),
}

impl Case {
    /// What it belongs to, to choose cases by.
    pub fn group(&self) -> &'static str {
        let Case::Operation(kind) = self else { return "memory" };
        match kind {
            Kind::Layer(LayerPass { shape: LayerShape::Conv(_), .. }) => "conv",
            Kind::Layer(_) => "linear",
            Kind::Pool(_) => "pool",
            Kind::Dropout(_) => "dropout",
            Kind::Loss(_) | Kind::Softmax(_) => "loss",
            Kind::Cast(_) => "cast",
            Kind::Scaling(_) => "scaling",
            Kind::Adam(_) => "adam",
            Kind::Sgd(_) => "sgd",
            Kind::Gather(_) => "gather",
        }
    }
}

/// The names that [`Case::group`] gives.
pub const GROUPS: [&str; 11] =
    ["conv", "linear", "pool", "dropout", "loss", "adam", "sgd", "gather", "cast", "scaling", "memory"];

/// An operation's name with the variant of it, as tables show it.
pub fn title(kind: &Kind) -> String {
    let name = kind.describe(Precision::F32).name;
    match kind {
        Kind::Layer(LayerPass { pass: Pass::Forward { relu: true }, .. }) => format!("{name} relu"),
        Kind::Layer(LayerPass { pass: Pass::BackwardData { masked: true }, .. }) => format!("{name} masked"),
        Kind::Dropout(d) => format!("{name} layer {}", d.layer),
        _ => name.into(),
    }
}

/// An operation's sizes, as tables show them.
pub fn sizes(kind: &Kind) -> String {
    match kind {
        Kind::Layer(l) => match l.shape {
            LayerShape::Conv(s) => format!("{}x{}x{}x{} -> {}, {}x{}", s.n, s.h, s.w, s.c, s.k, s.kernel, s.kernel),
            LayerShape::Linear(s) => format!("{}x{} -> {}", s.n, s.inputs, s.outputs),
        },
        Kind::Pool(Pool { shape: s, .. }) => format!("{}x{}x{}x{}", s.n, s.h, s.w, s.c),
        Kind::Dropout(d) => format!("{}, p {}", d.len, d.p),
        Kind::Loss(l) => format!("{}x{} {:?}", l.rows, l.classes, l.kind),
        Kind::Softmax(s) => format!("{}x{}", s.rows, s.classes),
        Kind::Cast(c) => c.len.to_string(),
        Kind::Scaling(s) => s.len.to_string(),
        Kind::Adam(a) => format!("{} {:?}", a.len, a.params.epsilon_kind),
        Kind::Sgd(s) => s.len.to_string(),
        Kind::Gather(g) => {
            let deformed = g.augment.map_or("plain", |a| if a.elastic > 0.0 { "elastic" } else { "affine" });
            format!("{}x{}x{}x{} {deformed}", g.n, g.h, g.w, g.c)
        }
    }
}

/// All passes of a layer with weights: without and with the ReLU or its mask; at large sizes with it alone, as training
/// has it, because the sums are the same.
fn passes(shape: LayerShape) -> Vec<Case> {
    let variants: &[bool] = if shape.as_conv().flops() > 20_000_000 { &[true] } else { &[false, true] };
    let mut passes: Vec<Pass> = variants.iter().map(|&relu| Pass::Forward { relu }).collect();
    passes.extend(variants.iter().map(|&masked| Pass::BackwardData { masked }));
    passes.push(Pass::BackwardWeight);
    passes.into_iter().map(|pass| Case::Operation(Kind::Layer(LayerPass { shape, pass }))).collect()
}

fn conv(n: usize, h: usize, w: usize, c: usize, k: usize, kernel: usize) -> Vec<Case> {
    passes(LayerShape::Conv(ConvShape { n, h, w, c, k, kernel }))
}

fn linear(n: usize, inputs: usize, outputs: usize) -> Vec<Case> {
    passes(LayerShape::Linear(LinearShape { n, inputs, outputs }))
}

fn pool(n: usize, h: usize, w: usize, c: usize) -> Vec<Case> {
    let shape = PoolShape { n, h, w, c };
    [false, true].map(|backward| Case::Operation(Kind::Pool(Pool { shape, backward }))).to_vec()
}

/// Convolutions of the networks (VGG19 on 28x28 and 32x32x3 input, deep-mnist), then odd ones.
fn convolutions() -> Vec<Case> {
    [
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
        // Pixels times pixels of an image, and times channels, are beyond 2^31 on either side.
        conv(57, 28, 28, 64, 4, 3),
        conv(57, 28, 28, 4, 64, 3),
    ]
    .concat()
}

fn linears() -> Vec<Case> {
    [
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
    .concat()
}

/// All cases of a precision: those whose results do not depend on it belong to f32.
pub fn all(precision: Precision) -> Vec<Case> {
    let mut cases = every();
    cases.retain(|case| {
        let Case::Operation(kind) = case else { return precision == Precision::F32 };
        let layer = matches!(kind, Kind::Layer(_));
        let changed = precision.is_half() && kind.describe(precision) != kind.describe(Precision::F32);
        let there = !matches!(kind, Kind::Cast(_)) || precision.is_half();
        there && (precision == Precision::F32 || layer || changed)
    });
    if precision.scales_gradients() {
        cases.extend([64, 300_032].map(|len| Case::Operation(Kind::Scaling(Scaling { len }))));
    }
    cases
}

/// Those of all precisions.
fn every() -> Vec<Case> {
    let mut cases = convolutions();
    cases.extend(linears());
    for (n, h, w, c) in [
        (2, 28, 28, 64),
        (2, 14, 14, 128),
        (2, 7, 7, 256),
        (2, 4, 4, 512),
        (2, 2, 2, 512),
        (1, 1, 1, 1),
        (3, 5, 2, 3),
        (1, 1, 9, 17),
    ] {
        cases.extend(pool(n, h, w, c));
    }
    let mut kinds = Vec::new();
    for (len, p) in [(1, 0.5), (3, 0.5), (4096, 0.5), (10_007, 0.3)] {
        kinds.extend([0, 2].map(|layer| Kind::Dropout(Dropout { seed: 0x1234_5678_9abc_def0, layer, p, len })));
    }
    for (rows, classes) in [(64, 10), (1, 2), (37, 1000), (17, 33), (16, 47)] {
        for kind in [LossKind::Mean, LossKind::SummedClipped] {
            kinds.extend([true, false].map(|gradient| Kind::Loss(Loss { kind, rows, classes, gradient })));
        }
        kinds.push(Kind::Softmax(Softmax { rows, classes }));
    }
    for epsilon_kind in [Epsilon::Outer, Epsilon::Hat] {
        let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind };
        kinds.extend([64, 4160, 300_032].map(|len| Kind::Adam(Adam { params, len, average: true })));
    }
    let params = SgdParams { momentum: 0.9, l2: 5e-4 };
    kinds.extend([64, 4160, 300_032].map(|len| {
        let decayed = vec![(3, 10), (13, 5), (len / 2, 7)];
        Kind::Sgd(Sgd { params, decayed, len, average: true })
    }));
    kinds.extend([64, 300_032].map(|len| Kind::Cast(Cast { len })));
    kinds.extend(gathers().into_iter().map(Kind::Gather));
    cases.extend(kinds.into_iter().map(Case::Operation));
    cases.extend([1, 1001].map(Case::Memory));
    cases
}

fn gathers() -> Vec<Gather> {
    let plain = Gather {
        images: 11,
        n: 5,
        h: 28,
        w: 28,
        c: 1,
        mean: 0.1307.into(),
        std: 0.3081.into(),
        seed: 7,
        augment: None,
    };
    let affine = Augment { degrees: 12.0, scale: 0.1, shear: 0.15, shift: 2.0, elastic: 0.0, spacing: 8 };
    let elastic = Augment { elastic: 2.0, ..affine };
    // Far outside the image, and control points closer together than pixels of a strip.
    let wild = Augment { degrees: 180.0, scale: 0.5, shear: 1.0, shift: 40.0, elastic: 9.0, spacing: 3 };
    let (mean, std) = (Channels::Each([0.485, 0.456, 0.406]), Channels::Each([0.229, 0.224, 0.225]));
    let colour = Gather { c: 3, mean, std, ..plain };
    vec![
        plain,
        Gather { augment: Some(affine), ..plain },
        Gather { augment: Some(elastic), ..plain },
        Gather { augment: Some(wild), ..plain },
        Gather { n: 3, h: 17, w: 5, c: 3, augment: Some(elastic), ..plain },
        Gather { n: 2, h: 9, w: 11, ..colour },
        Gather { n: 2, h: 33, w: 40, augment: Some(elastic), ..colour },
    ]
}
