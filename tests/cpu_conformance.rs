//! The CPU backend against the f64 references: every operation, VGG19's layer shapes at a small batch, and odd ones.

use warp19::cpu::CpuDevice;
use warp19::device::{Arenas, DType, Device, Dropout, StepState, View, download_f32, upload_f32};
use warp19::ops::batch::{self, Augment, Gather};
use warp19::ops::conv::{self, ConvShape};
use warp19::ops::dropout;
use warp19::ops::linear::{self, LinearShape};
use warp19::ops::loss::{self, LossKind};
use warp19::ops::optimizer::{self, AdamParams, Epsilon, SgdParams};
use warp19::ops::philox::{Purpose, Stream, uniform};
use warp19::ops::pool::{self, PoolShape};

fn values(seed: u64, len: usize, scale: f32) -> Vec<f32> {
    let stream = Stream {
        seed,
        purpose: Purpose::Init,
        step: 0,
    };
    (0..len.div_ceil(4))
        .flat_map(|i| stream.block(i as u32, 0))
        .take(len)
        .map(|w| (2.0 * uniform(w) - 1.0) * scale)
        .collect()
}

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

/// The contract's bound: `|a - b| <= max(1e-5, 1e-4 max(|a|, |b|))` everywhere and NMSE <= 1e-7.
fn compare(d: &mut CpuDevice, (whole, view): (View, View), expected: &[f64], what: &str) {
    let all = download_f32(d, whole).unwrap();
    assert!(
        all[..16]
            .iter()
            .chain(&all[16 + view.len..])
            .all(|v| v.is_nan()),
        "{what}: wrote outside its output"
    );
    let (mut error, mut power) = (0.0, 0.0);
    for (i, (&got, &want)) in all[16..].iter().zip(expected).enumerate() {
        let got = f64::from(got);
        let bound = f64::max(1e-5, 1e-4 * got.abs().max(want.abs()));
        assert!(
            (got - want).abs() <= bound,
            "{what}: element {i} is {got}, not {want}"
        );
        error += (got - want).powi(2);
        power += want * want;
    }
    assert!(error <= 1e-7 * power, "{what}: NMSE {}", error / power);
}

#[test]
fn convolutions() {
    let mut shapes = Vec::new();
    for (size, c, k) in [
        (28, 1, 64),
        (28, 64, 64),
        (14, 64, 128),
        (14, 128, 128),
        (7, 128, 256),
        (7, 256, 256),
        (4, 256, 512),
        (4, 512, 512),
        (2, 512, 512),
    ] {
        shapes.push((2, size, size, c, k, 3));
    }
    shapes.extend([
        (2, 28, 28, 1, 32, 5),
        (2, 14, 14, 32, 64, 5),
        (1, 1, 1, 1, 1, 3),
        (3, 1, 1, 17, 5, 3),
        (1, 1, 1, 30, 70, 5),
        (2, 2, 3, 13, 7, 5),
        (5, 7, 5, 31, 65, 3),
        (2, 9, 11, 19, 67, 3),
        (1, 13, 8, 63, 129, 5),
        (3, 5, 17, 3, 2, 3),
        (67, 3, 3, 8, 33, 3),
    ]);
    for (n, h, w, c, k, kernel) in shapes {
        let s = ConvShape {
            n,
            h,
            w,
            c,
            k,
            kernel,
        };
        let d = &mut CpuDevice::new(None).unwrap();
        let x = values(1, s.x_len(), 1.0);
        let scale = (3.0 / (kernel * kernel * c) as f32).sqrt();
        let weights = values(2, s.w_len(), scale);
        let b = values(3, k, 0.5);
        // Every result is made to be of about unit size: the bound's absolute part has that scale.
        let dy = values(4, s.y_len(), 1.0);
        let (x64, w64, b64, dy64) = (wide(&x), wide(&weights), wide(&b), wide(&dy));
        let (vx, vw, vb, vdy) = (put(d, &x), put(d, &weights), put(d, &b), put(d, &dy));
        for relu in [false, true] {
            let y = output(d, s.y_len());
            d.conv_forward(&s, vx, vw, vb, y.1, relu).unwrap();
            let mut want = conv::forward(&s, &x64, &w64, &b64);
            if relu {
                warp19::ops::relu::forward(&mut want);
            }
            compare(d, y, &want, &format!("{s:?} forward"));
        }
        for mask in [None, Some(vx)] {
            let dx = output(d, s.x_len());
            d.conv_backward_data(&s, vdy, vw, dx.1, mask).unwrap();
            let mut want = conv::backward_data(&s, &dy64, &w64);
            if mask.is_some() {
                warp19::ops::relu::backward(&x64, &mut want);
            }
            compare(d, dx, &want, &format!("{s:?} backward data"));
        }
        let dy = values(4, s.y_len(), (3.0 / (n * h * w) as f32).sqrt());
        let vdy = put(d, &dy);
        let (dw, db) = (output(d, s.w_len()), output(d, k));
        d.conv_backward_weight(&s, vx, vdy, dw.1, db.1).unwrap();
        let (want_w, want_b) = conv::backward_weight(&s, &x64, &wide(&dy));
        compare(d, dw, &want_w, &format!("{s:?} dw"));
        compare(d, db, &want_b, &format!("{s:?} db"));
    }
}

