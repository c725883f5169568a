//! Integer arithmetic.

use crate::{Row, check, exact};

pub const EDGES: &[u64] = &[
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7f_ffff,
    0x80_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_8000_0000,
];

fn two(name: &str, bits: u32, f: impl Fn(u64, u64) -> u64 + 'static) -> Row {
    exact(format!("{name} $d, $a, $b;"), &[bits; 3], EDGES, move |[a, b, _]| f(a, b))
}

fn three(name: &str, bits: u32, f: impl Fn(u64, u64, u64) -> u64 + 'static) -> Row {
    exact(format!("{name} $d, $a, $b, $c;"), &[bits; 4], EDGES, move |[a, b, c]| f(a, b, c))
}

#[test]
fn sums_and_products() {
    check(
        &[
            two("add.s32", 32, |a, b| (a as u32).wrapping_add(b as u32) as u64),
            two("add.u64", 64, u64::wrapping_add),
            two("add.s16", 16, |a, b| (a as u16).wrapping_add(b as u16) as u64),
            two("sub.s32", 32, |a, b| (a as u32).wrapping_sub(b as u32) as u64),
            two("sub.s64", 64, u64::wrapping_sub),
            two("add.sat.s32", 32, |a, b| (a as i32).saturating_add(b as i32) as u32 as u64),
            two("sub.sat.s32", 32, |a, b| (a as i32).saturating_sub(b as i32) as u32 as u64),
            two("mul.lo.s32", 32, |a, b| (a as u32).wrapping_mul(b as u32) as u64),
            two("mul.lo.u64", 64, u64::wrapping_mul),
            two("mul.lo.s16", 16, |a, b| (a as u16).wrapping_mul(b as u16) as u64),
            two("mul.hi.s32", 32, |a, b| ((a as i32 as i64 * b as i32 as i64) >> 32) as u64),
            two("mul.hi.u32", 32, |a, b| (a * b) >> 32),
            two("mul.hi.s64", 64, |a, b| ((a as i64 as i128 * b as i64 as i128) >> 64) as u64),
            two("mul.hi.u64", 64, |a, b| ((a as u128 * b as u128) >> 64) as u64),
            two("mul.hi.u16", 16, |a, b| (a * b) >> 16),
            exact("mul.wide.s32 $d, $a, $b;", &[64, 32, 32], EDGES, |[a, b, _]| {
                (a as i32 as i64 * b as i32 as i64) as u64
            }),
            exact("mul.wide.u32 $d, $a, $b;", &[64, 32, 32], EDGES, |[a, b, _]| a * b),
            exact("mul.wide.s16 $d, $a, $b;", &[32, 16, 16], EDGES, |[a, b, _]| {
                (a as i16 as i32 * b as i16 as i32) as u32 as u64
            }),
            exact("mad.wide.u32 $d, $a, $b, $c;", &[64, 32, 32, 64], EDGES, |[a, b, c]| (a * b).wrapping_add(c)),
            three("mad.lo.s32", 32, |a, b, c| (a as u32).wrapping_mul(b as u32).wrapping_add(c as u32) as u64),
            three("mad.hi.s32", 32, |a, b, c| {
                (((a as i32 as i64 * b as i32 as i64) >> 32) as u32).wrapping_add(c as u32) as u64
            }),
            three("mad.hi.u32", 32, |a, b, c| (((a * b) >> 32) as u32).wrapping_add(c as u32) as u64),
            three("sad.s32", 32, |a, b, c| (a as i32).abs_diff(b as i32).wrapping_add(c as u32) as u64),
            three("sad.u32", 32, |a, b, c| (a as u32).abs_diff(b as u32).wrapping_add(c as u32) as u64),
            two("mul24.lo.s32", 32, |a, b| (((a << 40) as i64 >> 40) * ((b << 40) as i64 >> 40)) as u32 as u64),
            two("mul24.lo.u32", 32, |a, b| ((a & 0xff_ffff) * (b & 0xff_ffff)) & 0xffff_ffff),
            three("mad24.lo.u32", 32, |a, b, c| ((a & 0xff_ffff) * (b & 0xff_ffff) + c) & 0xffff_ffff),
        ],
        1,
    );
}

