//! Each operation of [`crate::ops`] on its operands' memory: which function computes it, and what it asks for beyond
//! views that fit, samples and labels that exist.

use super::conv::{self, Scratch};
use super::epilogue::Epilogue;
use super::memory::Slice;
use super::{linear, pointwise};
use crate::device::{DType, StepState};
use crate::error::{Error, Result};
use crate::ops::batch::Gather;
use crate::ops::conv::ConvShape;
use crate::ops::description::OPERANDS;
use crate::ops::layer::{LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::loss::Loss;
use crate::ops::operation::{Kind, Operation};
use half::{bf16, f16};

/// Memory that operations reuse from call to call; grows at first use, then stays.
#[derive(Default)]
pub struct Workspace {
    conv: Scratch,
    vector: Vec<f32>,
}

/// Runs an operation on rayon's threads.
pub fn run(
    operation: &Operation,
    state: StepState,
    slices: [Slice; OPERANDS],
    workspace: &mut Workspace,
) -> Result<()> {
    match (operation.kind(), slices) {
        (Kind::Gather(g), slices) => return gather(g, state, slices),
        (Kind::Layer(l), slices) => match &l.shape {
            LayerShape::Conv(s) => convolution(s, l.pass, slices, &mut workspace.conv),
            LayerShape::Linear(s) => fully_connected(s, l.pass, slices, &mut workspace.vector),
        },
        (Kind::Pool(p), [dy, argmax, dx, ..]) if p.backward => {
            pointwise::pool_backward(&p.shape, dy.read(), argmax.read(), dx.write());
        }
        (Kind::Pool(p), [x, y, argmax, ..]) => pointwise::pool_forward(&p.shape, x.read(), y.write(), argmax.write()),
        (Kind::Dropout(d), [x, ..]) => pointwise::dropout(d, state.step, x.write()),
        (Kind::Loss(l), slices) => return loss(l, slices, &mut workspace.vector),
        (Kind::Softmax(s), [logits, p, ..]) => pointwise::softmax(s.classes, logits.read(), p.write()),
        (Kind::Cast(_), [x, y, ..]) => match operation.precision().storage() {
            DType::Bf16 => pointwise::cast::<bf16>(x.read(), y.write()),
            DType::F16 => pointwise::cast::<f16>(x.read(), y.write()),
            _ => pointwise::cast::<f32>(x.read(), y.write()),
        },
        (Kind::Scaling(_), [gradients, scaling, ..]) => pointwise::scaling(gradients.read(), scaling.write()),
        (Kind::Adam(a), [g, w, m, v, ema, ..]) => {
            let ema = a.average.then(|| ema.write());
            pointwise::adam(&a.params, state, g.read(), [w.write(), m.write(), v.write()], ema);
        }
        (Kind::Sgd(s), [g, w, u, ema, ..]) => {
            let ema = s.average.then(|| ema.write());
            pointwise::sgd(s, state, g.read(), [w.write(), u.write()], ema);
        }
    }
    Ok(())
}

fn convolution(s: &ConvShape, pass: Pass, slices: [Slice; OPERANDS], scratch: &mut Scratch) {
    match (pass, slices) {
        (Pass::Forward { relu }, [x, w, b, y, ..]) => {
            let end = Epilogue::Bias { bias: b.read(), relu };
            conv::forward(s, x.read(), w.read(), y.write(), end, scratch);
        }
        (Pass::BackwardData { masked }, [dy, w, dx, mask, ..]) => {
            let end = if masked { Epilogue::Mask(mask.read()) } else { Epilogue::None };
            conv::backward_data(s, dy.read(), w.read(), dx.write(), end, scratch);
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => {
            conv::backward_weight(s, x.read(), dy.read(), dw.write(), db.write(), scratch);
        }
    }
}

fn fully_connected(s: &LinearShape, pass: Pass, slices: [Slice; OPERANDS], scratch: &mut Vec<f32>) {
    match (pass, slices) {
        (Pass::Forward { relu }, [x, w, b, y, ..]) => {
            linear::forward(s, x.read(), w.read(), b.read(), y.write(), relu);
        }
        (Pass::BackwardData { masked }, [dy, w, dx, mask, ..]) => {
            let mask = masked.then(|| mask.read());
            linear::backward_data(s, dy.read(), w.read(), dx.write(), mask, scratch);
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => {
            linear::backward_weight(s, x.read(), dy.read(), dw.write(), db.write(), scratch);
        }
    }
}

/// The batch gather: no sample may lie beyond the dataset, and the elastic field must suit the images.
fn gather(g: &Gather, state: StepState, [pixels, labels, x, chosen, ..]: [Slice; OPERANDS]) -> Result<()> {
    if !pointwise::supports(g) {
        return Err(Error::Invalid(format!(
            "gather: the elastic field's control points are too close for {}x{} images",
            g.h, g.w
        )));
    }
    g.check(state.samples)?;
    let labels: &[u8] = labels.read();
    for (chosen, &i) in chosen.write().iter_mut().zip(state.samples) {
        *chosen = labels[i as usize];
    }
    pointwise::gather(g, state.step, pixels.read(), state.samples, x.write());
    Ok(())
}

/// The loss: every label must be one of the classes. Without a place for the gradient it is written and forgotten.
fn loss(l: &Loss, [logits, labels, stats, dlogits, ..]: [Slice; OPERANDS], unused: &mut Vec<f32>) -> Result<()> {
    let (logits, labels): (&[f32], &[u8]) = (logits.read(), labels.read());
    if let Some(&bad) = labels.iter().find(|&&label| usize::from(label) >= l.classes) {
        return Err(Error::Invalid(format!(
            "loss: label {bad} with {} classes; the dataset and the network do not fit each other",
            l.classes
        )));
    }
    let dlogits = if l.gradient {
        dlogits.write()
    } else {
        unused.resize(unused.len().max(logits.len()), 0.0);
        &mut unused[..logits.len()]
    };
    pointwise::loss(l.kind, l.classes, logits, labels, dlogits, stats.write());
    Ok(())
}
