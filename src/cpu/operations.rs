//! Each operation of [`crate::ops`] on its operands' memory: which function computes it, and what it asks for beyond
//! views that fit, indices and labels that exist.

use super::buffer::Room;
use super::conv;
use super::epilogue::Epilogue;
use super::isa::Isa;
use super::memory::Slice;
use super::weights::Weights;
use super::{linear, pointwise};
use crate::device::StepState;
use crate::error::{Error, Result};
use crate::ops::batch::Gather;
use crate::ops::conv::ConvShape;
use crate::ops::description::OPERANDS;
use crate::ops::layer::{LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::loss::Loss;
use crate::ops::operation::Kind;

/// Memory that operations reuse from call to call; grows at first use, then stays.
#[derive(Default)]
pub struct Workspace {
    room: Room,
    vector: Vec<f32>,
}

/// Runs an operation on rayon's threads.
pub fn run(
    isa: Isa,
    kind: &Kind,
    state: StepState,
    slices: [Slice; OPERANDS],
    workspace: &mut Workspace,
) -> Result<()> {
    match (kind, slices) {
        (Kind::Gather(g), slices) => return gather(g, state, slices),
        (Kind::Layer(l), slices) => match &l.shape {
            LayerShape::Conv(s) => convolution(isa, s, l.pass, slices, &mut workspace.room),
            LayerShape::Linear(s) => fully_connected(isa, s, l.pass, slices, &mut workspace.room),
        },
        (Kind::Pool(p), [dy, argmax, dx, ..]) if p.backward => {
            pointwise::pool_backward(&p.shape, dy.read(), argmax.read(), dx.write());
        }
        (Kind::Pool(p), [x, y, argmax, ..]) => pointwise::pool_forward(&p.shape, x.read(), y.write(), argmax.write()),
        (Kind::Dropout(d), [x, ..]) => pointwise::dropout(d, state.step, x.write()),
        (Kind::Loss(l), slices) => return loss(l, slices, &mut workspace.vector),
        (Kind::Softmax(s), [logits, p, ..]) => pointwise::softmax(s.classes, logits.read(), p.write()),
        (Kind::Adam(a), [g, w, m, v, ema]) => {
            let ema = a.average.then(|| ema.write());
            pointwise::adam(isa, &a.params, state, g.read(), [w.write(), m.write(), v.write()], ema);
        }
        (Kind::Sgd(s), [g, w, u, ema, _]) => {
            let ema = s.average.then(|| ema.write());
            pointwise::sgd(s, state, g.read(), [w.write(), u.write()], ema);
        }
    }
    Ok(())
}

fn convolution(isa: Isa, s: &ConvShape, pass: Pass, slices: [Slice; OPERANDS], room: &mut Room) {
    match (pass, slices) {
        (Pass::Forward { relu }, [x, w, b, y, _]) => {
            let end = Epilogue::Bias { bias: b.read(), relu };
            conv::forward(isa, s, x.read(), Weights::Straight(w.read()), y.write(), end, room);
        }
        (Pass::BackwardData { masked }, [dy, w, dx, mask, _]) => {
            let end = if masked { Epilogue::Mask(mask.read()) } else { Epilogue::None };
            conv::backward_data(isa, s, dy.read(), w.read(), dx.write(), end, room);
        }
        (Pass::BackwardWeight, [x, dy, dw, db, _]) => {
            conv::backward_weight(isa, s, x.read(), dy.read(), (dw.write(), db.write()), room);
        }
    }
}

fn fully_connected(isa: Isa, s: &LinearShape, pass: Pass, slices: [Slice; OPERANDS], room: &mut Room) {
    match (pass, slices) {
        (Pass::Forward { relu }, [x, w, b, y, _]) => {
            linear::forward(isa, s, x.read(), (w.read(), b.read()), y.write(), relu, room);
        }
        (Pass::BackwardData { masked }, [dy, w, dx, mask, _]) => {
            let mask = masked.then(|| mask.read());
            linear::backward_data(isa, s, dy.read(), w.read(), dx.write(), mask, room);
        }
        (Pass::BackwardWeight, [x, dy, dw, db, _]) => {
            linear::backward_weight(isa, s, x.read(), dy.read(), dw.write(), db.write(), room);
        }
    }
}

/// The batch gather: no index may lie beyond the dataset, and the elastic field must suit the images.
fn gather(g: &Gather, state: StepState, [pixels, labels, indices, x, chosen]: [Slice; OPERANDS]) -> Result<()> {
    if !pointwise::supports(g) {
        return Err(Error::Invalid(format!(
            "gather: the elastic field's control points are too close for {}x{} images",
            g.h, g.w
        )));
    }
    let (labels, indices): (&[u8], &[u32]) = (labels.read(), indices.read());
    if let Some(&bad) = indices.iter().find(|&&i| i as usize >= labels.len()) {
        return Err(Error::Invalid(format!("gather: image {bad} of a dataset of {}", labels.len())));
    }
    for (chosen, &i) in chosen.write().iter_mut().zip(indices) {
        *chosen = labels[i as usize];
    }
    pointwise::gather(g, state.step, pixels.read(), indices, x.write());
    Ok(())
}

/// The loss: every label must be one of the classes. Without a place for the gradient it is written and forgotten.
fn loss(l: &Loss, [logits, labels, stats, dlogits, _]: [Slice; OPERANDS], unused: &mut Vec<f32>) -> Result<()> {
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