#[test]
fn division_and_its_edges() {
    let guard = |b: u64| if b == 0 { None } else { Some(b) };
    check(
        &[
            two("div.s32", 32, move |a, b| match guard(b) {
                None => u32::MAX as u64,
                Some(b) => (a as i32).wrapping_div(b as i32) as u32 as u64,
            }),
            two("rem.s32", 32, move |a, b| match guard(b) {
                None => u32::MAX as u64,
                Some(b) => (a as i32).wrapping_rem(b as i32) as u32 as u64,
            }),
            two("div.u32", 32, move |a, b| guard(b).map_or(u32::MAX as u64, |b| a / b)),
            two("rem.u32", 32, move |a, b| guard(b).map_or(u32::MAX as u64, |b| a % b)),
            two("div.s64", 64, move |a, b| match guard(b) {
                None => u64::MAX,
                Some(b) => (a as i64).wrapping_div(b as i64) as u64,
            }),
            two("rem.u64", 64, move |a, b| guard(b).map_or(u64::MAX, |b| a % b)),
            two("div.s16", 16, move |a, b| match guard(b) {
                None => 0xffff,
                Some(b) => (a as i16).wrapping_div(b as i16) as u16 as u64,
            }),
        ],
        2,
    );
}

#[test]
fn comparisons_and_selection() {
    let mut rows = vec![
        two("min.s32", 32, |a, b| (a as i32).min(b as i32) as u32 as u64),
        two("max.s32", 32, |a, b| (a as i32).max(b as i32) as u32 as u64),
        two("min.u32", 32, |a, b| a.min(b)),
        two("max.s64", 64, |a, b| (a as i64).max(b as i64) as u64),
        two("min.s16", 16, |a, b| (a as i16).min(b as i16) as u16 as u64),
        exact("abs.s32 $d, $a;", &[32, 32], EDGES, |[a, ..]| (a as i32).wrapping_abs() as u32 as u64),
        exact("neg.s64 $d, $a;", &[64, 64], EDGES, |[a, ..]| a.wrapping_neg()),
        exact("cnot.b32 $d, $a;", &[32, 32], EDGES, |[a, ..]| (a == 0) as u64),
        exact("slct.u32.s32 $d, $a, $b, $c;", &[32; 4], EDGES, |[a, b, c]| if c as i32 >= 0 { a } else { b }),
    ];
    for (word, f) in [
        ("eq", (|a, b| a == b) as fn(i64, i64) -> bool),
        ("ne", |a, b| a != b),
        ("lt", |a, b| a < b),
        ("le", |a, b| a <= b),
        ("gt", |a, b| a > b),
        ("ge", |a, b| a >= b),
    ] {
        rows.push(exact(format!("setp.{word}.s32 $d, $a, $b;"), &[1, 32, 32], EDGES, move |[a, b, _]| {
            f(a as i32 as i64, b as i32 as i64) as u64
        }));
        rows.push(exact(format!("setp.{word}.u32 $d, $a, $b;"), &[1, 32, 32], EDGES, move |[a, b, _]| {
            f(a as i64, b as i64) as u64
        }));
        rows.push(exact(format!("setp.{word}.s64 $d, $a, $b;"), &[1, 64, 64], EDGES, move |[a, b, _]| {
            f(a as i64, b as i64) as u64
        }));
    }
    check(&rows, 3);
}

