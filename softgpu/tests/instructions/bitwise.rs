//! Shifts, bit fields, permutation, counting.

use crate::integer::EDGES;
use crate::{check, exact};

#[test]
fn shifts_past_the_width() {
    check(
        &[
            exact("shl.b32 $d, $a, $b;", &[32; 3], EDGES, |[a, b, _]| {
                (a as u32).checked_shl(b as u32).unwrap_or(0) as u64
            }),
            exact("shr.u32 $d, $a, $b;", &[32; 3], EDGES, |[a, b, _]| {
                (a as u32).checked_shr(b as u32).unwrap_or(0) as u64
            }),
            exact("shr.s32 $d, $a, $b;", &[32; 3], EDGES, |[a, b, _]| (a as i32 >> b.min(31)) as u32 as u64),
            exact("shl.b64 $d, $a, $b;", &[64, 64, 32], EDGES, |[a, b, _]| a.checked_shl(b as u32).unwrap_or(0)),
            exact("shr.s64 $d, $a, $b;", &[64, 64, 32], EDGES, |[a, b, _]| (a as i64 >> b.min(63)) as u64),
            exact("shl.b16 $d, $a, $b;", &[16, 16, 32], EDGES, |[a, b, _]| if b > 15 { 0 } else { a << b }),
            exact("shr.s16 $d, $a, $b;", &[16, 16, 32], EDGES, |[a, b, _]| (a as i16 >> b.min(15)) as u16 as u64),
            exact("shf.l.clamp.b32 $d, $a, $b, $c;", &[32; 4], EDGES, |[a, b, c]| {
                (((b << 32 | a) as u128) << c.min(32) >> 32) as u32 as u64
            }),
            exact("shf.r.clamp.b32 $d, $a, $b, $c;", &[32; 4], EDGES, |[a, b, c]| {
                (b << 32 | a) >> c.min(32) & 0xffff_ffff
            }),
            exact("shf.l.wrap.b32 $d, $a, $b, $c;", &[32; 4], EDGES, |[a, b, c]| {
                (((b << 32 | a) as u128) << (c & 31) >> 32) as u32 as u64
            }),
            exact("shf.r.wrap.b32 $d, $a, $b, $c;", &[32; 4], EDGES, |[a, b, c]| {
                (b << 32 | a) >> (c & 31) & 0xffff_ffff
            }),
        ],
        11,
    );
}

/// The ISA's own loop.
fn bfe(a: u64, b: u64, c: u64, top: u64, signed: bool) -> u64 {
    let (position, length) = (b & 255, c & 255);
    let sign = if signed && length != 0 { a >> (position + length - 1).min(top) & 1 } else { 0 };
    (0..=top).fold(0, |d, i| {
        let bit = if i < length && position + i <= top { a >> (position + i) & 1 } else { sign };
        d | bit << i
    })
}

fn bfi(a: u64, b: u64, position: u64, length: u64, top: u64) -> u64 {
    let (position, length) = (position & 255, length & 255);
    let mut d = b;
    for i in 0..length {
        if position + i <= top {
            d = d & !(1 << (position + i)) | (a >> i & 1) << (position + i);
        }
    }
    d
}

#[test]
fn fields() {
    check(
        &[
            exact("bfe.u32 $d, $a, $b, $c;", &[32; 4], EDGES, |[a, b, c]| bfe(a, b, c, 31, false)),
            exact("bfe.s32 $d, $a, $b, $c;", &[32; 4], EDGES, |[a, b, c]| bfe(a, b, c, 31, true)),
            exact("bfe.u64 $d, $a, $b, $c;", &[64, 64, 32, 32], EDGES, |[a, b, c]| bfe(a, b, c, 63, false)),
            exact("bfe.s64 $d, $a, $b, $c;", &[64, 64, 32, 32], EDGES, |[a, b, c]| bfe(a, b, c, 63, true)),
            exact("bfi.b32 $d, $a, $b, $c, 9;", &[32; 4], EDGES, |[a, b, c]| bfi(a, b, c, 9, 31)),
            exact("bfi.b32 $d, $a, $b, 5, $c;", &[32; 4], EDGES, |[a, b, c]| bfi(a, b, 5, c, 31)),
            exact("bfi.b64 $d, $a, $b, $c, 40;", &[64, 64, 64, 32], EDGES, |[a, b, c]| bfi(a, b, c, 40, 63)),
        ],
        12,
    );
}

