//! Every operation of the CPU backend against PyTorch in float64 (`tests/golden/make_operations.py`).

use crate::common::golden::noise;
use crate::common::operation::{conv as conv_pass, cpus, linear as linear_pass, run};
use serde::Deserialize;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, StepState, View, download_f32, upload_f32};
use warp19::ops::conv::ConvShape;
use warp19::ops::layer::Pass;
use warp19::ops::linear::LinearShape;
use warp19::ops::loss::{Loss, LossKind, Softmax};
use warp19::ops::operation::Kind;
use warp19::ops::optimizer::{Adam, AdamParams, Arenas, Epsilon, Sgd, SgdParams};
use warp19::ops::pool::{Pool, PoolShape};

#[derive(Deserialize)]
struct Case {
    operation: String,
    shape: Vec<usize>,
    results: Vec<Vec<f64>>,
}

fn input(d: &mut CpuDevice, seed: u32, len: usize, scale: f32) -> View {
    let values: Vec<f32> = noise(seed, len).iter().map(|v| v * scale).collect();
    let view = d.alloc(DType::F32, len).unwrap();
    upload_f32(d, view, &values).unwrap();
    view
}

fn output(d: &mut CpuDevice, len: usize) -> View {
    let view = d.alloc(DType::F32, len).unwrap();
    upload_f32(d, view, &vec![f32::NAN; len]).unwrap();
    view
}

fn check(d: &mut CpuDevice, case: &Case, outputs: &[View]) {
    assert_eq!(outputs.len(), case.results.len());
    for (number, (&view, want)) in outputs.iter().zip(&case.results).enumerate() {
        let got = download_f32(d, view).unwrap();
        assert_eq!(got.len(), want.len());
        // Inputs are of unit size and sums short, but not all of unit size: the bound's absolute part follows them.
        let size = (want.iter().map(|v| v * v).sum::<f64>() / want.len() as f64).sqrt().max(1.0);
        for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
            let bound = f64::max(1e-5 * size, 1e-4 * w.abs());
            let what = format!("{} {:?} result {number} element {i}", case.operation, case.shape);
            assert!((f64::from(g) - w).abs() <= bound, "{what}: {g}, PyTorch has {w}");
        }
    }
}

#[test]
fn operations_equal_pytorch() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/operations.json")).unwrap();
    assert_eq!(cases.len(), 15);
    for case in &cases {
        for d in &mut cpus() {
            let s = &case.shape;
            match case.operation.as_str() {
                "conv" => conv(d, case, s),
                "pool" => pool(d, case, s),
                "linear" => linear(d, case, s),
                "loss" => loss(d, case, s),
                _ => optimizer(d, case, s[0]),
            }
        }
    }
}

fn conv(d: &mut CpuDevice, case: &Case, s: &[usize]) {
    let s = ConvShape { n: s[0], h: s[1], w: s[2], c: s[3], k: s[4], kernel: s[5] };
    let (x, w) = (input(d, 1, s.x_len(), 1.0), input(d, 2, s.w_len(), 1.0));
    let (b, dy) = (input(d, 3, s.k, 1.0), input(d, 4, s.y_len(), 1.0));
    let (y, dx) = (output(d, s.y_len()), output(d, s.x_len()));
    let (dw, db) = (output(d, s.w_len()), output(d, s.k));
    run(d, conv_pass(&s, Pass::Forward { relu: true }), &[x, w, b, y]);
    run(d, conv_pass(&s, Pass::BackwardData { masked: false }), &[dy, w, dx]);
    run(d, conv_pass(&s, Pass::BackwardWeight), &[x, dy, dw, db]);
    check(d, case, &[y, dx, dw, db]);
}

