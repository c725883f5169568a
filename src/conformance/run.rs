//! Running one case.

use super::cases::{Case, sizes, title};
use super::compare::{Bound, Comparison, values};
use super::memory::Guarded;
use crate::device::{DType, Device, Owner, Precision, StepState};
use crate::error::Result;
use crate::ops::description::{Access, Operand};
use crate::ops::layer::{LayerPass, Pass};
use crate::ops::operation::{Kind, Operation, Planned};
use crate::ops::{dropout, pool, scaling};

/// The step cases run at: beyond 32 bits, so that both halves of the counter count.
const STATE: StepState = StepState { step: 5_000_000_123, lr: 0.01, ema_decay: 0.9, samples: &[] };
/// The step of the optimisers' cases, where bias corrections still matter.
const OPTIMIZER_STEP: StepState = StepState { step: 4, lr: 0.01, ema_decay: 0.9, samples: &[] };

/// Runs a case on each device in a precision and compares every result, device after device; the reference, which takes
/// most of the time, is computed once.
///
/// # Errors
/// Those of a device; a wrong result is no error but a comparison that failed.
pub fn run(devices: &mut [&mut dyn Device], case: &Case, precision: Precision) -> Result<Vec<Comparison>> {
    match case {
        Case::Operation(kind) => operation(devices, kind, precision),
        Case::Memory(len) => {
            let results: Result<Vec<_>> = devices.iter_mut().map(|d| memory(*d, *len)).collect();
            Ok(results?.concat())
        }
    }
}

/// An operation on inputs drawn for it, every operand between guards, against its reference.
fn operation(devices: &mut [&mut dyn Device], kind: &Kind, precision: Precision) -> Result<Vec<Comparison>> {
    let samples: Vec<u32> = match kind {
        Kind::Gather(g) => (0..g.n).map(|i| (i * 4 % g.images) as u32).collect(),
        _ => Vec::new(),
    };
    let of = if matches!(kind, Kind::Adam(_) | Kind::Sgd(_)) { OPTIMIZER_STEP } else { STATE };
    let state = StepState { samples: &samples, ..of };
    let owner = Owner::new();
    let operands = kind.describe(precision).operands;
    let drawn = |o: &Operand| input(kind, o).into_iter().map(|v| o.dtype.round(v)).collect();
    let mut values: Vec<Vec<f64>> = operands.iter().map(drawn).collect();
    let mut computed = Vec::new();
    for d in devices.iter_mut() {
        let guarded: Result<Vec<_>> =
            operands.iter().zip(&values).map(|(o, held)| Guarded::new(*d, &owner, o.dtype, held)).collect();
        let guarded = guarded?;
        let views: Vec<_> = guarded.iter().map(|g| g.view).collect();
        d.set_step(state)?;
        d.run(&Operation::new(kind.clone(), precision, &views)?)?;
        computed.push(guarded);
    }
    let summed = bias_gradient(kind, &values);
    let bounds = bounds(kind, precision, &operands, &mut values);
    kind.reference(precision, &state, &mut values);
    if let Some(db) = summed {
        values[3] = db;
    }
    let mut out = Vec::new();
    for (d, guarded) in devices.iter_mut().zip(computed) {
        for (i, operand) in operands.iter().enumerate().filter(|(_, o)| o.is_written()) {
            // What an operation is named for needs no name of its own.
            let title = match operand.name {
                "x" | "y" | "dx" | "probabilities" => title(kind),
                name => format!("{} {name}", title(kind)),
            };
            out.push(guarded[i].compare(*d, &title, &sizes(kind), &values[i], &bounds[i])?);
        }
    }
    Ok(out)
}

/// The gradient of a layer's bias, a sum of what is stored: there is no factor in it that a precision would round.
fn bias_gradient(kind: &Kind, values: &[Vec<f64>]) -> Option<Vec<f64>> {
    let Kind::Layer(LayerPass { shape, pass: Pass::BackwardWeight }) = kind else { return None };
    let (channels, dy) = (shape.as_conv().k, &values[1]);
    Some((0..channels).map(|c| dy.iter().skip(c).step_by(channels).sum()).collect())
}

/// How far each operand may be from its reference. Where products take factors of fewer bits than their operands have,
/// the values become those factors.
fn bounds(kind: &Kind, precision: Precision, operands: &[Operand], values: &mut [Vec<f64>]) -> Vec<Bound> {
    if precision == Precision::F32 {
        return vec![Bound::Contract; operands.len()];
    }
    let Kind::Layer(layer) = kind else {
        return operands.iter().map(|o| Bound::Stored(o.dtype)).collect();
    };
    for (operand, values) in operands.iter().zip(values.iter_mut()) {
        if matches!(operand.name, "x" | "w" | "dy") {
            values.iter_mut().for_each(|v| *v = precision.factor(*v));
        }
    }
    let mut magnitudes: Vec<Vec<f64>> = values.iter().map(|v| v.iter().map(|v| v.abs()).collect()).collect();
    layer.reference(&mut magnitudes);
    let additions = additions(kind, precision);
    let bound = |(o, magnitudes): (&Operand, Vec<f64>)| Bound::Sum { additions, magnitudes, stored: o.dtype };
    operands.iter().zip(magnitudes).map(bound).collect()
}

