//! `cvt`.

use crate::floating::{F16, F32, F64};
use crate::integer::EDGES;
use crate::{Row, check, exact};
use rustc_apfloat::ieee::{BFloat, Double, Half, Single};
use rustc_apfloat::{Float, FloatConvert, Round};

const MODES: [(&str, Round); 4] = [
    ("rn", Round::NearestTiesToEven),
    ("rz", Round::TowardZero),
    ("rm", Round::TowardNegative),
    ("rp", Round::TowardPositive),
];

fn row(text: String, d: u32, a: u32, edges: &'static [u64], f: impl Fn(u64) -> u64 + 'static) -> Row {
    exact(text, &[d, a], edges, move |[a, ..]| f(a))
}

#[test]
fn integers_to_integers() {
    let clamp = |x: i128, low: i128, high: i128| x.clamp(low, high) as u64;
    check(
        &[
            row("cvt.s64.s32 $d, $a;".into(), 64, 32, EDGES, |a| a as i32 as i64 as u64),
            row("cvt.u64.u32 $d, $a;".into(), 64, 32, EDGES, |a| a),
            row("cvt.u32.u64 $d, $a;".into(), 32, 64, EDGES, |a| a),
            row("cvt.s32.s8 $d, $a;".into(), 32, 32, EDGES, |a| a as i8 as i32 as u64),
            row("cvt.u32.u8 $d, $a;".into(), 32, 32, EDGES, |a| a & 255),
            row("cvt.s16.s32 $d, $a;".into(), 16, 32, EDGES, |a| a),
            row("cvt.sat.s32.s64 $d, $a;".into(), 32, 64, EDGES, move |a| {
                clamp(a as i64 as i128, i32::MIN as i128, i32::MAX as i128)
            }),
            row("cvt.sat.u32.s32 $d, $a;".into(), 32, 32, EDGES, move |a| clamp(a as i32 as i128, 0, u32::MAX as i128)),
            row("cvt.sat.u16.s32 $d, $a;".into(), 16, 32, EDGES, move |a| clamp(a as i32 as i128, 0, 0xffff)),
            row("cvt.sat.s16.u32 $d, $a;".into(), 16, 32, EDGES, move |a| clamp(a as i128, 0, 0x7fff)),
            row("cvt.sat.s8.s32 $d, $a;".into(), 32, 32, EDGES, move |a| {
                // A wider register holds the sign-extended byte.
                (a as i32).clamp(-128, 127) as u64
            }),
        ],
        31,
    );
}

/// `x` rounded to an integer in apfloat's mode, clamped; NaN as the ISA says.
fn to_integer(x: f64, mode: Round, bits: u32, signed: bool, from_double: bool) -> u64 {
    if x.is_nan() {
        return if from_double || bits == 64 { 1 << (bits - 1) } else { 0 };
    }
    let whole = match mode {
        Round::TowardZero => x.trunc(),
        Round::TowardNegative => x.floor(),
        Round::TowardPositive => x.ceil(),
        _ => x.round_ties_even(),
    };
    match (bits, signed) {
        (32, true) => whole as i32 as u32 as u64,
        (32, false) => whole as u32 as u64,
        (64, true) => whole as i64 as u64,
        (64, false) => whole as u64,
        (16, true) => whole as i16 as u16 as u64,
        _ => whole as u16 as u64,
    }
}

