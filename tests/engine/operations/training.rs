//! What a step has around its layers: the batch, dropout, the loss, the optimisers.

use super::{compare, output, put, wide};
use crate::common::operation::{cpus, run};
use warp19::conformance::values;
use warp19::device::{DType, Device, StepState, View, download_f32, upload_f32};
use warp19::ops::batch::{self, Augment, Gather};
use warp19::ops::dropout::{self, Dropout};
use warp19::ops::loss::{self, Loss, LossKind, Softmax};
use warp19::ops::operation::Kind;
use warp19::ops::optimizer::{self, Adam, AdamParams, Arenas, Epsilon, Sgd, SgdParams};

#[test]
fn batches_are_gathered_and_deformed_as_the_reference_does() {
    let augment = Augment { degrees: 12.0, scale: 0.1, shear: 0.15, shift: 2.0, elastic: 2.0, spacing: 7 };
    let plain = Augment { elastic: 0.0, ..augment };
    for (h, w, c, augment) in
        [(28, 28, 1, None), (28, 28, 1, Some(plain)), (28, 28, 1, Some(augment)), (9, 13, 3, Some(augment))]
    {
        for d in &mut cpus() {
            let (images, n) = (20, 6);
            // A smooth picture: where a source coordinate lies on a pixel, rounding may choose either neighbour, and
            // bilinear interpolation is continuous there.
            let pixels: Vec<u8> =
                (0..images * h * w * c).map(|i| (127.0 + 120.0 * (i as f64 * 0.013).sin()) as u8).collect();
            let labels: Vec<u32> = (0..images as u32).map(|i| 1000 * i).collect();
            let samples = [3u32, 0, 19, 3, 7, 11];
            let g = Gather { images, n, h, w, c, mean: 0.13.into(), std: 0.3.into(), seed: 5, augment };
            let (vp, vl) = (d.alloc(DType::U8, pixels.len()).unwrap(), d.alloc(DType::U32, images).unwrap());
            let vo = d.alloc(DType::U32, n).unwrap();
            d.upload(vp, &pixels).unwrap();
            d.upload(vl, bytemuck::cast_slice(&labels)).unwrap();
            d.set_step(StepState { step: 77, lr: 0.0, ema_decay: 0.0, samples: &samples }).unwrap();
            let x = output(d, n * h * w * c);
            run(d, Kind::Gather(g), &[vp, vl, x.1, vo]);
            let want = batch::gather(&g, 77, &pixels, &samples);
            let all = download_f32(d, x.0).unwrap();
            for (i, (got, want)) in all[16..].iter().zip(&want).enumerate() {
                // A float32 coordinate near 28 is off by up to 4e-6 pixels, and a pixel's slope is up to 3.3 a pixel.
                assert!((f64::from(*got) - want).abs() <= 5e-5, "{g:?} {i}: {got} {want}");
            }
            let mut got = vec![0u32; n];
            d.download(vo, bytemuck::cast_slice_mut(&mut got)).unwrap();
            assert_eq!(got, samples.map(|i| 1000 * i));
        }
    }
}

#[test]
fn dropout_draws_the_reference_mask() {
    for len in [1, 5, 4096 * 17 + 3] {
        for d in &mut cpus() {
            let spec = Dropout { seed: 11, layer: 2, p: 0.3, len };
            d.set_step(StepState { step: (1 << 33) + 5, lr: 0.0, ema_decay: 0.0, samples: &[] }).unwrap();
            let x = values(1, len, 1.0);
            let view = put(d, &x);
            run(d, Kind::Dropout(spec), &[view]);
            let mut want = wide(&x);
            dropout::apply(&spec, (1 << 33) + 5, &mut want);
            let got = download_f32(d, view).unwrap();
            for (g, w) in got.iter().zip(&want) {
                assert!((f64::from(*g) - w).abs() <= 1e-6, "{g} {w}");
            }
            if len > 1000 {
                let kept = got.iter().filter(|v| **v != 0.0).count() as f64 / len as f64;
                assert!((kept - 0.7).abs() < 0.01, "{kept}");
            }
        }
    }
}

