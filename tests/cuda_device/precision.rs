//! Precisions of 16 bits: the operations around the products against their references, and the scale of the gradients.

use crate::step::{Training, nmse_by_parameter};
use crate::{no_findings, softgpu};
use std::f64::consts::PI;
use warp19::conformance::{self, cases, full, values};
use warp19::cpu::CpuDevice;
use warp19::cuda::CudaDevice;
use warp19::device::{DType, Device, Owner, Precision, StepState, View, download_f32, upload_f32};
use warp19::model::{Layer, Shape, zoo};
use warp19::network::Network;
use warp19::ops::conv::ConvShape;
use warp19::ops::layer::{LayerPass, LayerShape, Pass};
use warp19::ops::linear::LinearShape;
use warp19::ops::operation::{Kind, Operation, Planned};
use warp19::ops::optimizer::{Sgd, SgdParams};
use warp19::ops::scaling::{self, GROWTH, INVERSE, LARGEST, START, STATE, Scaling};

/// All cases of a precision that `chosen` takes agree with the reference.
fn conforms(d: &mut CudaDevice, precision: Precision, chosen: &dyn Fn(&conformance::Case) -> bool) {
    let cases: Vec<_> = cases::all(precision).into_iter().filter(chosen).collect();
    assert!(!cases.is_empty());
    for case in cases {
        for result in conformance::run(&mut [d], &case, precision).unwrap() {
            assert!(result.failure.is_none(), "{precision}: {result:?}");
        }
    }
}

#[test]
fn what_is_stored_in_16_bits_agrees_with_the_references() {
    let (_alone, mut d) = softgpu("all", "0");
    for precision in [Precision::Bf16, Precision::F16] {
        conforms(&mut d, precision, &|case| !["conv", "linear"].contains(&case.group()));
    }
    no_findings(&d);
}

/// Layers of every precision against the naive kernels of that precision, on the device.
#[test]
fn layers_of_every_precision_agree_with_the_naive_kernels() {
    let (_alone, mut d) = softgpu("all", "0");
    let convolution = |n, size, c, k, kernel| LayerShape::Conv(ConvShape { n, h: size, w: size, c, k, kernel });
    let linear = LayerShape::Linear(LinearShape { n: 64, inputs: 96, outputs: 40 });
    let passes = [Pass::Forward { relu: true }, Pass::BackwardData { masked: true }, Pass::BackwardWeight];
    for precision in Precision::ALL {
        for shape in [convolution(2, 28, 1, 64, 3), convolution(3, 7, 24, 40, 3), convolution(2, 5, 7, 10, 5), linear] {
            for pass in passes {
                let kind = Kind::Layer(LayerPass { shape, pass });
                for found in full::against_naive(&mut d, &kind, precision).unwrap() {
                    assert!(found.failure.is_none(), "{precision}: {found:?}");
                }
            }
        }
    }
    no_findings(&d);
}

/// One step of f16's optimisers in a recorded plan, with gradients that are finite or not: what the CPU makes of it, and
/// nothing but the scale where a step is left out.
#[test]
fn an_overflow_leaves_the_step_out_and_halves_the_scale() {
    let (_alone, mut d) = softgpu("all", "0");
    let len = 100_032;
    let bad = |at: usize, value: f32| move |g: &mut Vec<f32>| g[at] = value;
    let (nan, infinity) = (f32::NAN, f32::INFINITY);
    let spoil: [Box<dyn Fn(&mut Vec<f32>)>; 5] = [
        Box::new(|_| ()),
        Box::new(bad(0, infinity)),
        Box::new(bad(len - 1, nan)),
        Box::new(bad(len / 2, -infinity)),
        Box::new(bad(7, f32::MAX)),
    ];
    let states = [START, [1.0, 1.0, 3.0, 9.0], [8.0, 0.0, GROWTH - 1.0, 2.0], [LARGEST, 0.0, GROWTH - 1.0, 0.0]];
    for (spoil, state) in spoil.iter().flat_map(|s| states.map(|state| (s, state))) {
        let mut gradients = values(1, len, 1000.0);
        spoil(&mut gradients);
        let mut cpu = CpuDevice::new(None).unwrap();
        let (on_gpu, on_cpu) = (scaled_step(&mut d, &gradients, state), scaled_step(&mut cpu, &gradients, state));
        let next = scaling::next(state, gradients.iter().all(|g| g.is_finite()));
        assert_eq!((on_gpu.state, on_cpu.state), (next, next));
        for (i, (got, want)) in on_gpu.arenas.iter().zip(&on_cpu.arenas).enumerate() {
            if next[INVERSE] == 0.0 {
                assert!(got == &values(2 + i as u64, len, 1.0), "arena {i} changed");
            } else {
                let want: Vec<f64> = want.iter().map(|&w| f64::from(w)).collect();
                let found = conformance::compare("an arena", &i.to_string(), got, &want);
                assert!(found.failure.is_none(), "{found:?}");
            }
        }
    }
    no_findings(&d);
}

/// The state of the scale and the arenas after a step of SGD.
struct Stepped {
    state: [f32; STATE],
    arenas: Vec<Vec<f32>>,
}