#[test]
fn floats_to_integers() {
    const VALUES: &[u64] = &[
        0,
        0x8000_0000,
        0x3f00_0000,
        0xbf00_0000,
        0x3fc0_0000,
        0xbfc0_0000,
        0x4020_0000,
        0x4f00_0000,
        0xcf00_0000,
        0x4eff_ffff,
        0x4f80_0000,
        0x5f00_0000,
        0xdf00_0000,
        0x5f80_0000,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0xffc0_0000,
        1,
        0x3eff_ffff,
        0x477f_ff00,
        0x4680_0001,
        0xc700_0000,
    ];
    const DOUBLES: &[u64] = &[
        0,
        1 << 63,
        0x3fe0_0000_0000_0000,
        0x3ff8_0000_0000_0000,
        0x4004_0000_0000_0000,
        0x41df_ffff_ffc0_0000,
        0x41e0_0000_0000_0000,
        0xc1e0_0000_0020_0000,
        0x41ef_ffff_fff0_0000,
        0x43e0_0000_0000_0000,
        0xc3e0_0000_0000_0000,
        0x43f0_0000_0000_0000,
        0x7ff0_0000_0000_0000,
        0xfff0_0000_0000_0000,
        0x7ff8_0000_0000_0000,
        0xfff8_0000_0000_0001,
        1,
    ];
    let mut rows = Vec::new();
    for (word, mode) in MODES {
        for (name, bits, signed) in [
            ("s32", 32, true),
            ("u32", 32, false),
            ("s64", 64, true),
            ("u64", 64, false),
            ("s16", 16, true),
            ("u16", 16, false),
        ] {
            rows.push(row(format!("cvt.{word}i.{name}.f32 $d, $a;"), bits, 32, VALUES, move |a| {
                to_integer(f32::from_bits(a as u32) as f64, mode, bits, signed, false)
            }));
            rows.push(row(format!("cvt.{word}i.{name}.f64 $d, $a;"), bits, 64, DOUBLES, move |a| {
                to_integer(f64::from_bits(a), mode, bits, signed, true)
            }));
            rows.push(row(format!("cvt.{word}i.{name}.f16 $d, $a;"), bits, 16, F16, move |a| {
                let mut loses = false;
                let x: Double = Half::from_bits(a as u128).convert(&mut loses).value;
                to_integer(f64::from_bits(x.to_bits() as u64), mode, bits, signed, false)
            }));
        }
        rows.push(row(format!("cvt.{word}i.f32.f32 $d, $a;"), 32, 32, VALUES, move |a| {
            let x = f32::from_bits(a as u32);
            if x.is_nan() {
                return 0x7fff_ffff;
            }
            x_round(x as f64, mode) as u64
        }));
    }
    rows.push(row("cvt.rzi.ftz.s32.f32 $d, $a;".into(), 32, 32, VALUES, |a| {
        to_integer(f32::from_bits(a as u32) as f64, Round::TowardZero, 32, true, false)
    }));
    check(&rows, 32);
}

fn x_round(x: f64, mode: Round) -> u32 {
    let whole = match mode {
        Round::TowardZero => x.trunc(),
        Round::TowardNegative => x.floor(),
        Round::TowardPositive => x.ceil(),
        _ => x.round_ties_even(),
    };
    (whole as f32).to_bits()
}

#[test]
fn integers_to_floats() {
    let mut rows = Vec::new();
    for (word, mode) in MODES {
        let unsigned = move |a: u64| Single::from_u128_r(a as u128, mode).value.to_bits() as u64;
        let signed = move |a: i64| Single::from_i128_r(a as i128, mode).value.to_bits() as u64;
        rows.push(row(format!("cvt.{word}.f32.u32 $d, $a;"), 32, 32, EDGES, unsigned));
        rows.push(row(format!("cvt.{word}.f32.u64 $d, $a;"), 32, 64, EDGES, unsigned));
        rows.push(row(format!("cvt.{word}.f32.s32 $d, $a;"), 32, 32, EDGES, move |a| signed(a as i32 as i64)));
        rows.push(row(format!("cvt.{word}.f32.s64 $d, $a;"), 32, 64, EDGES, move |a| signed(a as i64)));
        rows.push(row(format!("cvt.{word}.f64.s64 $d, $a;"), 64, 64, EDGES, move |a| {
            Double::from_i128_r(a as i64 as i128, mode).value.to_bits() as u64
        }));
        rows.push(row(format!("cvt.{word}.f16.s32 $d, $a;"), 16, 32, EDGES, move |a| {
            Half::from_i128_r(a as i32 as i128, mode).value.to_bits() as u64
        }));
    }
    check(&rows, 33);
}

