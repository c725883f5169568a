//! The gradients of the references themselves, against finite differences.

use super::wide;
use warp19::conformance::values;
use warp19::ops::conv::{self, ConvShape};
use warp19::ops::linear::LinearShape;
use warp19::ops::loss::{self, LossKind};
use warp19::ops::pool::{self, PoolShape};

/// A gradient against the central difference of a scalar function, `(f(x + h) - f(x - h)) / 2h`, in f64.
fn finite_differences(x: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> f64, what: &str) {
    let h = 1e-5;
    for i in 0..x.len() {
        let (mut up, mut down) = (x.to_vec(), x.to_vec());
        up[i] += h;
        down[i] -= h;
        let slope = (f(&up) - f(&down)) / (2.0 * h);
        let bound = 1e-7 * (1.0 + slope.abs());
        assert!((slope - gradient[i]).abs() <= bound, "{what} {i}: {} against {slope}", gradient[i]);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The gradients `dx, dw, db` of a layer with weights, whose output's gradient is `r`.
fn layer(
    what: &str,
    [x, w, b, r]: [&[f64]; 4],
    [dx, dw, db]: [&[f64]; 3],
    forward: impl Fn(&[f64], &[f64], &[f64]) -> Vec<f64>,
) {
    let f = |x: &[f64], w: &[f64], b: &[f64]| dot(&forward(x, w, b), r);
    finite_differences(x, dx, |x| f(x, w, b), &format!("{what} dx"));
    finite_differences(w, dw, |w| f(x, w, b), &format!("{what} dw"));
    finite_differences(b, db, |b| f(x, w, b), &format!("{what} db"));
}

#[test]
fn reference_gradients_match_finite_differences() {
    let s = ConvShape { n: 2, h: 4, w: 3, c: 3, k: 2, kernel: 3 };
    let (x, w) = (wide(&values(1, s.x_len(), 1.0)), wide(&values(2, s.w_len(), 1.0)));
    let (b, r) = (wide(&values(3, s.k, 1.0)), wide(&values(4, s.y_len(), 1.0)));
    let (dw, db) = conv::backward_weight(&s, &x, &r);
    let dx = conv::backward_data(&s, &r, &w);
    layer("conv", [&x, &w, &b, &r], [&dx, &dw, &db], |x, w, b| conv::forward(&s, x, w, b));

    let s = LinearShape { n: 3, inputs: 5, outputs: 4 }.as_conv();
    let (x, w) = (wide(&values(1, 15, 1.0)), wide(&values(2, 20, 1.0)));
    let (b, r) = (wide(&values(3, 4, 1.0)), wide(&values(4, 12, 1.0)));
    let (dw, db) = conv::backward_weight(&s, &x, &r);
    let dx = conv::backward_data(&s, &r, &w);
    layer("linear", [&x, &w, &b, &r], [&dx, &dw, &db], |x, w, b| conv::forward(&s, x, w, b));

    // Random reals have no ties, and 1e-5 does not change which of them is the largest.
    let s = PoolShape { n: 1, h: 5, w: 4, c: 3 };
    let (x, r) = (wide(&values(5, s.x_len(), 1.0)), wide(&values(6, s.y_len(), 1.0)));
    let dx = pool::backward(&s, &r, &pool::forward(&s, &x).1);
    finite_differences(&x, &dx, |x| dot(&pool::forward(&s, x).0, &r), "pool dx");

    let (z, labels) = (wide(&values(7, 30, 3.0)), [1u32, 9, 4]);
    for (kind, scale) in [(LossKind::Mean, 1.0 / 3.0), (LossKind::SummedClipped, 1.0)] {
        let d = loss::forward_backward(kind, 10, &z, &labels).2;
        let f = |z: &[f64]| loss::forward_backward(kind, 10, z, &labels).0 * scale;
        finite_differences(&z, &d, f, "logits");
    }
}
