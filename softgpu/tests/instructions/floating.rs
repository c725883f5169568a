//! Floating-point arithmetic and comparison.

use crate::{Expect, Row, check, exact};
use rustc_apfloat::ieee::{BFloat, Double, Half, Single};
use rustc_apfloat::{Float, Round};

pub const F32: &[u64] = &[
    0,
    0x8000_0000,
    1,
    0x8000_0001,
    0x007f_ffff,
    0x0080_0000,
    0x8080_0000,
    0x0080_0001,
    0x3f80_0000,
    0xbf80_0000,
    0x3f80_0001,
    0x3f7f_ffff,
    0x3f00_0000,
    0x4000_0000,
    0x4b00_0001,
    0x4f00_0000,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0001,
    0x7f80_0001,
    0x3dcc_cccd,
    0xc2f6_e979,
];
pub const F64: &[u64] = &[
    0,
    1 << 63,
    1,
    0x000f_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x3ff0_0000_0000_0001,
    0x3fef_ffff_ffff_ffff,
    0x4340_0000_0000_0001,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0x3fb9_9999_9999_999a,
    0xc05e_dd2f_1a9f_be77,
    0x3ca0_0000_0000_0000,
];
pub const F16: &[u64] = &[
    0, 0x8000, 1, 0x8001, 0x3ff, 0x400, 0x401, 0x3c00, 0xbc00, 0x3c01, 0x3bff, 0x3800, 0x4000, 0x7bff, 0xfbff, 0x7c00,
    0xfc00, 0x7e00, 0xfe01, 0x2e66, 0x6400, 0x6401,
];
pub const BF16: &[u64] = &[
    0, 0x8000, 1, 0x8001, 0x7f, 0x80, 0x81, 0x3f80, 0xbf80, 0x3f81, 0x3f7f, 0x3f00, 0x4000, 0x7f7f, 0xff7f, 0x7f80,
    0xff80, 0x7fc0, 0xffc1, 0x3dcd, 0x4300, 0x4301,
];

const MODES: [(&str, Round); 4] = [
    ("rn", Round::NearestTiesToEven),
    ("rz", Round::TowardZero),
    ("rm", Round::TowardNegative),
    ("rp", Round::TowardPositive),
];

fn flush(x: u64) -> u64 {
    if x & 0x7f80_0000 == 0 { x & 0x8000_0000 } else { x }
}

fn saturate(x: u64) -> u64 {
    let value = f32::from_bits(x as u32);
    if value.is_nan() || value <= 0.0 { 0 } else { value.min(1.0).to_bits() as u64 }
}

/// An operation in apfloat on patterns, NaN made canonical.
fn ap<T: Float>(canonical: u64, f: impl Fn(T, T, T) -> T) -> impl Fn([u64; 3]) -> u64 {
    move |v| {
        let [a, b, c] = v.map(|x| T::from_bits(x as u128));
        let r = f(a, b, c);
        if r.is_nan() { canonical } else { r.to_bits() as u64 }
    }
}

const NAN32: u64 = 0x7fff_ffff;

