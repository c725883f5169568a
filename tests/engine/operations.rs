//! The CPU backend against the f64 references: every operation, VGG19's layer shapes at a small batch, and odd ones.

mod layers;
mod references;
mod training;

use crate::common::operation::{self, cpus};
use warp19::conformance::{self, cases};
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, Precision, View, download_f32, upload_f32};
use warp19::model::zoo;
use warp19::network::{Mode, Network, Purpose};
use warp19::ops::conv::ConvShape;
use warp19::ops::layer::Pass;
use warp19::ops::loss::{Loss, LossKind};
use warp19::ops::operation::{Kind, Planned};
use warp19::ops::pool::{Pool, PoolShape};

fn wide(v: &[f32]) -> Vec<f64> {
    v.iter().map(|&v| f64::from(v)).collect()
}

fn put(d: &mut CpuDevice, v: &[f32]) -> View {
    let view = d.alloc(DType::F32, v.len()).unwrap();
    upload_f32(d, view, v).unwrap();
    view
}

/// Memory filled with NaN, with a guard region on both sides that must stay NaN.
fn output(d: &mut CpuDevice, len: usize) -> (View, View) {
    let whole = put(d, &vec![f32::NAN; len + 32]);
    (whole, whole.slice(16, len))
}

/// Within the bounds of the conformance suite, and the guards untouched.
fn compare(d: &mut CpuDevice, (whole, view): (View, View), expected: &[f64], what: &str) {
    let all = download_f32(d, whole).unwrap();
    assert!(all[..16].iter().chain(&all[16 + view.len..]).all(|v| v.is_nan()), "{what}: wrote outside its output");
    let compared = conformance::compare(what, "", &all[16..16 + view.len], expected);
    assert!(compared.failure.is_none(), "{what}: {compared:?}");
}

#[test]
fn wrong_sizes_and_overlaps_are_errors() {
    let d = &mut CpuDevice::new(None).unwrap();
    let s = ConvShape { n: 1, h: 4, w: 4, c: 2, k: 3, kernel: 3 };
    let (x, w) = (put(d, &vec![0.0; s.x_len()]), put(d, &vec![0.0; s.w_len()]));
    let (b, y) = (put(d, &[0.0; 3]), put(d, &vec![0.0; s.y_len() + 1]));
    let forward = operation::conv(&s, Pass::Forward { relu: true });
    let error = operation::try_run(d, forward, &[x, w, b, y]).unwrap_err().to_string();
    assert!(error.contains("conv_forward: y") && error.contains("48"), "{error}");
    let pool = || Kind::Pool(Pool { shape: PoolShape { n: 1, h: 2, w: 2, c: 3 }, backward: false });
    let positions = d.alloc(DType::U8, 3).unwrap();
    // Bytes are compared: a view of another type is no way around the check.
    let inside = View { dtype: DType::U8, offset: 80, len: 3, ..x };
    let error = operation::try_run(d, pool(), &[x.slice(0, 12), x.slice(20, 3), inside]).unwrap_err();
    assert!(error.to_string().contains("y overlaps argmax"), "{error}");
    let beyond = View { offset: usize::MAX - 2, len: 12, ..x };
    let error = operation::try_run(d, pool(), &[beyond, x.slice(20, 3), positions]).unwrap_err();
    assert!(error.to_string().contains("no memory behind"), "{error}");
    let error = operation::try_run(d, pool(), &[x.slice(0, 12), x.slice(20, 3)]).unwrap_err();
    assert!(error.to_string().contains("2 views for 3 operands"), "{error}");
    let both = put(d, &[0.0; 100]);
    let error = d.copy(both.slice(0, 60), both.slice(40, 60)).unwrap_err();
    assert!(error.to_string().contains("overlaps"), "{error}");
    let labels = d.alloc(DType::U32, 1).unwrap();
    d.upload(labels, bytemuck::bytes_of(&12u32)).unwrap();
    let (z, stats) = (put(d, &[0.0; 10]), d.alloc(DType::F64, 4).unwrap());
    let loss = Kind::Loss(Loss { kind: LossKind::Mean, rows: 1, classes: 10, gradient: false });
    let error = operation::try_run(d, loss, &[z, labels, stats]).unwrap_err();
    assert!(error.to_string().contains("label 12"), "{error}");
}

/// What a step computes can be looked at without running it: every operation with its phase, layer and work.
#[test]
fn a_plan_says_what_it_computes() {
    let d = &mut CpuDevice::new(None).unwrap();
    let model = zoo::build("deep-mnist", "28x28x1".parse().unwrap(), 10).unwrap();
    let net = Network::new(d, &model, Precision::F32, 2, Purpose::Training).unwrap();
    let forward = net.forward(net.weights, Mode::Eval).unwrap();
    let backward = net.backward(1).unwrap();
    let first = "conv1 conv_forward ConvShape { n: 2, h: 28, w: 28, c: 1, k: 32, kernel: 5 }";
    assert_eq!(forward[0].to_string(), format!("forward {first}"));
    let last = first.replace("forward", "backward_weight");
    assert_eq!(backward.last().unwrap().to_string(), format!("backward {last}"));
    let flops = |plan: &[Planned]| plan.iter().map(|p| p.operation.description().flops).sum::<u64>();
    // Twice the forward pass, but for the first layer, whose input needs no gradient.
    assert_eq!(flops(&backward), 2 * flops(&forward) - flops(&forward[..1]));
    let written =
        |p: &Planned| p.operation.operands().filter(|(o, _)| o.is_written()).map(|(_, v)| v).collect::<Vec<_>>();
    assert_eq!(written(forward.last().unwrap()), [net.logits]);
}

/// The conformance suite in a precision, with every instruction set.
fn conforms(precision: Precision) {
    let (mut cpus, names) = (cpus(), cpus().iter().map(Device::describe).collect::<Vec<_>>());
    let mut devices: Vec<&mut dyn Device> = cpus.iter_mut().map(|d| d as &mut dyn Device).collect();
    for case in cases::all(precision) {
        let results = conformance::run(&mut devices, &case, precision).unwrap();
        for (results, name) in results.chunks(results.len() / names.len()).zip(&names) {
            for result in results {
                assert!(result.failure.is_none(), "{name} in {precision}: {result:?}");
            }
        }
    }
}

#[test]
fn conformance_in_f32() {
    conforms(Precision::F32);
}

#[test]
fn conformance_in_bf16() {
    conforms(Precision::Bf16);
}

#[test]
fn conformance_in_f16() {
    conforms(Precision::F16);
}
