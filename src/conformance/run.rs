//! Running one case.

use super::{Case, Comparison, Output, compare, compare_bytes, layers, put, put_bytes, values, wide};
use crate::device::{Arenas, DType, Device, Dropout, StepState, download_f32};
use crate::error::Result;
use crate::ops::batch::{self, Gather};
use crate::ops::dropout;
use crate::ops::loss::{self, LossKind};
use crate::ops::optimizer::{self, AdamParams, SgdParams};
use crate::ops::pool::{self, PoolShape};

/// The step all cases run at: beyond 32 bits, so that both halves of the counter count.
const STATE: StepState = StepState { step: 5_000_000_123, lr: 0.01, ema_decay: 0.9 };
/// The step of the optimisers' cases, where bias corrections still matter.
const OPTIMIZER_STEP: StepState = StepState { step: 4, lr: 0.01, ema_decay: 0.9 };

/// Runs a case on a device and compares every result.
///
/// # Errors
/// Those of the device; a wrong result is no error but a comparison that failed.
pub fn run(d: &mut dyn Device, case: &Case) -> Result<Vec<Comparison>> {
    d.set_step(STATE)?;
    match case {
        Case::Conv(s) => layers::convolution(d, s),
        Case::Linear(s) => layers::fully_connected(d, s),
        Case::Pool(s) => pooling(d, s),
        Case::Dropout(len, p) => dropping(d, *len, *p),
        Case::Loss { kind, rows, classes } => losses(d, *kind, *rows, *classes),
        Case::Adam(p, len) => adam(d, p, *len),
        Case::Sgd(p, len) => sgd(d, p, *len),
        Case::Gather(g) => gather(d, g),
        Case::Memory(len) => memory(d, *len),
    }
}

fn pooling(d: &mut dyn Device, s: &PoolShape) -> Result<Vec<Comparison>> {
    let shape = format!("{}x{}x{}x{}", s.n, s.h, s.w, s.c);
    // Few distinct values, so that ties are common.
    let x: Vec<f32> = values(1, s.x_len(), 2.0).iter().map(|v| v.round()).collect();
    let dy = values(2, s.y_len(), 1.0);
    let (vx, vdy) = (put(d, &x)?, put(d, &dy)?);
    let argmax = put_bytes(d, &vec![0xff; s.y_len()])?;
    let y = Output::new(d, s.y_len())?;
    d.pool_forward(s, vx, y.view, argmax)?;
    let (want, positions) = pool::forward(s, &wide(&x));
    let mut out = vec![y.compare(d, "pool_forward", &shape, &want)?];
    let mut got = vec![0; s.y_len()];
    d.download(argmax, &mut got)?;
    out.push(compare_bytes("pool_forward argmax", &shape, &got, &positions));
    let dx = Output::new(d, s.x_len())?;
    let positions_on_device = put_bytes(d, &positions)?;
    d.pool_backward(s, vdy, positions_on_device, dx.view)?;
    let want = pool::backward(s, &wide(&dy), &positions);
    out.push(dx.compare(d, "pool_backward", &shape, &want)?);
    Ok(out)
}

fn dropping(d: &mut dyn Device, len: usize, p: f32) -> Result<Vec<Comparison>> {
    let x = values(1, len, 1.0);
    let mut out = Vec::new();
    for layer in [0, 2] {
        let spec = Dropout { seed: 0x1234_5678_9abc_def0, layer, p };
        let y = Output::holding(d, &x)?;
        d.dropout(&spec, y.view)?;
        let mut want = wide(&x);
        dropout::apply(&spec, STATE.step, &mut want);
        out.push(y.compare(d, &format!("dropout layer {layer}"), &format!("{len}, p {p}"), &want)?);
    }
    Ok(out)
}

