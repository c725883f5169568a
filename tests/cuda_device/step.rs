//! Whole training steps on softgpu against the CPU backend: loss, every gradient, every weight.

use crate::{no_findings, softgpu};
use std::time::Instant;
use warp19::conformance;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, Precision, StepState, View, download_f32, run_plan, upload_f32};
use warp19::model::{Model, Shape, zoo};
use warp19::network::{Mode, Network, Purpose};
use warp19::ops::batch::{Augment, Gather};
use warp19::ops::loss::{Loss, LossKind};
use warp19::ops::operation::{Kind, Operation, Planned};
use warp19::ops::optimizer::{self, Adam, AdamParams, Arenas, Epsilon};
use warp19::ops::scaling::{self, Scaling};
use warp19::train::init;
use warp19::train::recipe::Init;

const SEED: u64 = 11;
const LR: f32 = 3e-4;
const DECAY: f32 = 0.9;
const ADAM: AdamParams = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };

/// A network with all it needs to train, on one device.
pub struct Training {
    pub network: Network,
    pub arenas: Arenas,
    pixels: View,
    labels: View,
    stats: View,
    gather: Gather,
}

impl Training {
    pub fn new(d: &mut dyn Device, model: &Model, precision: Precision, batch: usize) -> Training {
        let network = Network::new(d, model, precision, batch, Purpose::Training).unwrap();
        let weights = init::weights(model, Init::He, SEED);
        upload_f32(d, network.weights, &weights).unwrap();
        let mut arena = || {
            let view = d.alloc(DType::F32, weights.len()).unwrap();
            d.zero(view).unwrap();
            view
        };
        let (moment1, moment2, ema) = (arena(), arena(), arena());
        let scaling = precision.scales_gradients().then(|| {
            let view = d.alloc(DType::F32, scaling::STATE).unwrap();
            upload_f32(d, view, &scaling::START).unwrap();
            view
        });
        run_plan(d, &network.prepare(network.weights).unwrap()).unwrap();
        d.copy(network.weights, ema).unwrap();
        let (images, labels) = crate::common::synthetic::split(64, 3);
        let labels: Vec<u32> = labels.iter().map(|l| l % model.classes as u32).collect();
        let mut put = |dtype: DType, data: &[u8]| {
            let view = d.alloc(dtype, data.len() / dtype.size()).unwrap();
            d.upload(view, data).unwrap();
            view
        };
        let (pixels, labels) = (put(DType::U8, &images.all().unwrap()), put(DType::U32, bytemuck::cast_slice(&labels)));
        let stats = d.alloc(DType::F64, 4).unwrap();
        d.zero(stats).unwrap();
        let augment = Augment { degrees: 12.0, scale: 0.1, shear: 0.15, shift: 2.0, elastic: 1.5, spacing: 7 };
        Training {
            arenas: Arenas {
                weights: network.weights,
                gradients: network.gradients.unwrap(),
                moment1,
                moment2: Some(moment2),
                ema: Some(ema),
                copy: network.copy,
                scaling,
            },
            pixels,
            labels,
            stats,
            gather: Gather {
                images: 64,
                n: batch,
                h: 28,
                w: 28,
                c: 1,
                mean: 0.1307.into(),
                std: 0.3081.into(),
                seed: SEED,
                augment: Some(augment),
            },
            network,
        }
    }

    fn plan(&self) -> Vec<Planned> {
        let n = &self.network;
        let planned =
            |phase, kind, views: &[View]| Planned::new(phase, "", Operation::new(kind, n.precision, views).unwrap());
        let views = [self.pixels, self.labels, n.input, n.labels];
        let mut plan = vec![planned("batch", Kind::Gather(self.gather), &views)];
        plan.extend(n.forward(n.weights, Mode::Train { seed: SEED }).unwrap());
        let loss = Loss { kind: LossKind::Mean, rows: n.batch, classes: n.model.classes, gradient: true };
        let mut views = vec![n.logits, n.labels, self.stats, n.dlogits];
        views.extend(self.arenas.scaling);
        plan.push(planned("loss", Kind::Loss(loss), &views));
        plan.extend(n.backward(SEED).unwrap());
        if let Some(state) = self.arenas.scaling {
            let scaling = Kind::Scaling(Scaling { len: n.weights.len });
            plan.push(planned("optimizer", scaling, &[self.arenas.gradients, state]));
        }
        let adam = Adam { params: ADAM, len: n.weights.len, average: true };
        plan.push(planned("optimizer", Kind::Adam(adam), &self.arenas.views()));
        plan
    }

    pub fn step(&self, d: &mut dyn Device, step: u64) {
        let samples: Vec<u32> = (0..self.gather.n as u32).map(|i| (i * 5 + step as u32) % 64).collect();
        d.set_step(StepState { step, lr: LR, ema_decay: DECAY, samples: &samples }).unwrap();
        d.record("step", &self.plan()).unwrap();
        d.synchronize().unwrap();
    }

    pub fn stats(&self, d: &mut dyn Device) -> [f64; 4] {
        let mut stats = [0.0; 4];
        d.download(self.stats, bytemuck::cast_slice_mut(&mut stats)).unwrap();
        stats
    }
}