#[test]
fn loss_and_softmax() {
    for (kind, classes, n) in
        [(LossKind::Mean, 10, 64), (LossKind::Mean, 1, 3), (LossKind::Mean, 1000, 2), (LossKind::SummedClipped, 10, 7)]
    {
        for d in &mut cpus() {
            let mut z = values(1, n * classes, 5.0);
            z[0] = 80.0; // beyond the clip's 1e-20 for any other class
            let labels: Vec<u32> = (0..n).map(|i| ((i * 707 + 301) % classes) as u32).collect();
            let vz = put(d, &z);
            let vl = d.alloc(DType::U32, n).unwrap();
            d.upload(vl, bytemuck::cast_slice(&labels)).unwrap();
            let stats = d.alloc(DType::F64, 4).unwrap();
            d.zero(stats).unwrap();
            let dz = output(d, z.len());
            for _ in 0..2 {
                run(d, Kind::Loss(Loss { kind, rows: n, classes, gradient: true }), &[vz, vl, stats, dz.1]);
            }
            let (sum, correct, want) = loss::forward_backward(kind, classes, &wide(&z), &labels);
            compare(d, dz, &want, "dlogits");
            let mut got = [0.0f64; 4];
            d.download(stats, bytemuck::cast_slice_mut(&mut got)).unwrap();
            assert!((got[0] - 2.0 * sum).abs() <= 1e-5 * sum.abs().max(1.0), "{got:?} {sum}");
            assert_eq!(got[1..], [2.0 * correct as f64, 2.0 * n as f64, 0.0]);
            let p = output(d, z.len());
            run(d, Kind::Softmax(Softmax { rows: n, classes }), &[vz, p.1]);
            let want: Vec<f64> = wide(&z).chunks(classes).flat_map(loss::softmax).collect();
            compare(d, p, &want, "softmax");
        }
    }
}

#[test]
fn a_nan_logit_is_counted() {
    for d in &mut cpus() {
        let mut z = values(1, 20, 1.0);
        z[13] = f32::NAN;
        let (vz, vl) = (put(d, &z), d.alloc(DType::U32, 2).unwrap());
        d.upload(vl, bytemuck::cast_slice(&[0u32, 1])).unwrap();
        let stats = d.alloc(DType::F64, 4).unwrap();
        d.zero(stats).unwrap();
        let loss = Loss { kind: LossKind::Mean, rows: 2, classes: 10, gradient: false };
        run(d, Kind::Loss(loss), &[vz, vl, stats]);
        let mut got = [0.0f64; 4];
        d.download(stats, bytemuck::cast_slice_mut(&mut got)).unwrap();
        assert_eq!(got[3], 1.0);
    }
}

#[test]
fn optimisers_follow_the_reference_for_several_steps() {
    let len = 40_003;
    for kind in [Some(Epsilon::Outer), Some(Epsilon::Hat), None] {
        for d in &mut cpus() {
            let w = values(1, len, 1.0);
            let views: Vec<View> = (0..5).map(|_| put(d, &w)).collect();
            for &moment in &views[2..4] {
                d.zero(moment).unwrap();
            }
            let arenas = Arenas {
                weights: views[0],
                gradients: views[1],
                moment1: views[2],
                moment2: kind.map(|_| views[3]),
                ema: Some(views[4]),
                copy: None,
                scaling: None,
            };
            let (mut w64, mut m, mut v) = (wide(&w), vec![0.0; len], vec![0.0; len]);
            let mut ema64 = w64.clone();
            let decayed = [(10, 1000), (20_000, 3)];
            for step in 0..3 {
                let g = values(10 + step, len, 1.0);
                upload_f32(d, views[1], &g).unwrap();
                d.set_step(StepState { step, lr: 0.01, ema_decay: 0.9, samples: &[] }).unwrap();
                let (lr, decay) = (f64::from(0.01f32), f64::from(0.9f32));
                match kind {
                    Some(epsilon_kind) => {
                        let p = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind };
                        run(d, Kind::Adam(Adam { params: p, len, average: true }), &arenas.views());
                        optimizer::adam(&p, step, lr, &mut w64, &wide(&g), &mut m, &mut v);
                    }
                    None => {
                        let p = SgdParams { momentum: 0.9, l2: 5e-2 };
                        let kind = Kind::Sgd(Sgd { params: p, decayed: decayed.to_vec(), len, average: true });
                        run(d, kind, &arenas.views());
                        optimizer::sgd(&p, &decayed, lr, &mut w64, &wide(&g), &mut m);
                    }
                }
                optimizer::ema(decay, &mut ema64, &w64);
            }
            for (view, want) in [(views[0], &w64), (views[2], &m), (views[4], &ema64)] {
                for (g, w) in download_f32(d, view).unwrap().iter().zip(want) {
                    let bound = f64::max(1e-5, 1e-4 * w.abs());
                    assert!((f64::from(*g) - w).abs() <= bound, "{kind:?}: {g} {w}");
                }
            }
        }
    }
}