#[test]
fn single_precision() {
    let mut rows = Vec::new();
    for (word, mode) in MODES {
        for ftz in [false, true] {
            for sat in [false, true] {
                type Op = Box<dyn Fn([u64; 3]) -> u64>;
                let list: [(&str, usize, Op); 4] = [
                    ("add", 2, Box::new(ap::<Single>(NAN32, move |a, b, _| a.add_r(b, mode).value))),
                    ("sub", 2, Box::new(ap::<Single>(NAN32, move |a, b, _| a.sub_r(b, mode).value))),
                    ("mul", 2, Box::new(ap::<Single>(NAN32, move |a, b, _| a.mul_r(b, mode).value))),
                    ("fma", 3, Box::new(ap::<Single>(NAN32, move |a, b, c| a.mul_add_r(b, c, mode).value))),
                ];
                for (name, operands, f) in list {
                    let modifiers = format!("{}{}", if ftz { ".ftz" } else { "" }, if sat { ".sat" } else { "" });
                    let registers = &"$d, $a, $b, $c"[..4 * operands + 2];
                    rows.push(exact(
                        format!("{name}.{word}{modifiers}.f32 {registers};"),
                        &[32; 4][..operands + 1],
                        F32,
                        move |v| {
                            let r = if ftz { flush(f(v.map(flush))) } else { f(v) };
                            if sat { saturate(r) } else { r }
                        },
                    ));
                }
            }
        }
        let div = ap::<Single>(NAN32, move |a, b, _| a.div_r(b, mode).value);
        rows.push(exact(format!("div.{word}.f32 $d, $a, $b;"), &[32; 3], F32, div));
        let div = ap::<Single>(NAN32, move |a, b, _| a.div_r(b, mode).value);
        rows.push(exact(format!("div.{word}.ftz.f32 $d, $a, $b;"), &[32; 3], F32, move |v| flush(div(v.map(flush)))));
        let rcp = ap::<Single>(NAN32, move |a, _, _| Single::from_bits(0x3f80_0000).div_r(a, mode).value);
        rows.push(exact(format!("rcp.{word}.f32 $d, $a;"), &[32; 2], F32, rcp));
    }
    rows.push(exact("sqrt.rn.f32 $d, $a;", &[32; 2], F32, |[a, ..]| {
        let r = f32::from_bits(a as u32).sqrt();
        if r.is_nan() { NAN32 } else { r.to_bits() as u64 }
    }));
    check(&rows, 21);
}

#[test]
fn double_precision() {
    let f64_row = |text: String, n: usize, f: Box<dyn Fn([u64; 3]) -> u64>| Row {
        text,
        widths: vec![64; n + 1],
        edges: F64,
        expect: Expect::F64(f),
    };
    let mut rows = Vec::new();
    for (word, mode) in MODES {
        let name = |op: &str| format!("{op}.{word}.f64 $d, $a, $b;");
        let nan = 0x7ff8 << 48;
        rows.push(f64_row(name("add"), 2, Box::new(ap::<Double>(nan, move |a, b, _| a.add_r(b, mode).value))));
        rows.push(f64_row(name("sub"), 2, Box::new(ap::<Double>(nan, move |a, b, _| a.sub_r(b, mode).value))));
        rows.push(f64_row(name("mul"), 2, Box::new(ap::<Double>(nan, move |a, b, _| a.mul_r(b, mode).value))));
        rows.push(f64_row(name("div"), 2, Box::new(ap::<Double>(nan, move |a, b, _| a.div_r(b, mode).value))));
        rows.push(f64_row(
            format!("fma.{word}.f64 $d, $a, $b, $c;"),
            3,
            Box::new(ap::<Double>(nan, move |a, b, c| a.mul_add_r(b, c, mode).value)),
        ));
    }
    rows.push(f64_row("sqrt.rn.f64 $d, $a;".into(), 1, Box::new(|[a, ..]| f64::from_bits(a).sqrt().to_bits())));
    check(&rows, 22);
}

