//! The CPU backend against the f64 references: every operation, VGG19's layer shapes at a small batch, and odd ones.

mod layers;
#[path = "../common/operation.rs"]
mod operation;
mod references;
mod training;

use warp19::conformance;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, View, download_f32, upload_f32};
use warp19::ops::conv::ConvShape;
use warp19::ops::layer::Pass;
use warp19::ops::loss::{Loss, LossKind};
use warp19::ops::operation::Kind;

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
    let both = put(d, &[0.0; 100]);
    let error = d.copy(both.slice(0, 60), both.slice(40, 60)).unwrap_err();
    assert!(error.to_string().contains("overlaps"), "{error}");
    let labels = d.alloc(DType::U8, 1).unwrap();
    d.upload(labels, &[12]).unwrap();
    let (z, stats) = (put(d, &[0.0; 10]), d.alloc(DType::F64, 4).unwrap());
    let loss = Kind::Loss(Loss { kind: LossKind::Mean, rows: 1, classes: 10, gradient: false });
    let error = operation::try_run(d, loss, &[z, labels, stats]).unwrap_err();
    assert!(error.to_string().contains("label 12"), "{error}");
}