/// What `warp19 profile` does on a GPU: events around every operation.
#[test]
fn every_operation_of_a_step_is_timed() {
    let (_alone, mut d) = softgpu("none", "0");
    let model = zoo::build("deep-mnist", Shape { h: 28, w: 28, c: 1 }, 10).unwrap();
    let training = Training::new(&mut d, &model, Precision::F32, 2);
    training.step(&mut d, 0);
    let plan = training.plan();
    let start = Instant::now();
    let seconds = d.seconds_of_each(&plan).unwrap();
    let all = start.elapsed().as_secs_f64();
    assert_eq!(seconds.len(), plan.len());
    assert!(seconds.iter().all(|&s| s > 0.0), "{seconds:?}");
    // softgpu runs a launch before the host goes on, so that the host's clock holds them all.
    let sum: f64 = seconds.iter().sum();
    assert!(sum <= all && sum >= 0.2 * all, "{sum} of {all}");
}

/// Each parameter's values against the other device's: the share of `sum (a - b)^2` in `sum b^2`.
pub fn nmse_by_parameter(network: &Network, a: &[f32], b: &[f32]) -> Vec<(String, f64)> {
    let one = |p: &warp19::model::Parameter| {
        let (a, b) = (&a[p.offset..p.offset + p.len], &b[p.offset..p.offset + p.len]);
        let error: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let power: f64 = b.iter().map(|b| f64::from(*b).powi(2)).sum();
        (p.name.clone(), error / power.max(1e-30))
    };
    network.parameters.iter().map(one).collect()
}

#[test]
fn a_vgg19_step_equals_the_cpus() {
    let model = zoo::build("vgg19", Shape { h: 28, w: 28, c: 1 }, 10).unwrap();
    let mut cpu = CpuDevice::new(None).unwrap();
    let on_cpu = Training::new(&mut cpu, &model, Precision::F32, 4);
    on_cpu.step(&mut cpu, 0);

    let (_alone, mut gpu) = softgpu("none", "0");
    let on_gpu = Training::new(&mut gpu, &model, Precision::F32, 4);
    let start = Instant::now();
    on_gpu.step(&mut gpu, 0);
    let plain = start.elapsed();

    let (a, b) = (on_gpu.stats(&mut gpu), on_cpu.stats(&mut cpu));
    assert!((a[0] - b[0]).abs() <= 1e-5 * b[0].abs(), "loss {} on softgpu, {} on the CPU", a[0], b[0]);
    assert_eq!(a[1..], b[1..], "correct, examples, non-finite");
    let gradients = |d: &mut dyn Device, t: &Training| download_f32(d, t.arenas.gradients).unwrap();
    let (a, b) = (gradients(&mut gpu, &on_gpu), gradients(&mut cpu, &on_cpu));
    for (name, nmse) in nmse_by_parameter(&on_gpu.network, &a, &b) {
        assert!(nmse <= 1e-7, "gradient of {name}: NMSE {nmse:.1e}");
    }
    // Adam's first step is about lr times the gradient's sign, so that two gradients that agree may give weights that
    // do not where they are about zero. Each device's weights must be what the reference makes of its own gradient.
    let initial = init::weights(&model, Init::He, SEED);
    for (name, d, t) in [("softgpu", &mut gpu as &mut dyn Device, &on_gpu), ("cpu", &mut cpu, &on_cpu)] {
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let (mut w, g) = (wide(&initial), wide(&gradients(d, t)));
        let (mut m, mut v) = (vec![0.0; w.len()], vec![0.0; w.len()]);
        optimizer::adam(&ADAM, 0, f64::from(LR), &mut w, &g, &mut m, &mut v);
        let mut average = wide(&initial);
        optimizer::ema(f64::from(DECAY), &mut average, &w);
        for (what, view, want) in [("weights", t.arenas.weights, &w), ("average", t.arenas.ema.unwrap(), &average)] {
            let comparison = conformance::compare(what, name, &download_f32(d, view).unwrap(), want);
            assert!(comparison.failure.is_none(), "{comparison:?}");
        }
    }

    let launches = gpu.launches_of("step").unwrap();
    println!("VGG19 step at batch 4 on softgpu: {:.1} s without checks, {launches} launches", plain.as_secs_f64());
    assert!(launches <= 110, "{launches} launches in a step");
    assert!(plain.as_secs() < 60, "{plain:?}");
}

/// A step recorded and replayed with all checks finds nothing.
fn a_step_has_no_findings(model: &str) {
    let model = zoo::build(model, Shape { h: 28, w: 28, c: 1 }, 10).unwrap();
    let (_alone, mut d) = softgpu("all", "0");
    let training = Training::new(&mut d, &model, Precision::F32, 4);
    let start = Instant::now();
    for step in 0..2 {
        training.step(&mut d, step);
    }
    println!("{} with all checks: {:.1} s for two steps", model.name, start.elapsed().as_secs_f64());
    no_findings(&d);
}

#[test]
fn a_deep_mnist_step_has_no_findings() {
    a_step_has_no_findings("deep-mnist");
}

#[test]
#[ignore = "a minute, and the conformance suite has its shapes with all checks; scripts/test.sh --all runs it"]
fn a_vgg19_step_has_no_findings() {
    a_step_has_no_findings("vgg19");
}