/// Additions in a result of a layer. Each in float32 may be off by 2^-23 of the sum so far where it truncates, as
/// tensor cores do.
pub(super) fn additions(kind: &Kind, precision: Precision) -> f64 {
    let is = kind.describe(precision);
    let results = is.operands.iter().find(|o| o.is_written()).map_or(1, |o| o.len);
    (is.flops / (2 * results.max(1) as u64)) as f64 + 2.0
}

/// What an operand holds before: numbers drawn so that results are about as large as 1; NaN where it is overwritten.
pub(super) fn input(kind: &Kind, operand: &Operand) -> Vec<f64> {
    let len = operand.len;
    let draw = |seed, scale| wide(&values(seed, len, scale));
    if operand.access == Access::Write {
        return vec![f64::NAN; len];
    }
    match (kind, operand.name) {
        (Kind::Layer(_), "w") => draw(2, scale(kind)),
        (Kind::Layer(_), "b") => draw(3, 0.5),
        (Kind::Layer(l), "dy") => draw(4, if l.pass == Pass::BackwardWeight { scale(kind) } else { 1.0 }),
        // Few distinct values, so that ties are common.
        (Kind::Pool(_), "x") => draw(1, 2.0).iter().map(|v| v.round()).collect(),
        (Kind::Pool(p), "argmax") => {
            let x: Vec<f64> = values(1, p.shape.x_len(), 2.0).iter().map(|v| f64::from(v.round())).collect();
            pool::forward(&p.shape, &x).1
        }
        (Kind::Pool(_), _) => draw(2, 1.0),
        (Kind::Loss(l), "labels") => (0..len).map(|i| (i * 7919 % l.classes) as f64).collect(),
        (Kind::Loss(_), "stats") => vec![10.0, 20.0, 30.0, 40.0],
        (Kind::Loss(l), _) => logits(len, l.classes),
        (Kind::Softmax(s), _) => logits(len, s.classes),
        (_, "scaling") => scaling::START.map(f64::from).to_vec(),
        (Kind::Scaling(_), _) => draw(1, 1.0),
        (Kind::Cast(_), _) => draw(1, 1.0),
        (Kind::Adam(_) | Kind::Sgd(_), "gradients") => draw(2, 1.0),
        (Kind::Adam(_) | Kind::Sgd(_), "first moment" | "velocity") => draw(3, 0.5),
        (Kind::Adam(_), "second moment") => values(4, len, 0.5).iter().map(|v| f64::from(v * v)).collect(),
        (Kind::Adam(_) | Kind::Sgd(_), "average") => draw(5, 1.0),
        (Kind::Gather(_), "pixels") => values(1, len, 255.0).iter().map(|v| f64::from(v.abs() as u8)).collect(),
        (Kind::Gather(_), _) => (0..len).map(|i| (i * 301 % 1000) as f64).collect(),
        (Kind::Layer(_) | Kind::Dropout(_) | Kind::Adam(_) | Kind::Sgd(_), _) => draw(1, 1.0),
    }
}

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&v| f64::from(v)).collect()
}

/// The scale of uniform numbers which, times others in [-1, 1], add up to variance 1/3 in each result.
fn scale(kind: &Kind) -> f32 {
    let is = kind.describe(Precision::F32);
    let results = is.operands.iter().find(|o| o.is_written()).map_or(1, |o| o.len);
    let terms = is.flops / (2 * results as u64);
    (3.0 / terms.max(1) as f32).sqrt()
}

/// Wide enough for some probabilities below the clip, and ties of the largest.
fn logits(len: usize, classes: usize) -> Vec<f64> {
    let drawn = values(1, len, 60.0);
    let one = |(i, v): (usize, &f32)| if (i / classes).is_multiple_of(2) { v.round() } else { v / 20.0 };
    drawn.iter().enumerate().map(one).map(f64::from).collect()
}

/// Copying, clearing, and recording, which gives what running gives.
fn memory(d: &mut dyn Device, len: usize) -> Result<Vec<Comparison>> {
    d.set_step(STATE)?;
    let shape = len.to_string();
    let v = wide(&values(1, len, 1.0));
    let owner = Owner::new();
    let from = Guarded::new(d, &owner, DType::F32, &v)?;
    let to = Guarded::new(d, &owner, DType::F32, &vec![f64::NAN; len])?;
    d.copy(from.view, to.view)?;
    let mut out = vec![to.compare(d, "copy", &shape, &v, &Bound::Contract)?];
    d.zero(to.view)?;
    out.push(to.compare(d, "zero", &shape, &vec![0.0; len], &Bound::Contract)?);
    let recorded = Guarded::new(d, &owner, DType::F32, &v)?;
    let spec = dropout::Dropout { seed: 1, layer: 0, p: 0.25, len };
    let operation = Operation::new(Kind::Dropout(spec), Precision::F32, &[recorded.view])?;
    let plan = [Planned::new("", "", operation)];
    let mut want = v.clone();
    for _ in 0..2 {
        d.record(&format!("conformance {len}"), &plan)?;
        dropout::apply(&spec, STATE.step, &mut want);
    }
    out.push(recorded.compare(d, "record", &shape, &want, &Bound::Contract)?);
    out.push(from.compare(d, "the source of a copy", &shape, &v, &Bound::Contract)?);
    Ok(out)
}