fn losses(d: &mut dyn Device, kind: LossKind, rows: usize, classes: usize) -> Result<Vec<Comparison>> {
    let shape = format!("{rows}x{classes} {kind:?}");
    // Wide enough for some probabilities below the clip, and ties of the largest.
    let logits: Vec<f32> = values(1, rows * classes, 60.0)
        .chunks(classes)
        .enumerate()
        .flat_map(|(row, z)| z.iter().map(move |v| if row % 2 == 0 { v.round() } else { v / 20.0 }))
        .collect();
    let labels: Vec<u8> = (0..rows).map(|i| (i * 7 % classes.min(256)) as u8).collect();
    let (vz, vl) = (put(d, &logits)?, put_bytes(d, &labels)?);
    let dz = Output::new(d, rows * classes)?;
    let stats = d.alloc(DType::F64, 4)?;
    let start = [10.0f64, 20.0, 30.0, 40.0];
    d.upload(stats, bytemuck::cast_slice(&start))?;
    d.loss(kind, classes, vz, vl, Some(dz.view), stats)?;
    d.loss(kind, classes, vz, vl, None, stats)?;
    let (sum, correct, want) = loss::forward_backward(kind, classes, &wide(&logits), &labels);
    let mut out = vec![dz.compare(d, "loss dlogits", &shape, &want)?];
    let mut got = [0.0f64; 4];
    d.download(stats, bytemuck::cast_slice_mut(&mut got))?;
    let n = rows as f64;
    let want = [10.0 + 2.0 * sum, 20.0 + 2.0 * correct as f64, 30.0 + 2.0 * n, 40.0];
    out.push(compare("loss stats", &shape, &got.map(|v| v as f32), &want));
    let p = Output::new(d, rows * classes)?;
    d.softmax(classes, vz, p.view)?;
    let want: Vec<f64> = wide(&logits).chunks(classes).flat_map(loss::softmax).collect();
    out.push(p.compare(d, "softmax", &shape, &want)?);
    Ok(out)
}

/// Arenas for an optimiser's case, all between guards.
struct Optimizing {
    w: Output,
    m: Output,
    v: Output,
    ema: Output,
    arenas: Arenas,
    w64: Vec<f64>,
    g64: Vec<f64>,
    m64: Vec<f64>,
    v64: Vec<f64>,
    ema64: Vec<f64>,
}

fn optimizing(d: &mut dyn Device, len: usize) -> Result<Optimizing> {
    let (w, g, m) = (values(1, len, 1.0), values(2, len, 1.0), values(3, len, 0.5));
    let v: Vec<f32> = values(4, len, 0.5).iter().map(|v| v * v).collect();
    let ema = values(5, len, 1.0);
    let vg = put(d, &g)?;
    let (wo, mo) = (Output::holding(d, &w)?, Output::holding(d, &m)?);
    let (vo, eo) = (Output::holding(d, &v)?, Output::holding(d, &ema)?);
    d.set_step(OPTIMIZER_STEP)?;
    Ok(Optimizing {
        arenas: Arenas {
            weights: wo.view,
            gradients: vg,
            moment1: mo.view,
            moment2: Some(vo.view),
            ema: Some(eo.view),
        },
        w: wo,
        m: mo,
        v: vo,
        ema: eo,
        w64: wide(&w),
        g64: wide(&g),
        m64: wide(&m),
        v64: wide(&v),
        ema64: wide(&ema),
    })
}

fn adam(d: &mut dyn Device, p: &AdamParams, len: usize) -> Result<Vec<Comparison>> {
    let shape = format!("{len} {:?}", p.epsilon_kind);
    let mut o = optimizing(d, len)?;
    d.adam(p, &o.arenas)?;
    let (step, lr) = (OPTIMIZER_STEP.step, f64::from(OPTIMIZER_STEP.lr));
    optimizer::adam(p, step, lr, &mut o.w64, &o.g64, &mut o.m64, &mut o.v64);
    optimizer::ema(f64::from(OPTIMIZER_STEP.ema_decay), &mut o.ema64, &o.w64);
    Ok(vec![
        o.w.compare(d, "adam weights", &shape, &o.w64)?,
        o.m.compare(d, "adam first moment", &shape, &o.m64)?,
        o.v.compare(d, "adam second moment", &shape, &o.v64)?,
        o.ema.compare(d, "adam average", &shape, &o.ema64)?,
    ])
}