#[test]
fn fully_connected_layers() {
    for (n, inputs, outputs) in [
        (4, 512, 4096),
        (3, 4096, 1000),
        (64, 1000, 10),
        (1, 1, 1),
        (7, 13, 3),
        (65, 97, 129),
        (2, 64, 65),
    ] {
        let s = LinearShape { n, inputs, outputs };
        let d = &mut CpuDevice::new(None).unwrap();
        let x = values(1, n * inputs, 1.0);
        let w = values(2, inputs * outputs, (3.0 / inputs as f32).sqrt());
        let b = values(3, outputs, 0.5);
        let dy = values(4, n * outputs, 1.0);
        let (x64, w64, dy64) = (wide(&x), wide(&w), wide(&dy));
        let (vx, vw, vb, vdy) = (put(d, &x), put(d, &w), put(d, &b), put(d, &dy));
        let y = output(d, n * outputs);
        d.linear_forward(&s, vx, vw, vb, y.1, false).unwrap();
        compare(
            d,
            y,
            &linear::forward(&s, &x64, &w64, &wide(&b)),
            &format!("{s:?} forward"),
        );
        let dx = output(d, n * inputs);
        d.linear_backward_data(&s, vdy, vw, dx.1, Some(vx)).unwrap();
        let mut want = linear::backward_data(&s, &dy64, &w64);
        warp19::ops::relu::backward(&x64, &mut want);
        compare(d, dx, &want, &format!("{s:?} backward data"));
        let (dw, db) = (output(d, inputs * outputs), output(d, outputs));
        d.linear_backward_weight(&s, vx, vdy, dw.1, db.1).unwrap();
        let (want_w, want_b) = linear::backward_weight(&s, &x64, &dy64);
        compare(d, dw, &want_w, &format!("{s:?} dw"));
        compare(d, db, &want_b, &format!("{s:?} db"));
    }
}

#[test]
fn pools() {
    for (n, h, w, c) in [
        (2, 28, 28, 64),
        (2, 7, 7, 256),
        (1, 1, 1, 1),
        (3, 5, 2, 3),
        (1, 1, 9, 17),
    ] {
        let s = PoolShape { n, h, w, c };
        let d = &mut CpuDevice::new(None).unwrap();
        // Few distinct values, so that ties are common.
        let x: Vec<f32> = values(1, s.x_len(), 2.0)
            .iter()
            .map(|v| v.round())
            .collect();
        let dy = values(2, s.y_len(), 1.0);
        let (vx, vdy) = (put(d, &x), put(d, &dy));
        let argmax = d.alloc(DType::U8, s.y_len()).unwrap();
        let y = output(d, s.y_len());
        d.pool_forward(&s, vx, y.1, argmax).unwrap();
        let (want, positions) = pool::forward(&s, &wide(&x));
        compare(d, y, &want, &format!("{s:?} forward"));
        let mut got = vec![0; s.y_len()];
        d.download(argmax, &mut got).unwrap();
        assert_eq!(got, positions, "{s:?}");
        let dx = output(d, s.x_len());
        d.pool_backward(&s, vdy, argmax, dx.1).unwrap();
        compare(
            d,
            dx,
            &pool::backward(&s, &wide(&dy), &positions),
            &format!("{s:?} backward"),
        );
    }
}

