//! One whole VGG19 training step on the CPU against PyTorch in float64 (`tests/golden/make_golden.py`): the loss, every
//! parameter's gradient (its norm and samples, the largest among them) and samples of every updated weight.

use crate::common::golden::noise;
use crate::common::operation::{cpus, run};
use serde::Deserialize;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, Precision, StepState, download_f32, run_plan, upload_f32};
use warp19::model::zoo;
use warp19::network::{Mode, Network, Purpose};
use warp19::ops::loss::{Loss, LossKind};
use warp19::ops::operation::Kind;
use warp19::ops::optimizer::{Adam, AdamParams, Arenas, Epsilon};

#[derive(Deserialize)]
struct Golden {
    batch: usize,
    seed: u64,
    lr: f32,
    loss: f64,
    logits: Vec<f64>,
    parameters: Vec<GoldenParameter>,
}

#[derive(Deserialize)]
struct GoldenParameter {
    name: String,
    norm: f64,
    at: Vec<usize>,
    gradient: Vec<f64>,
    weight: Vec<f64>,
}

#[test]
fn one_training_step_equals_pytorch() {
    let text = include_str!("../golden/vgg19_step.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    for d in &mut cpus() {
        let model = zoo::build("vgg19", "28x28x1".parse().unwrap(), 10).unwrap();
        let net = Network::new(d, &model, Precision::F32, golden.batch, Purpose::Training).unwrap();
        let gradients = net.gradients.unwrap();
        for (i, p) in net.parameters.iter().enumerate() {
            let scale = if p.is_bias() { 0.1 } else { (6.0 / p.fan_in() as f64).sqrt() };
            let values: Vec<f32> = noise(100 + i as u32, p.len).iter().map(|v| v * scale as f32).collect();
            upload_f32(d, net.weights.slice(p.offset, p.len), &values).unwrap();
        }
        let x: Vec<f32> = noise(1, golden.batch * 784).iter().map(|&v| ((f64::from(v) + 1.0) / 2.0) as f32).collect();
        upload_f32(d, net.input, &x).unwrap();
        let labels: Vec<u32> = (0..golden.batch).map(|i| ((3 * i + 1) % 10) as u32).collect();
        d.upload(net.labels, bytemuck::cast_slice(&labels)).unwrap();
        let arena = net.weights.len;
        let moments: Vec<_> = (0..2).map(|_| d.alloc(DType::F32, arena).unwrap()).collect();
        let stats = d.alloc(DType::F64, 4).unwrap();
        for view in [moments[0], moments[1], stats] {
            d.zero(view).unwrap();
        }

        d.set_step(StepState { step: 0, lr: golden.lr, ema_decay: 0.0, samples: &[] }).unwrap();
        let seed = golden.seed;
        run_plan(d, &net.forward(net.weights, Mode::Train { seed }).unwrap()).unwrap();
        let loss = Loss { kind: LossKind::Mean, rows: golden.batch, classes: 10, gradient: true };
        run(d, Kind::Loss(loss), &[net.logits, net.labels, stats, net.dlogits]);
        run_plan(d, &net.backward(seed).unwrap()).unwrap();
        let adam = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
        let arenas = Arenas {
            weights: net.weights,
            gradients,
            moment1: moments[0],
            moment2: Some(moments[1]),
            ema: None,
            copy: None,
            scaling: None,
        };
        run(d, Kind::Adam(Adam { params: adam, len: arena, average: false }), &arenas.views());

        for (&got, want) in download_f32(d, net.logits).unwrap().iter().zip(&golden.logits) {
            close("logit", f64::from(got), *want, 1.0);
        }
        let mut sums = [0.0f64; 4];
        d.download(stats, bytemuck::cast_slice_mut(&mut sums)).unwrap();
        close("loss", sums[0] / golden.batch as f64, golden.loss, 1.0);
        let (g, w) = (download_f32(d, gradients).unwrap(), download_f32(d, net.weights).unwrap());
        assert_eq!(net.parameters.len(), golden.parameters.len());
        for (p, want) in net.parameters.iter().zip(&golden.parameters) {
            assert_eq!(p.name, want.name);
            let g = &g[p.offset..p.offset + p.len];
            let norm = g.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            close(&format!("{} gradient norm", p.name), norm, want.norm, want.norm);
            // The tensor's typical gradient takes the place of one in the contract's bound.
            let typical = want.norm / (p.len as f64).sqrt();
            for (i, &at) in want.at.iter().enumerate() {
                let what = format!("{} gradient {at}", p.name);
                close(&what, f64::from(g[at]), want.gradient[i], typical);
                // The first step moves a weight by lr times the sign of its gradient, where that is beyond rounding.
                if want.gradient[i].abs() > 0.01 * typical {
                    let what = format!("{} weight {at}", p.name);
                    close(&what, f64::from(w[p.offset + at]), want.weight[i], 0.1);
                }
            }
        }
    }
}

/// The contract's bound for quantities of size `unit`.
fn close(what: &str, got: f64, want: f64, unit: f64) {
    let bound = f64::max(1e-5 * unit, 1e-4 * got.abs().max(want.abs()));
    assert!((got - want).abs() <= bound, "{what}: {got}, PyTorch has {want}");
}

/// VGG19 for ImageNet (224x224x3, 1000 classes) runs forward and backward: a finite loss, and every parameter gets
/// a gradient.
#[test]
fn vgg19_runs_on_imagenet_sizes() {
    let d = &mut CpuDevice::new(None).unwrap();
    let mut model = zoo::build("vgg19", "224x224x3".parse().unwrap(), 1000).unwrap();
    model.set_dropout(&[]);
    assert_eq!(model.parameter_count(), 143_667_240);
    let net = Network::new(d, &model, Precision::F32, 1, Purpose::Training).unwrap();
    let init = warp19::train::recipe::Init::He;
    upload_f32(d, net.weights, &warp19::train::init::weights(&model, init, 3)).unwrap();
    upload_f32(d, net.input, &noise(5, 224 * 224 * 3)).unwrap();
    d.upload(net.labels, bytemuck::bytes_of(&77u32)).unwrap();
    let stats = d.alloc(DType::F64, 4).unwrap();
    d.zero(stats).unwrap();
    run_plan(d, &net.forward(net.weights, Mode::Eval).unwrap()).unwrap();
    let loss = Loss { kind: LossKind::Mean, rows: 1, classes: 1000, gradient: true };
    run(d, Kind::Loss(loss), &[net.logits, net.labels, stats, net.dlogits]);
    let mut sums = [0.0f64; 4];
    d.download(stats, bytemuck::cast_slice_mut(&mut sums)).unwrap();
    assert!(sums[0] > 0.0 && sums[0].is_finite() && sums[3] == 0.0, "{sums:?}");
    run_plan(d, &net.backward(0).unwrap()).unwrap();
    let g = download_f32(d, net.gradients.unwrap()).unwrap();
    for p in &net.parameters {
        let g = &g[p.offset..p.offset + p.len];
        assert!(g.iter().all(|v| v.is_finite()), "{}", p.name);
        assert!(g.iter().any(|&v| v != 0.0), "{}", p.name);
    }
}
