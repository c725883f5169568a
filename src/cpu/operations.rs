//! Each operation of [`crate::ops`] on its operands' memory: which function computes it, and what it asks for beyond
//! views that fit, samples and labels that exist.

use super::amx;
use super::batch::gather;
use super::buffer::Room;
use super::conv;
use super::element::{self, Element};
use super::epilogue::Epilogue;
use super::isa::Isa;
use super::memory::Slice;
use super::optimizer::{self, Followers};
use super::weights::Weights;
use super::{linear, pointwise, wide};
use crate::device::{DType, StepState};
use crate::error::{Error, Result};
use crate::ops::conv::ConvShape;
use crate::ops::description::OPERANDS;
use crate::ops::layer::{LayerShape, Pass};
use crate::ops::linear::LinearShape;
use crate::ops::loss::Loss;
use crate::ops::operation::{Kind, Operation};
use crate::ops::scaling::SCALE;
use half::{bf16, f16};

/// Memory that operations reuse from call to call; grows at first use, then stays.
#[derive(Default)]
pub struct Workspace {
    room: Room,
    vector: Vec<f32>,
    wide: Room,
    tiles: amx::Scratch,
}

/// Runs an operation on rayon's threads.
pub fn run(
    isa: Isa,
    operation: &Operation,
    state: StepState,
    slices: [Slice; OPERANDS],
    workspace: &mut Workspace,
) -> Result<()> {
    match operation.precision().storage() {
        DType::Bf16 => stored::<bf16>(isa, operation, state, slices, workspace),
        DType::F16 => stored::<f16>(isa, operation, state, slices, workspace),
        _ => stored::<f32>(isa, operation, state, slices, workspace),
    }
}

/// An operation in a precision that stores activations as `T`.
fn stored<T: Element>(
    isa: Isa,
    operation: &Operation,
    state: StepState,
    slices: [Slice; OPERANDS],
    workspace: &mut Workspace,
) -> Result<()> {
    let Workspace { room, vector, wide, tiles: scratch } = workspace;
    let is_half = operation.precision().is_half();
    match (operation.kind(), slices) {
        (Kind::Pool(p), [dy, argmax, dx, ..]) if p.backward => {
            pointwise::pool_backward::<T>(isa, &p.shape, dy.read(), argmax.read(), dx.write());
        }
        (Kind::Pool(p), [x, y, argmax, ..]) => {
            pointwise::pool_forward::<T>(isa, &p.shape, x.read(), y.write(), argmax.write());
        }
        (Kind::Cast(_), [x, y, ..]) => element::narrow::<T>(isa, x.read(), y.write()),
        (Kind::Scaling(_), [gradients, scaling, ..]) => pointwise::scaling(gradients.read(), scaling.write()),
        (Kind::Adam(a), [g, w, m, v, more @ ..]) => {
            let (followers, inverse) = Followers::<T>::of(operation.precision(), a.average, more);
            if inverse != 0.0 {
                let arenas = [w.write(), m.write(), v.write()];
                optimizer::adam(isa, &a.params, state, (g.read(), inverse), arenas, followers);
            }
        }
        (Kind::Sgd(s), [g, w, u, more @ ..]) => {
            let (followers, inverse) = Followers::<T>::of(operation.precision(), s.average, more);
            if inverse != 0.0 {
                optimizer::sgd(isa, s, state, (g.read(), inverse), [w.write(), u.write()], followers);
            }
        }
        (Kind::Softmax(s), [logits, p, ..]) => pointwise::softmax(s.classes, logits.read(), p.write()),
        (Kind::Gather(g), slices) => wide::run::<T>(isa, operation, slices, wide, |slices| gather(g, state, slices))?,
        (Kind::Layer(l), slices) => match isa.tiles().filter(|_| is_half) {
            Some(tiles) => amx::run::<T>(tiles, l, slices, scratch),
            None => wide::run::<T>(isa, operation, slices, wide, |slices| {
                match &l.shape {
                    LayerShape::Conv(s) => convolution(isa, s, l.pass, slices, room),
                    LayerShape::Linear(s) => fully_connected(isa, s, l.pass, slices, room),
                }
                Ok(())
            })?,
        },
        (Kind::Dropout(d), [x, ..]) => pointwise::dropout::<T>(isa, d, state.step, x.write()),
        (Kind::Loss(l), slices) => wide::run::<T>(isa, operation, slices, wide, |slices| loss(l, slices, vector))?,
    }
    Ok(())
}

fn convolution(isa: Isa, s: &ConvShape, pass: Pass, slices: [Slice; OPERANDS], room: &mut Room) {
    match (pass, slices) {
        (Pass::Forward { relu }, [x, w, b, y, ..]) => {
            let end = Epilogue::Bias { bias: b.read(), relu };
            conv::forward(isa, s, x.read(), Weights::Straight(w.read()), y.write(), end, room);
        }
        (Pass::BackwardData { masked }, [dy, w, dx, mask, ..]) => {
            let end = if masked { Epilogue::Mask(mask.read()) } else { Epilogue::None };
            conv::backward_data(isa, s, dy.read(), w.read(), dx.write(), end, room);
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => {
            conv::backward_weight(isa, s, x.read(), dy.read(), (dw.write(), db.write()), room);
        }
    }
}

fn fully_connected(isa: Isa, s: &LinearShape, pass: Pass, slices: [Slice; OPERANDS], room: &mut Room) {
    match (pass, slices) {
        (Pass::Forward { relu }, [x, w, b, y, ..]) => {
            linear::forward(isa, s, x.read(), (w.read(), b.read()), y.write(), relu, room);
        }
        (Pass::BackwardData { masked }, [dy, w, dx, mask, ..]) => {
            let mask = masked.then(|| mask.read());
            linear::backward_data(isa, s, dy.read(), w.read(), dx.write(), mask, room);
        }
        (Pass::BackwardWeight, [x, dy, dw, db, ..]) => {
            linear::backward_weight(isa, s, x.read(), dy.read(), dw.write(), db.write(), room);
        }
    }
}

/// The loss: every label must be one of the classes. Without a place for the gradient it is written and forgotten.
fn loss(
    l: &Loss,
    [logits, labels, stats, dlogits, scaling, ..]: [Slice; OPERANDS],
    unused: &mut Vec<f32>,
) -> Result<()> {
    let (logits, labels): (&[f32], &[u32]) = (logits.read(), labels.read());
    if let Some(&bad) = labels.iter().find(|&&label| label as usize >= l.classes) {
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
    let scale = scaling.read().get(SCALE).copied().unwrap_or(1.0);
    pointwise::loss(l, scale, logits, labels, dlogits, stats.write());
    Ok(())
}