#[test]
fn counting() {
    let find = |a: u64, bits: u32| (0..bits).rev().find(|i| a >> i & 1 != 0);
    check(
        &[
            exact("popc.b32 $d, $a;", &[32, 32], EDGES, |[a, ..]| a.count_ones() as u64),
            exact("popc.b64 $d, $a;", &[32, 64], EDGES, |[a, ..]| a.count_ones() as u64),
            exact("clz.b32 $d, $a;", &[32, 32], EDGES, |[a, ..]| (a as u32).leading_zeros() as u64),
            exact("clz.b64 $d, $a;", &[32, 64], EDGES, |[a, ..]| a.leading_zeros() as u64),
            exact("brev.b32 $d, $a;", &[32, 32], EDGES, |[a, ..]| (a as u32).reverse_bits() as u64),
            exact("brev.b64 $d, $a;", &[64, 64], EDGES, |[a, ..]| a.reverse_bits()),
            exact("bfind.u32 $d, $a;", &[32, 32], EDGES, move |[a, ..]| find(a, 32).unwrap_or(u32::MAX) as u64),
            exact("bfind.s32 $d, $a;", &[32, 32], EDGES, move |[a, ..]| {
                let a = if a >> 31 != 0 { !a & 0xffff_ffff } else { a };
                find(a, 32).unwrap_or(u32::MAX) as u64
            }),
            exact("bfind.shiftamt.u32 $d, $a;", &[32, 32], EDGES, move |[a, ..]| {
                find(a, 32).map_or(u32::MAX, |i| 31 - i) as u64
            }),
            exact("bfind.s64 $d, $a;", &[32, 64], EDGES, move |[a, ..]| {
                let a = if a >> 63 != 0 { !a } else { a };
                find(a, 64).unwrap_or(u32::MAX) as u64
            }),
        ],
        13,
    );
}

#[test]
fn logic_and_permutation() {
    let mut rows = vec![
        exact("and.b32 $d, $a, $b;", &[32; 3], EDGES, |[a, b, _]| a & b),
        exact("or.b64 $d, $a, $b;", &[64; 3], EDGES, |[a, b, _]| a | b),
        exact("xor.b16 $d, $a, $b;", &[16; 3], EDGES, |[a, b, _]| a ^ b),
        exact("not.b32 $d, $a;", &[32, 32], EDGES, |[a, ..]| !a),
    ];
    for table in [0x00u64, 0x80, 0xe8, 0x96, 0xd2, 0x1b, 0xfe, 0xff] {
        rows.push(exact(format!("lop3.b32 $d, $a, $b, $c, {table};"), &[32; 4], EDGES, move |[a, b, c]| {
            (0..32).fold(0, |d, i| {
                let row = (a >> i & 1) << 2 | (b >> i & 1) << 1 | (c >> i & 1);
                d | (table >> row & 1) << i
            })
        }));
    }
    let bytes = |a: u64, b: u64| (b << 32 | a).to_le_bytes();
    let pack = |v: [u8; 4]| u32::from_le_bytes(v) as u64;
    rows.push(exact("prmt.b32 $d, $a, $b, $c;", &[32; 4], EDGES, move |[a, b, c]| {
        pack(std::array::from_fn(|i| {
            let n = (c >> (4 * i) & 15) as usize;
            let byte = bytes(a, b)[n & 7];
            match n & 8 {
                0 => byte,
                _ if byte & 0x80 != 0 => 0xff,
                _ => 0,
            }
        }))
    }));
    // Byte numbers from the ISA's tables, byte 0 of the result first, by selector.
    for (mode, table) in [
        ("f4e", [[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]]),
        ("b4e", [[0, 7, 6, 5], [1, 0, 7, 6], [2, 1, 0, 7], [3, 2, 1, 0]]),
        ("rc8", [[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2], [3, 3, 3, 3]]),
        ("ecl", [[0, 1, 2, 3], [1, 1, 2, 3], [2, 2, 2, 3], [3, 3, 3, 3]]),
        ("ecr", [[0, 0, 0, 0], [0, 1, 1, 1], [0, 1, 2, 2], [0, 1, 2, 3]]),
        ("rc16", [[0, 1, 0, 1], [2, 3, 2, 3], [0, 1, 0, 1], [2, 3, 2, 3]]),
    ] {
        rows.push(exact(format!("prmt.b32.{mode} $d, $a, $b, $c;"), &[32; 4], EDGES, move |[a, b, c]| {
            pack(table[c as usize & 3].map(|i: usize| bytes(a, b)[i]))
        }));
    }
    check(&rows, 14);
}
