//! Arithmetic on parts of a word, against a part-by-part calculation in 64-bit integers.

use super::{Row, check, exact, integer::EDGES};

/// The parts of a word, low ones first.
fn parts(word: u64, bits: u32, signed: bool) -> Vec<i64> {
    (0..32 / bits)
        .map(|n| {
            let field = (word >> (n * bits) & ((1 << bits) - 1)) as i64;
            let negative = signed && field >= 1 << (bits - 1);
            if negative { field - (1 << bits) } else { field }
        })
        .collect()
}

fn joined(values: &[i64], bits: u32) -> u64 {
    let field = |(n, v): (usize, &i64)| (*v as u64 & ((1 << bits) - 1)) << (n as u32 * bits);
    values.iter().enumerate().map(field).sum()
}

type OnParts = fn(i64, i64) -> i64;

fn row(text: String, bits: u32, [sa, sb]: [bool; 2], f: OnParts) -> Row {
    exact(format!("{text} $d, $a, $b, $c;"), &[32; 4], EDGES, move |[a, b, _]| {
        let pairs = parts(a, bits, sa).into_iter().zip(parts(b, bits, sb));
        joined(&pairs.map(|(x, y)| f(x, y)).collect::<Vec<_>>(), bits)
    })
}

const OPERATIONS: [(&str, OnParts); 6] = [
    ("vadd", |a, b| a + b),
    ("vsub", |a, b| a - b),
    ("vavrg", |a, b| if a + b >= 0 { (a + b + 1) >> 1 } else { (a + b) >> 1 }),
    ("vabsdiff", |a, b| (a - b).abs()),
    ("vmin", i64::min),
    ("vmax", i64::max),
];

#[test]
fn video_instructions_on_parts() {
    let mut rows = Vec::new();
    for (name, f) in OPERATIONS {
        for count in [2, 4] {
            let bits = 32 / count;
            for (types, signs) in
                [("u32.u32.u32", [false, false]), ("s32.s32.s32", [true, true]), ("s32.u32.s32", [false, true])]
            {
                rows.push(row(format!("{name}{count}.{types}"), bits, signs, f));
            }
            rows.push(exact(
                format!("{name}{count}.s32.s32.s32.add $d, $a, $b, $c;"),
                &[32; 4],
                EDGES,
                move |[a, b, c]| {
                    let pairs = parts(a, bits, true).into_iter().zip(parts(b, bits, true));
                    c.wrapping_add(pairs.map(|(x, y)| f(x, y)).sum::<i64>() as u64)
                },
            ));
        }
    }
    rows.push(row("vadd4.s32.s32.s32.sat".into(), 8, [true; 2], |a, b| (a + b).clamp(-128, 127)));
    rows.push(row("vsub2.u32.u32.u32.sat".into(), 16, [false; 2], |a, b| (a - b).clamp(0, 65535)));
    rows.push(row("vset2.s32.s32.lt".into(), 16, [true; 2], |a, b| (a < b).into()));
    rows.push(row("vset4.u32.u32.ge".into(), 8, [false; 2], |a, b| (a >= b).into()));
    rows.push(row("vset4.u32.u32.ne".into(), 8, [false; 2], |a, b| (a != b).into()));
    check(&rows, 21);
}

/// Which sm_90 has; NVRTC makes them of `__vadd2`, `__vimax_s16x2_relu` and the like.
#[test]
fn packed_integers_and_relu() {
    let two = |text: &str, signed: bool, f: OnParts| {
        let mut row = row(text.into(), 16, [signed; 2], f);
        row.text = format!("{text} $d, $a, $b;");
        row.widths.pop();
        row
    };
    let word = |text: &str, f: fn(i32, i32) -> i32| {
        exact(text, &[32; 3], EDGES, move |[a, b, _]| f(a as i32, b as i32) as u32 as u64)
    };
    check(
        &[
            two("add.u16x2", false, |a, b| a + b),
            two("add.s16x2", true, |a, b| a + b),
            two("min.u16x2", false, i64::min),
            two("max.s16x2", true, i64::max),
            two("min.relu.s16x2", true, |a, b| a.min(b).max(0)),
            two("max.relu.s16x2", true, |a, b| a.max(b).max(0)),
            word("min.relu.s32 $d, $a, $b;", |a, b| a.min(b).max(0)),
            word("max.relu.s32 $d, $a, $b;", |a, b| a.max(b).max(0)),
        ],
        22,
    );
}
