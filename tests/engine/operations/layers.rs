//! Convolutions, fully connected layers and pools.

use super::{compare, output, put, wide};
use crate::common::operation::{conv as conv_pass, linear as linear_pass, run};
use warp19::conformance::values;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device};
use warp19::ops::conv::{self, ConvShape};
use warp19::ops::layer::Pass;
use warp19::ops::linear::LinearShape;
use warp19::ops::operation::Kind;
use warp19::ops::pool::{self, Pool, PoolShape};
use warp19::ops::relu;

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
        let s = ConvShape { n, h, w, c, k, kernel };
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
            run(d, conv_pass(&s, Pass::Forward { relu }), &[vx, vw, vb, y.1]);
            let mut want = conv::forward(&s, &x64, &w64, &b64);
            if relu {
                relu::forward(&mut want);
            }
            compare(d, y, &want, &format!("{s:?} forward"));
        }
        for mask in [None, Some(vx)] {
            let dx = output(d, s.x_len());
            let views: Vec<_> = [vdy, vw, dx.1].into_iter().chain(mask).collect();
            run(d, conv_pass(&s, Pass::BackwardData { masked: mask.is_some() }), &views);
            let mut want = conv::backward_data(&s, &dy64, &w64);
            if mask.is_some() {
                relu::backward(&x64, &mut want);
            }
            compare(d, dx, &want, &format!("{s:?} backward data"));
        }
        let dy = values(4, s.y_len(), (3.0 / (n * h * w) as f32).sqrt());
        let vdy = put(d, &dy);
        let (dw, db) = (output(d, s.w_len()), output(d, k));
        run(d, conv_pass(&s, Pass::BackwardWeight), &[vx, vdy, dw.1, db.1]);
        let (want_w, want_b) = conv::backward_weight(&s, &x64, &wide(&dy));
        compare(d, dw, &want_w, &format!("{s:?} dw"));
        compare(d, db, &want_b, &format!("{s:?} db"));
    }
}

#[test]
fn fully_connected_layers() {
    for (n, inputs, outputs) in
        [(4, 512, 4096), (3, 4096, 1000), (64, 1000, 10), (1, 1, 1), (7, 13, 3), (65, 97, 129), (2, 64, 65)]
    {
        let s = LinearShape { n, inputs, outputs };
        let d = &mut CpuDevice::new(None).unwrap();
        let x = values(1, n * inputs, 1.0);
        let w = values(2, inputs * outputs, (3.0 / inputs as f32).sqrt());
        let b = values(3, outputs, 0.5);
        let dy = values(4, n * outputs, 1.0);
        let (x64, w64, dy64) = (wide(&x), wide(&w), wide(&dy));
        let (vx, vw, vb, vdy) = (put(d, &x), put(d, &w), put(d, &b), put(d, &dy));
        let y = output(d, n * outputs);
        run(d, linear_pass(&s, Pass::Forward { relu: false }), &[vx, vw, vb, y.1]);
        compare(d, y, &conv::forward(&s.as_conv(), &x64, &w64, &wide(&b)), &format!("{s:?} forward"));
        let dx = output(d, n * inputs);
        run(d, linear_pass(&s, Pass::BackwardData { masked: true }), &[vdy, vw, dx.1, vx]);
        let mut want = conv::backward_data(&s.as_conv(), &dy64, &w64);
        relu::backward(&x64, &mut want);
        compare(d, dx, &want, &format!("{s:?} backward data"));
        let (dw, db) = (output(d, inputs * outputs), output(d, outputs));
        run(d, linear_pass(&s, Pass::BackwardWeight), &[vx, vdy, dw.1, db.1]);
        let (want_w, want_b) = conv::backward_weight(&s.as_conv(), &x64, &dy64);
        compare(d, dw, &want_w, &format!("{s:?} dw"));
        compare(d, db, &want_b, &format!("{s:?} db"));
    }
}

#[test]
fn pools() {
    for (n, h, w, c) in [(2, 28, 28, 64), (2, 7, 7, 256), (1, 1, 1, 1), (3, 5, 2, 3), (1, 1, 9, 17)] {
        let s = PoolShape { n, h, w, c };
        let d = &mut CpuDevice::new(None).unwrap();
        // Few distinct values, so that ties are common.
        let x: Vec<f32> = values(1, s.x_len(), 2.0).iter().map(|v| v.round()).collect();
        let dy = values(2, s.y_len(), 1.0);
        let (vx, vdy) = (put(d, &x), put(d, &dy));
        let argmax = d.alloc(DType::U8, s.y_len()).unwrap();
        let y = output(d, s.y_len());
        run(d, Kind::Pool(Pool { shape: s, backward: false }), &[vx, y.1, argmax]);
        let (want, positions) = pool::forward(&s, &wide(&x));
        compare(d, y, &want, &format!("{s:?} forward"));
        let mut got = vec![0; s.y_len()];
        d.download(argmax, &mut got).unwrap();
        let got: Vec<f64> = got.into_iter().map(f64::from).collect();
        assert_eq!(got, positions, "{s:?}");
        let dx = output(d, s.x_len());
        run(d, Kind::Pool(Pool { shape: s, backward: true }), &[vdy, argmax, dx.1]);
        compare(d, dx, &pool::backward(&s, &wide(&dy), &positions), &format!("{s:?} backward"));
    }
}