#[test]
fn half_precision() {
    let near = Round::NearestTiesToEven;
    let mut rows = vec![
        exact("add.rn.f16 $d, $a, $b;", &[16; 3], F16, ap::<Half>(0x7fff, move |a, b, _| a.add_r(b, near).value)),
        exact("sub.rn.f16 $d, $a, $b;", &[16; 3], F16, ap::<Half>(0x7fff, move |a, b, _| a.sub_r(b, near).value)),
        exact("mul.rn.f16 $d, $a, $b;", &[16; 3], F16, ap::<Half>(0x7fff, move |a, b, _| a.mul_r(b, near).value)),
        exact(
            "fma.rn.f16 $d, $a, $b, $c;",
            &[16; 4],
            F16,
            ap::<Half>(0x7fff, move |a, b, c| a.mul_add_r(b, c, near).value),
        ),
        exact(
            "fma.rn.bf16 $d, $a, $b, $c;",
            &[16; 4],
            BF16,
            ap::<BFloat>(0x7fff, move |a, b, c| a.mul_add_r(b, c, near).value),
        ),
        exact("add.rn.bf16 $d, $a, $b;", &[16; 3], BF16, ap::<BFloat>(0x7fff, move |a, b, _| a.add_r(b, near).value)),
        exact("mul.rn.bf16 $d, $a, $b;", &[16; 3], BF16, ap::<BFloat>(0x7fff, move |a, b, _| a.mul_r(b, near).value)),
    ];
    let f = ap::<Half>(0x7fff, move |a, b, c| a.mul_add_r(b, c, near).value);
    rows.push(exact("fma.rn.f16x2 $d, $a, $b, $c;", &[32; 4], F32, move |v| {
        f(v.map(|x| x & 0xffff)) | f(v.map(|x| x >> 16)) << 16
    }));
    let f = ap::<BFloat>(0x7fff, move |a, b, c| a.mul_add_r(b, c, near).value);
    rows.push(exact("fma.rn.bf16x2 $d, $a, $b, $c;", &[32; 4], F32, move |v| {
        f(v.map(|x| x & 0xffff)) | f(v.map(|x| x >> 16)) << 16
    }));
    check(&rows, 23);
}

/// Packed halves of type `T` compared: all ones, or the bits of 1, in each half where it holds.
fn halves<T: Float>(ty: &str, one: u64, rows: &mut Vec<Row>) {
    use std::cmp::Ordering;
    for (word, wanted) in [
        ("eq", &[Ordering::Equal][..]),
        ("ne", &[Ordering::Less, Ordering::Greater]),
        ("lt", &[Ordering::Less]),
        ("le", &[Ordering::Less, Ordering::Equal]),
        ("gt", &[Ordering::Greater]),
        ("ge", &[Ordering::Greater, Ordering::Equal]),
    ] {
        for (u, unordered) in [("", false), ("u", true)] {
            for (to, yes) in [(ty, one), ("u32", 0xffff)] {
                let half = move |a: u64, b: u64| {
                    let of = |bits: u64| T::from_bits((bits & 0xffff).into());
                    let holds = of(a).partial_cmp(&of(b)).map_or(unordered, |order| wanted.contains(&order));
                    if holds { yes } else { 0 }
                };
                let text = format!("set.{word}{u}.{to}.{ty} $d, $a, $b;");
                let both = move |[a, b, _]: [u64; 3]| half(a, b) | half(a >> 16, b >> 16) << 16;
                rows.push(exact(text, &[32; 3], PAIRS, both));
            }
        }
    }
}

#[test]
fn comparisons_of_packed_halves() {
    let mut rows = Vec::new();
    halves::<Half>("f16x2", 0x3c00, &mut rows);
    halves::<BFloat>("bf16x2", 0x3f80, &mut rows);
    let plain = "setp.eq.u32 p, $a, $b; set.lt.and.u32.f16x2 $d, $a, $b, !p;";
    let text = format!("{{ .reg .pred p; {plain} }}");
    rows.push(exact(text, &[32; 3], PAIRS, |[a, b, _]| {
        let less = |a: u64, b: u64| {
            let of = |bits: u64| Half::from_bits((bits & 0xffff).into());
            if of(a).partial_cmp(&of(b)).is_some_and(|order| order.is_lt()) { 0xffff } else { 0 }
        };
        // the predicate is of the whole registers
        if a == b { 0 } else { less(a & 0xffff, b & 0xffff) | less(a >> 16, b >> 16) << 16 }
    }));
    check(&rows, 25);
}