fn pool(d: &mut CpuDevice, case: &Case, s: &[usize]) {
    let s = PoolShape { n: s[0], h: s[1], w: s[2], c: s[3] };
    let (x, dy) = (input(d, 1, s.x_len(), 1.0), input(d, 2, s.y_len(), 1.0));
    let (y, dx) = (output(d, s.y_len()), output(d, s.x_len()));
    let argmax = d.alloc(DType::U8, s.y_len()).unwrap();
    run(d, Kind::Pool(Pool { shape: s, backward: false }), &[x, y, argmax]);
    run(d, Kind::Pool(Pool { shape: s, backward: true }), &[dy, argmax, dx]);
    check(d, case, &[y, dx]);
}

fn linear(d: &mut CpuDevice, case: &Case, s: &[usize]) {
    let s = LinearShape { n: s[0], inputs: s[1], outputs: s[2] };
    let (x, w) = (input(d, 1, s.n * s.inputs, 1.0), input(d, 2, s.inputs * s.outputs, 1.0));
    let (b, dy) = (input(d, 3, s.outputs, 1.0), input(d, 4, s.n * s.outputs, 1.0));
    let (y, dx) = (output(d, s.n * s.outputs), output(d, s.n * s.inputs));
    let (dw, db) = (output(d, s.inputs * s.outputs), output(d, s.outputs));
    run(d, linear_pass(&s, Pass::Forward { relu: false }), &[x, w, b, y]);
    run(d, linear_pass(&s, Pass::BackwardData { masked: false }), &[dy, w, dx]);
    run(d, linear_pass(&s, Pass::BackwardWeight), &[x, dy, dw, db]);
    check(d, case, &[y, dx, dw, db]);
}

fn loss(d: &mut CpuDevice, case: &Case, s: &[usize]) {
    let (n, classes) = (s[0], s[1]);
    let z = input(d, 1, n * classes, 5.0);
    let labels = d.alloc(DType::U32, n).unwrap();
    let own: Vec<u32> = (0..n).map(|i| ((7 * i + 1) % classes) as u32).collect();
    d.upload(labels, bytemuck::cast_slice(&own)).unwrap();
    let stats = d.alloc(DType::F64, 4).unwrap();
    d.zero(stats).unwrap();
    let (dz, p) = (output(d, n * classes), output(d, n * classes));
    let loss = Loss { kind: LossKind::Mean, rows: n, classes, gradient: true };
    run(d, Kind::Loss(loss), &[z, labels, stats, dz]);
    run(d, Kind::Softmax(Softmax { rows: n, classes }), &[z, p]);
    let mut sums = [0.0f64; 4];
    d.download(stats, bytemuck::cast_slice_mut(&mut sums)).unwrap();
    let sum = d.alloc(DType::F32, 1).unwrap();
    upload_f32(d, sum, &[sums[0] as f32]).unwrap();
    check(d, case, &[sum, dz, p]);
}

fn optimizer(d: &mut CpuDevice, case: &Case, len: usize) {
    let weights = input(d, 1, len, 1.0);
    let others: Vec<View> = (0..3).map(|_| output(d, len)).collect();
    d.zero(others[1]).unwrap();
    d.zero(others[2]).unwrap();
    let adam = case.operation == "adam";
    let arenas = Arenas {
        weights,
        gradients: others[0],
        moment1: others[1],
        moment2: adam.then_some(others[2]),
        ema: None,
        copy: None,
        scaling: None,
    };
    for step in 0..3 {
        upload_f32(d, others[0], &noise(10 + step, len)).unwrap();
        d.set_step(StepState { step: u64::from(step), lr: 0.01, ema_decay: 0.0, samples: &[] }).unwrap();
        if adam {
            let epsilon_kind = Epsilon::Outer;
            let p = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind };
            run(d, Kind::Adam(Adam { params: p, len, average: false }), &arenas.views());
        } else {
            let p = SgdParams { momentum: 0.9, l2: 5e-4 };
            let sgd = Sgd { params: p, decayed: vec![(0, len)], len, average: false };
            run(d, Kind::Sgd(sgd), &arenas.views());
        }
    }
    check(d, case, &[weights]);
}