fn sgd(d: &mut dyn Device, p: &SgdParams, len: usize) -> Result<Vec<Comparison>> {
    let shape = len.to_string();
    let mut o = optimizing(d, len)?;
    o.arenas.moment2 = None;
    let decayed = [(3, 10), (13, 5), (len / 2, 7)];
    d.sgd(p, &decayed, &o.arenas)?;
    optimizer::sgd(p, &decayed, f64::from(OPTIMIZER_STEP.lr), &mut o.w64, &o.g64, &mut o.m64);
    optimizer::ema(f64::from(OPTIMIZER_STEP.ema_decay), &mut o.ema64, &o.w64);
    Ok(vec![
        o.w.compare(d, "sgd weights", &shape, &o.w64)?,
        o.m.compare(d, "sgd velocity", &shape, &o.m64)?,
        o.v.compare(d, "sgd leaves the second moment", &shape, &o.v64)?,
        o.ema.compare(d, "sgd average", &shape, &o.ema64)?,
    ])
}

fn gather(d: &mut dyn Device, g: &Gather) -> Result<Vec<Comparison>> {
    let kind = g.augment.map_or("plain", |a| if a.elastic > 0.0 { "elastic" } else { "affine" });
    let shape = format!("{}x{}x{}x{} {kind}", g.n, g.h, g.w, g.c);
    let images = 11;
    let len = g.h * g.w * g.c;
    let pixels: Vec<u8> = values(1, images * len, 255.0).iter().map(|v| v.abs() as u8).collect();
    let labels: Vec<u8> = (0..images).map(|i| (i * 3 % 10) as u8).collect();
    let indices: Vec<u32> = (0..g.n).map(|i| (i * 4 % images) as u32).collect();
    let (vp, vl) = (put_bytes(d, &pixels)?, put_bytes(d, &labels)?);
    let vi = d.alloc(DType::U32, g.n)?;
    d.upload(vi, bytemuck::cast_slice(&indices))?;
    let chosen = put_bytes(d, &vec![0xff; g.n])?;
    let x = Output::new(d, g.n * len)?;
    d.gather(g, vp, vl, vi, x.view, chosen)?;
    let want = batch::gather(g, STATE.step, &pixels, &indices);
    let mut out = vec![x.compare(d, "gather", &shape, &want)?];
    let mut got = vec![0; g.n];
    d.download(chosen, &mut got)?;
    let want: Vec<u8> = indices.iter().map(|&i| labels[i as usize]).collect();
    out.push(compare_bytes("gather labels", &shape, &got, &want));
    Ok(out)
}

fn memory(d: &mut dyn Device, len: usize) -> Result<Vec<Comparison>> {
    let v = values(1, len, 1.0);
    let from = put(d, &v)?;
    let to = Output::new(d, len)?;
    d.copy(from, to.view)?;
    let mut out = vec![to.compare(d, "copy", &len.to_string(), &wide(&v))?];
    d.zero(to.view)?;
    out.push(to.compare(d, "zero", &len.to_string(), &vec![0.0; len])?);
    // Recording and replaying give what running gives.
    let recorded = Output::new(d, len)?;
    let name = format!("conformance copy {len}");
    for _ in 0..2 {
        d.record(&name, &mut |d| d.copy(from, recorded.view))?;
    }
    out.push(recorded.compare(d, "record", &len.to_string(), &wide(&v))?);
    let again = download_f32(d, from)?;
    out.push(compare("the source of a copy", &len.to_string(), &again, &wide(&v)));
    Ok(out)
}
