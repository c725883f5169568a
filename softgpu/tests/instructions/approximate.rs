//! Approximate functions: within the error the ISA documents, special values exact.

use crate::floating::F32;
use crate::{Expect, Row, check};

const NAN: u32 = 0x7fff_ffff;

fn flush(x: f32) -> f32 {
    if x.is_subnormal() { 0.0f32.copysign(x) } else { x }
}

/// A function whose result must lie within `relative * |f| + absolute` of `f`.
fn row(name: &str, relative: f64, absolute: f64, range: f64, f: fn(f64) -> f64) -> Row {
    let ftz = name.contains(".ftz");
    Row {
        text: format!("{name} $d, $a;"),
        widths: vec![32, 32],
        edges: F32,
        expect: Expect::Judge(Box::new(move |[a, ..], result| {
            let x = f32::from_bits(a as u32);
            let x = if ftz { flush(x) } else { x };
            let got = f32::from_bits(result as u32);
            let want = f(x as f64);
            if want.is_nan() {
                return result as u32 == NAN;
            }
            if want.is_infinite() || want == 0.0 && absolute == 0.0 {
                return got as f64 == want && got.is_sign_negative() == want.is_sign_negative();
            }
            if (x as f64).abs() > range {
                return got.is_finite();
            }
            // What overflows or underflows f32 may do so.
            let nearest = want as f32;
            let flushed = if ftz { flush(nearest) } else { nearest };
            if nearest.is_infinite() || flushed == 0.0 {
                return got == nearest || got == flushed || (got as f64 - want).abs() <= absolute;
            }
            let allowed = relative * want.abs() + absolute;
            (got as f64 - want).abs() <= allowed.max(f32::from_bits(1) as f64)
        })),
    }
}

#[test]
fn within_the_documented_error() {
    let all = f64::INFINITY;
    let ulp = 2f64.powi(-23);
    let circle = 2.0 * std::f64::consts::PI;
    let rows = [
        row("rcp.approx.f32", ulp, 0.0, all, |x| 1.0 / x),
        row("rcp.approx.ftz.f32", ulp, 0.0, all, |x| 1.0 / x),
        row("sqrt.approx.f32", ulp, 0.0, all, f64::sqrt),
        row("sqrt.approx.ftz.f32", ulp, 0.0, all, f64::sqrt),
        row("rsqrt.approx.f32", 2f64.powf(-22.9), 0.0, all, |x| {
            if x == 0.0 { f64::INFINITY.copysign(x) } else { 1.0 / x.sqrt() }
        }),
        row("sin.approx.f32", 0.0, 2f64.powf(-20.5), circle, f64::sin),
        row("cos.approx.f32", 0.0, 2f64.powf(-20.5), circle, f64::cos),
        row("lg2.approx.f32", 2f64.powi(-22), 2f64.powi(-22), all, f64::log2),
        row("ex2.approx.f32", 2.0 * ulp, 0.0, all, f64::exp2),
        row("ex2.approx.ftz.f32", 2.0 * ulp, 0.0, all, f64::exp2),
        row("tanh.approx.f32", 2f64.powi(-11), 0.0, all, f64::tanh),
    ];
    check(&rows, 41);
}

#[test]
fn division() {
    let judge = |full: bool| {
        move |[a, b, _]: [u64; 3], result: u64| {
            let (x, y) = (f32::from_bits(a as u32) as f64, f32::from_bits(b as u32) as f64);
            let got = f32::from_bits(result as u32);
            let want = x / y;
            let huge = y.is_finite() && y.abs() > 2f64.powi(126);
            let tiny = y.abs() < 2f64.powi(-126) && y != 0.0;
            if !full && huge && !x.is_nan() {
                return if x.is_infinite() { result as u32 == NAN } else { got == 0.0 };
            }
            if want.is_nan() {
                return result as u32 == NAN;
            }
            // Outside that range only div.full promises anything.
            if !full && tiny {
                return true;
            }
            let nearest = want as f32;
            if nearest.is_infinite() || nearest == 0.0 || nearest.is_subnormal() {
                return (got as f64 - nearest as f64).abs() <= 2e-45 || got == nearest;
            }
            (got as f64 - want).abs() <= 2.0 * 2f64.powi(-23) * want.abs()
        }
    };
    let row = |text: &str, full| Row {
        text: text.into(),
        widths: vec![32; 3],
        edges: F32,
        expect: Expect::Judge(Box::new(judge(full))),
    };
    check(&[row("div.approx.f32 $d, $a, $b;", false), row("div.full.f32 $d, $a, $b;", true)], 42);
}