/// A gradient against the central difference of a scalar function, `(f(x + h) - f(x - h)) / 2h`, in f64.
fn finite_differences(x: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> f64, what: &str) {
    let h = 1e-5;
    for i in 0..x.len() {
        let (mut up, mut down) = (x.to_vec(), x.to_vec());
        up[i] += h;
        down[i] -= h;
        let slope = (f(&up) - f(&down)) / (2.0 * h);
        let bound = 1e-7 * (1.0 + slope.abs());
        assert!(
            (slope - gradient[i]).abs() <= bound,
            "{what} {i}: {} against {slope}",
            gradient[i]
        );
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn reference_gradients_match_finite_differences() {
    let s = ConvShape {
        n: 2,
        h: 4,
        w: 3,
        c: 3,
        k: 2,
        kernel: 3,
    };
    let (x, w) = (
        wide(&values(1, s.x_len(), 1.0)),
        wide(&values(2, s.w_len(), 1.0)),
    );
    let (b, r) = (wide(&values(3, s.k, 1.0)), wide(&values(4, s.y_len(), 1.0)));
    let (dw, db) = conv::backward_weight(&s, &x, &r);
    let dx = conv::backward_data(&s, &r, &w);
    finite_differences(
        &x,
        &dx,
        |x| dot(&conv::forward(&s, x, &w, &b), &r),
        "conv dx",
    );
    finite_differences(
        &w,
        &dw,
        |w| dot(&conv::forward(&s, &x, w, &b), &r),
        "conv dw",
    );
    finite_differences(
        &b,
        &db,
        |b| dot(&conv::forward(&s, &x, &w, b), &r),
        "conv db",
    );

    let s = LinearShape {
        n: 3,
        inputs: 5,
        outputs: 4,
    };
    let (x, w) = (wide(&values(1, 15, 1.0)), wide(&values(2, 20, 1.0)));
    let (b, r) = (wide(&values(3, 4, 1.0)), wide(&values(4, 12, 1.0)));
    let (dw, db) = linear::backward_weight(&s, &x, &r);
    let dx = linear::backward_data(&s, &r, &w);
    finite_differences(
        &x,
        &dx,
        |x| dot(&linear::forward(&s, x, &w, &b), &r),
        "linear dx",
    );
    finite_differences(
        &w,
        &dw,
        |w| dot(&linear::forward(&s, &x, w, &b), &r),
        "linear dw",
    );
    finite_differences(
        &b,
        &db,
        |b| dot(&linear::forward(&s, &x, &w, b), &r),
        "linear db",
    );

    // Random reals have no ties, and 1e-5 does not change which of them is the largest.
    let s = PoolShape {
        n: 1,
        h: 5,
        w: 4,
        c: 3,
    };
    let (x, r) = (
        wide(&values(5, s.x_len(), 1.0)),
        wide(&values(6, s.y_len(), 1.0)),
    );
    let dx = pool::backward(&s, &r, &pool::forward(&s, &x).1);
    finite_differences(&x, &dx, |x| dot(&pool::forward(&s, x).0, &r), "pool dx");

    let (z, labels) = (wide(&values(7, 30, 3.0)), [1u8, 9, 4]);
    for (kind, scale) in [(LossKind::Mean, 1.0 / 3.0), (LossKind::SummedClipped, 1.0)] {
        let d = loss::forward_backward(kind, 10, &z, &labels).2;
        let f = |z: &[f64]| loss::forward_backward(kind, 10, z, &labels).0 * scale;
        finite_differences(&z, &d, f, "logits");
    }
}

#[test]
fn loss_and_softmax() {
    for (kind, classes, n) in [
        (LossKind::Mean, 10, 64),
        (LossKind::Mean, 1, 3),
        (LossKind::Mean, 1000, 2),
        (LossKind::SummedClipped, 10, 7),
    ] {
        let d = &mut CpuDevice::new(None).unwrap();
        let mut z = values(1, n * classes, 5.0);
        z[0] = 80.0; // beyond the clip's 1e-20 for any other class
        let labels: Vec<u8> = (0..n)
            .map(|i| ((i * 7 + 1) % classes.min(256)) as u8)
            .collect();
        let vz = put(d, &z);
        let vl = d.alloc(DType::U8, n).unwrap();
        d.upload(vl, &labels).unwrap();
        let stats = d.alloc(DType::F64, 4).unwrap();
        d.zero(stats).unwrap();
        let dz = output(d, z.len());
        for _ in 0..2 {
            d.loss(kind, classes, vz, vl, Some(dz.1), stats).unwrap();
        }
        let (sum, correct, want) = loss::forward_backward(kind, classes, &wide(&z), &labels);
        compare(d, dz, &want, "dlogits");
        let mut got = [0.0f64; 4];
        d.download(stats, bytemuck::cast_slice_mut(&mut got))
            .unwrap();
        assert!(
            (got[0] - 2.0 * sum).abs() <= 1e-5 * sum.abs().max(1.0),
            "{got:?} {sum}"
        );
        assert_eq!(got[1..], [2.0 * correct as f64, 2.0 * n as f64, 0.0]);
        let p = output(d, z.len());
        d.softmax(classes, vz, p.1).unwrap();
        let want: Vec<f64> = wide(&z).chunks(classes).flat_map(loss::softmax).collect();
        compare(d, p, &want, "softmax");
    }
}

#[test]
fn a_nan_logit_is_counted() {
    let d = &mut CpuDevice::new(None).unwrap();
    let mut z = values(1, 20, 1.0);
    z[13] = f32::NAN;
    let (vz, vl) = (put(d, &z), d.alloc(DType::U8, 2).unwrap());
    d.upload(vl, &[0, 1]).unwrap();
    let stats = d.alloc(DType::F64, 4).unwrap();
    d.zero(stats).unwrap();
    d.loss(LossKind::Mean, 10, vz, vl, None, stats).unwrap();
    let mut got = [0.0f64; 4];
    d.download(stats, bytemuck::cast_slice_mut(&mut got))
        .unwrap();
    assert_eq!(got[3], 1.0);
}

#[test]
fn dropout_draws_the_reference_mask() {
    for len in [1, 5, 4096 * 17 + 3] {
        let d = &mut CpuDevice::new(None).unwrap();
        let spec = Dropout {
            seed: 11,
            layer: 2,
            p: 0.3,
        };
        d.set_step(StepState {
            step: (1 << 33) + 5,
            lr: 0.0,
            ema_decay: 0.0,
        })
        .unwrap();
        let x = values(1, len, 1.0);
        let view = put(d, &x);
        d.dropout(&spec, view).unwrap();
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

#[test]
fn optimisers_follow_the_reference_for_several_steps() {
    let len = 40_003;
    for kind in [Some(Epsilon::Outer), Some(Epsilon::Hat), None] {
        let d = &mut CpuDevice::new(None).unwrap();
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
        };
        let (mut w64, mut m, mut v) = (wide(&w), vec![0.0; len], vec![0.0; len]);
        let mut ema64 = w64.clone();
        let decayed = [(10, 1000), (20_000, 3)];
        for step in 0..3 {
            let g = values(10 + step, len, 1.0);
            upload_f32(d, views[1], &g).unwrap();
            d.set_step(StepState {
                step,
                lr: 0.01,
                ema_decay: 0.9,
            })
            .unwrap();
            let (lr, decay) = (f64::from(0.01f32), f64::from(0.9f32));
            match kind {
                Some(epsilon_kind) => {
                    let p = AdamParams {
                        beta1: 0.9,
                        beta2: 0.999,
                        epsilon: 1e-8,
                        epsilon_kind,
                    };
                    d.adam(&p, &arenas).unwrap();
                    optimizer::adam(&p, step, lr, &mut w64, &wide(&g), &mut m, &mut v);
                }
                None => {
                    let p = SgdParams {
                        momentum: 0.9,
                        l2: 5e-2,
                    };
                    d.sgd(&p, &decayed, &arenas).unwrap();
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

#[test]
fn batches_are_gathered_and_deformed_as_the_reference_does() {
    let augment = Augment {
        degrees: 12.0,
        scale: 0.1,
        shear: 0.15,
        shift: 2.0,
        elastic: 2.0,
        spacing: 7,
    };
    let plain = Augment {
        elastic: 0.0,
        ..augment
    };
    for (h, w, c, augment) in [
        (28, 28, 1, None),
        (28, 28, 1, Some(plain)),
        (28, 28, 1, Some(augment)),
        (9, 13, 3, Some(augment)),
    ] {
        let d = &mut CpuDevice::new(None).unwrap();
        let (images, n) = (20, 6);
        // A smooth picture: where a source coordinate lies on a pixel, rounding may choose either neighbour, and
        // bilinear interpolation is continuous there.
        let pixels: Vec<u8> = (0..images * h * w * c)
            .map(|i| (127.0 + 120.0 * (i as f64 * 0.013).sin()) as u8)
            .collect();
        let labels: Vec<u8> = (0..images as u8).collect();
        let indices = [3u32, 0, 19, 3, 7, 11];
        let g = Gather {
            n,
            h,
            w,
            c,
            mean: 0.13,
            std: 0.3,
            seed: 5,
            augment,
        };
        let (vp, vl) = (
            d.alloc(DType::U8, pixels.len()).unwrap(),
            d.alloc(DType::U8, images).unwrap(),
        );
        let (vi, vo) = (
            d.alloc(DType::U32, n).unwrap(),
            d.alloc(DType::U8, n).unwrap(),
        );
        d.upload(vp, &pixels).unwrap();
        d.upload(vl, &labels).unwrap();
        d.upload(vi, bytemuck::cast_slice(&indices)).unwrap();
        d.set_step(StepState {
            step: 77,
            lr: 0.0,
            ema_decay: 0.0,
        })
        .unwrap();
        let x = output(d, n * h * w * c);
        d.gather(&g, vp, vl, vi, x.1, vo).unwrap();
        let want = batch::gather(&g, 77, &pixels, &indices);
        let all = download_f32(d, x.0).unwrap();
        for (i, (got, want)) in all[16..].iter().zip(&want).enumerate() {
            // A float32 coordinate near 28 is off by up to 4e-6 pixels, and a pixel's slope is up to 3.3 a pixel.
            assert!(
                (f64::from(*got) - want).abs() <= 5e-5,
                "{g:?} {i}: {got} {want}"
            );
        }
        let mut got = vec![0u8; n];
        d.download(vo, &mut got).unwrap();
        assert_eq!(got, [3, 0, 19, 3, 7, 11]);
    }
}

#[test]
fn wrong_sizes_and_overlaps_are_errors() {
    let d = &mut CpuDevice::new(None).unwrap();
    let s = ConvShape {
        n: 1,
        h: 4,
        w: 4,
        c: 2,
        k: 3,
        kernel: 3,
    };
    let (x, w) = (put(d, &vec![0.0; s.x_len()]), put(d, &vec![0.0; s.w_len()]));
    let (b, y) = (put(d, &[0.0; 3]), put(d, &vec![0.0; s.y_len() + 1]));
    let error = d
        .conv_forward(&s, x, w, b, y, true)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("conv_forward: y") && error.contains("48"),
        "{error}"
    );
    let both = put(d, &[0.0; 100]);
    let error = d.copy(both.slice(0, 60), both.slice(40, 60)).unwrap_err();
    assert!(error.to_string().contains("overlaps"), "{error}");
    let labels = d.alloc(DType::U8, 1).unwrap();
    d.upload(labels, &[12]).unwrap();
    let (z, stats) = (put(d, &[0.0; 10]), d.alloc(DType::F64, 4).unwrap());
    let error = d
        .loss(LossKind::Mean, 10, z, labels, None, stats)
        .unwrap_err();
    assert!(error.to_string().contains("label 12"), "{error}");
}