/// What an instruction leaves in a 16-bit register has 16 bits, whoever reads it next.
#[test]
fn registers_of_16_bits() {
    type Op = fn(u16, u16) -> u16;
    let list: [(&str, Op); 17] = [
        ("add.s16 %s, $a, $b;", |a, b| a.wrapping_add(b)),
        ("sub.s16 %s, $a, $b;", |a, b| a.wrapping_sub(b)),
        ("mul.lo.s16 %s, $a, $b;", |a, b| a.wrapping_mul(b)),
        ("mul.hi.s16 %s, $a, $b;", |a, b| ((a as i16 as i32 * b as i16 as i32) >> 16) as u16),
        ("mad.lo.s16 %s, $a, $b, $a;", |a, b| a.wrapping_mul(b).wrapping_add(a)),
        ("neg.s16 %s, $a;", |a, _| a.wrapping_neg()),
        ("abs.s16 %s, $a;", |a, _| (a as i16).wrapping_abs() as u16),
        ("not.b16 %s, $a;", |a, _| !a),
        ("min.s16 %s, $a, $b;", |a, b| (a as i16).min(b as i16) as u16),
        ("max.s16 %s, $a, $b;", |a, b| (a as i16).max(b as i16) as u16),
        ("shr.s16 %s, $a, 3;", |a, _| (a as i16 >> 3) as u16),
        ("shl.b16 %s, $a, 3;", |a, _| a << 3),
        ("cvt.s16.s8 %s, $a;", |a, _| a as i8 as u16),
        ("cvt.s8.s16 %s, $a;", |a, _| a as i8 as u16),
        ("{ .reg .b32 %w; cvt.s32.s16 %w, $a; cvt.s16.s32 %s, %w; }", |a, _| a),
        ("ld.global.s8 %s, [%x];", |a, _| a as i8 as u16),
        ("ld.global.s16 %s, [%x];", |a, _| a),
    ];
    let mut rows = Vec::new();
    for (text, f) in list {
        let row = |next: &str, width, g: fn(u16, u16) -> u64| {
            exact(format!("{{ .reg .b16 %s; {text} {next} }}"), &[width, 16, 16], EDGES, move |[a, b, _]| {
                g(f(a as u16, b as u16), b as u16)
            })
        };
        rows.push(row("div.u16 $d, %s, 3;", 16, |s, _| s as u64 / 3));
        rows.push(row("setp.lt.u16 $d, %s, $b;", 1, |s, b| (s < b) as u64));
        rows.push(row("setp.lt.s16 $d, %s, $b;", 1, |s, b| ((s as i16) < b as i16) as u64));
        rows.push(row("cvt.u32.u16 $d, %s;", 32, |s, _| s as u64));
        rows.push(row("shr.u16 $d, %s, 2;", 16, |s, _| s as u64 >> 2));
        rows.push(row("mul.wide.u16 $d, %s, $b;", 32, |s, b| s as u64 * b as u64));
        rows.push(row("mov.b32 $d, {%s, $b};", 32, |s, b| s as u64 | (b as u64) << 16));
        rows.push(row("max.u16 $d, %s, $b;", 16, |s, b| s.max(b) as u64));
    }
    check(&rows, 6);
}

#[test]
fn carries() {
    check(
        &[
            exact("{ .reg .b32 %l; add.cc.u32 %l, $a, $b; addc.u32 $d, $c, 0; }", &[32; 4], EDGES, |[a, b, c]| {
                c.wrapping_add((a + b) >> 32)
            }),
            exact("{ .reg .b32 %l; sub.cc.u32 %l, $a, $b; subc.u32 $d, $c, 0; }", &[32; 4], EDGES, |[a, b, c]| {
                (c as u32).wrapping_sub((a < b) as u32) as u64
            }),
            // NVRTC's own 128-bit division reads the flag of a subtraction as a carry
            exact("{ .reg .b32 %l; sub.cc.u32 %l, $a, $b; addc.u32 $d, $c, 0; }", &[32; 4], EDGES, |[a, b, c]| {
                (c as u32).wrapping_add((a >= b) as u32) as u64
            }),
            exact("{ .reg .b32 %l; add.cc.u32 %l, $a, $b; subc.u32 $d, $c, 0; }", &[32; 4], EDGES, |[a, b, c]| {
                (c as u32).wrapping_sub(((a + b) >> 32 == 0) as u32) as u64
            }),
            exact(
                "{ .reg .b32 %l; mad.lo.cc.u32 %l, $a, $b, $c; madc.hi.u32 $d, $a, $b, 5; }",
                &[32; 4],
                EDGES,
                |[a, b, c]| ((a * b) >> 32) + 5 + ((((a * b) & 0xffff_ffff) + c) >> 32),
            ),
        ],
        4,
    );
}

#[test]
fn dot_products() {
    let byte = |x: u64, i: u32| (x >> (8 * i)) as u8;
    check(
        &[
            three("dp4a.s32.s32", 32, move |a, b, c| {
                (0..4).fold(c as u32, |s, i| s.wrapping_add((byte(a, i) as i8 as i32 * byte(b, i) as i8 as i32) as u32))
                    as u64
            }),
            three("dp4a.u32.s32", 32, move |a, b, c| {
                (0..4).fold(c as u32, |s, i| s.wrapping_add((byte(a, i) as i32 * byte(b, i) as i8 as i32) as u32))
                    as u64
            }),
            three("dp2a.hi.s32.u32", 32, move |a, b, c| {
                (0..2).fold(c as u32, |s, i| {
                    let word = (a >> (16 * i)) as i16 as i32;
                    s.wrapping_add((word * byte(b, 2 + i) as i32) as u32)
                }) as u64
            }),
        ],
        5,
    );
}
