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

/// One step of f16's optimiser in a recorded plan, with gradients that are finite or not: what the CPU makes of it, and
/// nothing but the scale where a step is left out.
#[test]
fn an_overflow_leaves_the_step_out_and_halves_the_scale() {
    let (_alone, mut d) = softgpu("all", "0");
    let len = 100_032;
    let spoiled = [(0, 1.0), (0, f32::INFINITY), (len - 1, f32::NAN), (len / 2, f32::NEG_INFINITY), (7, f32::MAX)];
    let states = [START, [1.0, 1.0, 3.0, 9.0], [8.0, 0.0, GROWTH - 1.0, 2.0], [LARGEST, 0.0, GROWTH - 1.0, 0.0]];
    for ((at, value), state) in spoiled.into_iter().flat_map(|s| states.map(|state| (s, state))) {
        let mut gradients = values(1, len, 1000.0);
        gradients[at] = value;
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

/// What a step in 16 bits is compared with.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    Float32,
    /// The same precision, with sums in another order.
    Itself,
}

/// The relative error (NMSE) that rounding to a type with unit `u` makes in a network: of the logits, and of each
/// layer's weight gradient by name.
///
/// `docs/backprop.md` derives it.
fn expected(network: &Network, u: f64, beside: Beside) -> (f64, Vec<(String, f64)>) {
    // Of a sum in float32.
    let sum = f64::from(f32::EPSILON).powi(2);
    let stored = |e: f64| match beside {
        Beside::Float32 => e + 2.0 * u * u / 3.0,
        Beside::Itself => e + f64::min(1.1 * u * (e + sum).sqrt(), 2.0 * u * u / 3.0),
    };
    let weighted = |layer: &Layer| matches!(layer, Layer::Conv { .. } | Layer::Linear { .. });
    let mut forward = vec![if beside == Beside::Itself { 0.0 } else { u * u / 3.0 }];
    for (_, layer) in &network.model.layers {
        let e = *forward.last().unwrap();
        forward.push(if weighted(layer) { stored(e) } else { e });
    }
    let (mut gradients, mut backward) = (Vec::new(), stored(*forward.last().unwrap()));
    for (i, (name, layer)) in network.model.layers.iter().enumerate().rev() {
        let error = forward[i + 1].sqrt();
        if weighted(layer) {
            if !matches!(layer, Layer::Linear { relu: false, .. }) {
                backward += 2.0 * error / PI;
            }
            gradients.push((name.clone(), backward + forward[i]));
            backward = stored(backward);
        } else if matches!(layer, Layer::Pool) {
            backward += 2.0 * 1.03 * error / PI.sqrt();
        }
    }
    (*forward.last().unwrap(), gradients)
}

/// The precision that has the more to do: its gradients are scaled.
#[test]
fn a_vgg19_step_in_f16_is_the_cpus() {
    a_vgg19_step_is_the_cpus(Precision::F16);
}

#[test]
#[ignore = "the same with the other type of 16 bits, a minute; scripts/test.sh --all runs it"]
fn a_vgg19_step_in_bf16_is_the_cpus() {
    a_vgg19_step_is_the_cpus(Precision::Bf16);
}

/// A VGG19 step at batch 4 in 16 bits on softgpu, beside the CPU's in float32 and in the same precision.
fn a_vgg19_step_is_the_cpus(precision: Precision) {
    let model = zoo::build("vgg19", Shape { h: 28, w: 28, c: 1 }, 10).unwrap();
    let mut cpu = CpuDevice::new(None).unwrap();
    let (_alone, mut gpu) = softgpu("none", "0");
    let wide = Training::new(&mut cpu, &model, Precision::F32, 4);
    wide.step(&mut cpu, 0);
    let logits = download_f32(&mut cpu, wide.network.logits).unwrap();
    let length = |row: &[f32]| row.iter().map(|&z| f64::from(z).powi(2)).sum::<f64>().sqrt();
    let lengths: f64 = logits.chunks_exact(10).map(length).sum();
    let on_gpu = Training::new(&mut gpu, &model, precision, 4);
    on_gpu.step(&mut gpu, 0);
    let itself = Training::new(&mut cpu, &model, precision, 4);
    itself.step(&mut cpu, 0);
    let (loss, found) = (on_gpu.stats(&mut gpu), gradients(&mut gpu, &on_gpu));
    assert_eq!(loss[2..], [4.0, 0.0], "examples, non-finite");
    for (beside, other) in [(Beside::Float32, &wide), (Beside::Itself, &itself)] {
        let (of_logits, bounds) = expected(&wide.network, precision.storage().unit(), beside);
        let (want, other) = (other.stats(&mut cpu)[0], gradients(&mut cpu, other));
        // The gradient of a row's loss by its logits is no longer than sqrt 2.
        let bound = (2.0 * of_logits).sqrt() * lengths;
        println!("{precision}: loss {} and {want}, {bound:.3} allowed", loss[0]);
        assert!((loss[0] - want).abs() <= bound, "{precision}: loss {} and {want}, {bound} allowed", loss[0]);
        for (name, nmse) in nmse_by_parameter(&on_gpu.network, &found, &other) {
            let (_, bound) = bounds.iter().find(|(layer, _)| name.split('.').next() == Some(layer)).unwrap();
            println!("{precision} {name}: NMSE {nmse:.1e} of {bound:.1e}");
            assert!(nmse <= *bound, "{precision}: gradient of {name}: NMSE {nmse:.1e}, {bound:.1e} allowed");
        }
    }
}

/// The gradients of a step without their scale.
fn gradients(d: &mut dyn Device, t: &Training) -> Vec<f32> {
    let inverse = t.arenas.scaling.map_or(1.0, |state| download_f32(d, state).unwrap()[INVERSE]);
    download_f32(d, t.arenas.gradients).unwrap().into_iter().map(|g| g * inverse).collect()
}