fn scaled_step(d: &mut dyn Device, gradients: &[f32], state: [f32; STATE]) -> Stepped {
    let (owner, len) = (Owner::new(), gradients.len());
    let mut put = |v: &[f32]| {
        let view = d.alloc_for(&owner, DType::F32, v.len()).unwrap();
        upload_f32(d, view, v).unwrap();
        view
    };
    let (gradients, scaling) = (put(gradients), put(&state));
    let arenas = [2, 3, 4].map(|seed| put(&values(seed, len, 1.0)));
    let copy = d.alloc_for(&owner, DType::F16, len).unwrap();
    let params = SgdParams { momentum: 0.9, l2: 0.0 };
    let sgd = Kind::Sgd(Sgd { params, decayed: vec![], len, average: true });
    let views = [&[gradients][..], &arenas, &[copy, scaling]].concat();
    let planned = |kind, views: &[View]| Planned::new("", "", Operation::new(kind, Precision::F16, views).unwrap());
    let plan = [planned(Kind::Scaling(Scaling { len }), &[gradients, scaling]), planned(sgd, &views)];
    d.set_step(StepState { step: 1, lr: 0.01, ema_decay: 0.9, samples: &[] }).unwrap();
    d.record("scaled step", &plan).unwrap();
    let state = download_f32(d, scaling).unwrap().try_into().unwrap();
    Stepped { state, arenas: arenas.map(|view| download_f32(d, view).unwrap()).to_vec() }
}

/// What rounding to 16 bits makes of a network: the expected NMSE of each layer's output and of each weight gradient,
/// against the same in float32.
///
/// A number that is stored carries an error of variance `u^2 / 3` of its square, evenly spread within half a unit in the
/// last place; u is [`DType::unit`]. With weights drawn by He's rule a layer passes relative errors on as it does the
/// signal, and adds those of its weights and of storing its output: `E[l] = E[l-1] + 2 u^2 / 3`.
///
/// Backward, dy gains the same two in each layer. More comes from masks: where the pre-activation is about normal, an
/// error of relative size e turns the sign of a share `e / pi` of them, of which as many were on as off; half of all
/// gradients pass, so that `2 e / pi` of their power is wrong. A pool sends the gradient elsewhere where the largest two
/// of its four change places: the density of their distance at 0 is 1.03 for independent normal numbers, and the error
/// of the distance `sqrt 2 e`, which makes `2 * 1.03 e / sqrt pi = 1.16 e`.
fn expected(network: &Network, u: f64) -> Vec<(String, f64)> {
    let stored = u * u / 3.0;
    let mut forward = vec![stored];
    for (_, layer) in &network.model.layers {
        let last = *forward.last().unwrap();
        forward.push(if matches!(layer, Layer::Conv { .. } | Layer::Linear { .. }) {
            last + 2.0 * stored
        } else {
            last
        });
    }
    let (mut out, mut backward) = (Vec::new(), stored);
    for (i, (name, layer)) in network.model.layers.iter().enumerate().rev() {
        let error = forward[i + 1].sqrt();
        match layer {
            Layer::Conv { .. } | Layer::Linear { .. } => {
                if !matches!(layer, Layer::Linear { relu: false, .. }) {
                    backward += 2.0 * error / PI;
                }
                out.push((name.clone(), backward + forward[i]));
                backward += 2.0 * stored;
            }
            Layer::Pool => backward += 2.0 * 1.03 * error / PI.sqrt(),
            Layer::Dropout { .. } => {}
        }
    }
    out
}

#[test]
fn a_vgg19_step_in_16_bits_is_the_cpus() {
    let model = zoo::build("vgg19", Shape { h: 28, w: 28, c: 1 }, 10).unwrap();
    let mut cpu = CpuDevice::new(None).unwrap();
    let wide = Training::new(&mut cpu, &model, Precision::F32, 4);
    wide.step(&mut cpu, 0);
    let (_alone, mut gpu) = softgpu("none", "0");
    for precision in [Precision::Bf16, Precision::F16] {
        let narrow = Training::new(&mut cpu, &model, precision, 4);
        narrow.step(&mut cpu, 0);
        let on_gpu = Training::new(&mut gpu, &model, precision, 4);
        on_gpu.step(&mut gpu, 0);
        let loss = |d: &mut dyn Device, t: &Training| t.stats(d)[0];
        println!("{precision} loss {} {} {}", loss(&mut gpu, &on_gpu), loss(&mut cpu, &narrow), loss(&mut cpu, &wide));
        let a = gradients(&mut gpu, &on_gpu);
        let (b, c) = (gradients(&mut cpu, &narrow), gradients(&mut cpu, &wide));
        let want = expected(&wide.network, precision.storage().unit());
        for ((name, narrow), (_, wide_)) in
            nmse_by_parameter(&on_gpu.network, &a, &b).iter().zip(nmse_by_parameter(&on_gpu.network, &a, &c))
        {
            let layer = name.split('.').next().unwrap();
            let e = want.iter().find(|(n, _)| n == layer).map_or(f64::NAN, |(_, e)| *e);
            println!("{precision} {name}: same {narrow:.2e}, f32 {wide_:.2e}, expected {e:.2e}");
        }
    }
}

/// The gradients of a step without their scale.
fn gradients(d: &mut dyn Device, t: &Training) -> Vec<f32> {
    let inverse = t.arenas.scaling.map_or(1.0, |state| download_f32(d, state).unwrap()[INVERSE]);
    download_f32(d, t.arenas.gradients).unwrap().into_iter().map(|g| g * inverse).collect()
}