fn narrow<A: FloatConvert<B>, B: Float>(a: u64, mode: Round, nan: u64) -> u64 {
    let mut loses = false;
    let r = A::from_bits(a as u128).convert_r(mode, &mut loses).value;
    if r.is_nan() { nan } else { r.to_bits() as u64 }
}

#[test]
fn floats_to_floats() {
    const HALVES: &[u64] = &[
        0,
        0x8000_0000,
        0x3f80_0000,
        0x3f80_1000,
        0x3f80_3000,
        0x3f80_0fff,
        0x3f80_1001,
        0x3f80_8000,
        0x3f81_8000,
        0x477f_e000,
        0x477f_f000,
        0x477f_efff,
        0x4780_0000,
        0x3380_0000,
        0x3300_0000,
        0x3300_0001,
        0x3340_0000,
        0x3880_0000,
        0x387f_f000,
        0x7f7f_ffff,
        0xff7f_8000,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
        0x0000_0001,
        0x0000_8000,
        0x0001_8000,
    ];
    let mut rows = Vec::new();
    for (word, mode) in MODES {
        rows.push(row(format!("cvt.{word}.f32.f64 $d, $a;"), 32, 64, F64, move |a| {
            narrow::<Double, Single>(a, mode, 0x7fff_ffff)
        }));
        rows.push(row(format!("cvt.{word}.f16.f32 $d, $a;"), 16, 32, HALVES, move |a| {
            narrow::<Single, Half>(a, mode, 0x7fff)
        }));
        rows.push(row(format!("cvt.{word}.f16.f64 $d, $a;"), 16, 64, F64, move |a| {
            narrow::<Double, Half>(a, mode, 0x7fff)
        }));
    }
    for (word, mode) in &MODES[..2] {
        let mode = *mode;
        rows.push(row(format!("cvt.{word}.bf16.f32 $d, $a;"), 16, 32, HALVES, move |a| {
            narrow::<Single, BFloat>(a, mode, 0x7fff)
        }));
        rows.push(exact(format!("cvt.{word}.bf16x2.f32 $d, $a, $b;"), &[32; 3], HALVES, move |[a, b, _]| {
            narrow::<Single, BFloat>(a, mode, 0x7fff) << 16 | narrow::<Single, BFloat>(b, mode, 0x7fff)
        }));
        rows.push(exact(format!("cvt.{word}.f16x2.f32 $d, $a, $b;"), &[32; 3], HALVES, move |[a, b, _]| {
            narrow::<Single, Half>(a, mode, 0x7fff) << 16 | narrow::<Single, Half>(b, mode, 0x7fff)
        }));
    }
    rows.push(row("cvt.rn.relu.bf16.f32 $d, $a;".into(), 16, 32, HALVES, |a| {
        let r = narrow::<Single, BFloat>(a, Round::NearestTiesToEven, 0x7fff);
        if r & 0x8000 != 0 { 0 } else { r }
    }));
    rows.push(row("cvt.f32.f16 $d, $a;".into(), 32, 16, F16, |a| {
        narrow::<Half, Single>(a, Round::TowardZero, 0x7fff_ffff)
    }));
    rows.push(row("cvt.rna.tf32.f32 $d, $a;".into(), 32, 32, HALVES, |a| {
        if a & 0x7fff_ffff > 0x7f80_0000 {
            return 0x7fff_ffff;
        }
        // Half a unit added to the magnitude rounds ties away; infinity stays.
        if a & 0x7fff_ffff == 0x7f80_0000 { a } else { (a + 0x1000) & 0xffff_e000 }
    }));
    rows.push(row("cvt.sat.f32.f32 $d, $a;".into(), 32, 32, F32, |a| {
        let x = f32::from_bits(a as u32);
        if x > 0.0 { x.min(1.0).to_bits() as u64 } else { 0 }
    }));
    check(&rows, 34);
}