/// Two halves each: zeros of both signs, one, infinity, NaN, subnormal ones.
const PAIRS: &[u64] = &[
    0,
    0x8000,
    0x3c00_3c00,
    0x7c00_fc00,
    0x7e00_3c00,
    0x0001_8001,
    0x3f80_bf80,
    0x7f80_ff80,
    0x7fc0_0000,
    0xbc00_3c01,
];

/// `min` and `max` as the ISA writes them.
fn extremum(a: u64, b: u64, least: bool, nan: bool) -> u64 {
    let (x, y) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
    if x.is_nan() && y.is_nan() || nan && (x.is_nan() || y.is_nan()) {
        return NAN32;
    }
    if x.is_nan() || y.is_nan() {
        return if x.is_nan() { b } else { a };
    }
    let first = if x == y { (a >> 31 == 1) == least } else { (x < y) == least };
    if first { a } else { b }
}

#[test]
fn extremes_and_comparisons() {
    let mut rows = Vec::new();
    for (word, least) in [("min", true), ("max", false)] {
        rows.push(exact(format!("{word}.f32 $d, $a, $b;"), &[32; 3], F32, move |[a, b, _]| {
            extremum(a, b, least, false)
        }));
        rows.push(exact(format!("{word}.NaN.f32 $d, $a, $b;"), &[32; 3], F32, move |[a, b, _]| {
            extremum(a, b, least, true)
        }));
        rows.push(exact(format!("{word}.ftz.f32 $d, $a, $b;"), &[32; 3], F32, move |[a, b, _]| {
            extremum(flush(a), flush(b), least, false)
        }));
        rows.push(exact(format!("{word}.xorsign.abs.f32 $d, $a, $b;"), &[32; 3], F32, move |[a, b, _]| {
            let r = extremum(a & 0x7fff_ffff, b & 0x7fff_ffff, least, false);
            if r > 0x7f80_0000 { NAN32 } else { r | (a ^ b) & 0x8000_0000 }
        }));
    }
    type Compare = fn(f32, f32) -> bool;
    let list: [(&str, Compare); 6] = [
        ("eq", |a, b| a == b),
        ("ne", |a, b| a.partial_cmp(&b).is_some_and(|o| o.is_ne())),
        ("lt", |a, b| a < b),
        ("le", |a, b| a <= b),
        ("gt", |a, b| a > b),
        ("ge", |a, b| a >= b),
    ];
    for (word, f) in list {
        for unordered in [false, true] {
            let u = if unordered { "u" } else { "" };
            rows.push(exact(format!("setp.{word}{u}.f32 $d, $a, $b;"), &[1, 32, 32], F32, move |[a, b, _]| {
                let (x, y) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
                (f(x, y) || unordered && (x.is_nan() || y.is_nan())) as u64
            }));
        }
    }
    rows.push(exact("setp.num.f32 $d, $a, $b;", &[1, 32, 32], F32, |[a, b, _]| {
        !(f32::from_bits(a as u32).is_nan() || f32::from_bits(b as u32).is_nan()) as u64
    }));
    rows.push(exact("setp.nan.f32 $d, $a, $b;", &[1, 32, 32], F32, |[a, b, _]| {
        (f32::from_bits(a as u32).is_nan() || f32::from_bits(b as u32).is_nan()) as u64
    }));
    for (word, f) in [
        ("finite", f32::is_finite as fn(f32) -> bool),
        ("infinite", f32::is_infinite),
        ("notanumber", f32::is_nan),
        ("subnormal", f32::is_subnormal),
        ("normal", |x| x.is_normal() || x == 0.0),
    ] {
        rows.push(exact(format!("testp.{word}.f32 $d, $a;"), &[1, 32], F32, move |[a, ..]| {
            f(f32::from_bits(a as u32)) as u64
        }));
    }
    rows.push(exact("copysign.f32 $d, $a, $b;", &[32; 3], F32, |[a, b, _]| a & 0x8000_0000 | b & 0x7fff_ffff));
    check(&rows, 24);
}
