//! Whole tiles of f16, bf16 and tf32 into f32, with the bits of [`super::model`].
//!
//! One column of D is a vector of 16 rows. Two passes over the terms of a step: the first
//! finds the largest exponent, `max(ea + eb)`; the second adds `trunc(a * b * 2^(F - e_max))`
//! in integers. Within a safe range of exponents `a * b` is exact in f32, or so small that it
//! is cut to zero anyway, and the scaling is by a power of two, so each term is exactly the
//! model's. Elements outside that range (huge, infinite, NaN, or e_max very small) mark their
//! row, and marked elements are redone by the model.

// One index runs over several arrays of lanes or rows at once, here and in every loop below.
#![allow(clippy::needless_range_loop)]

use super::super::half::{bf16_to_f32, f16_to_f32};
use super::model;
use super::operation::{Accumulator, Architecture, Element, Operation, Rows};
use range::*;

#[cfg(target_arch = "x86_64")]
mod avx512;
mod range;

/// A and B taken apart: values and exponents, A by column, B by row.
struct Tile {
    a: [[f32; ROWS]; MAX_K],
    a_exponent: [[i32; ROWS]; MAX_K],
    b: [[f32; COLUMNS]; MAX_K],
    b_exponent: [[i32; COLUMNS]; MAX_K],
    c: [[u32; ROWS]; COLUMNS],
    d: [[u32; ROWS]; COLUMNS],
    outside: [u16; COLUMNS],
}

/// Runs an operation if it is one of those handled here; returns whether it was.
///
/// # Panics
/// If a slice has fewer rows than the operation needs.
pub fn execute(op: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows) -> bool {
    #[cfg(target_arch = "x86_64")]
    if handles(op) && crate::host::level() >= 3 {
        let (a, b, c) = (&a[..op.a_registers()], &b[..op.b_registers()], &c[..op.c_registers()]);
        let d = &mut d[..op.c_registers()];
        // SAFETY: the host has the features of its level.
        let outside = unsafe { avx512::run(op, a, b, c, d) };
        redo(op, a, b, c, d, outside);
        return true;
    }
    execute_portable(op, a, b, c, d)
}

/// [`execute`] for hosts without AVX-512.
///
/// # Panics
/// If a slice has fewer rows than the operation needs.
pub fn execute_portable(op: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows) -> bool {
    if !handles(op) {
        return false;
    }
    let (a, b, c) = (&a[..op.a_registers()], &b[..op.b_registers()], &c[..op.c_registers()]);
    let d = &mut d[..op.c_registers()];
    #[cfg(target_arch = "x86_64")]
    if crate::host::level() >= 2 {
        // SAFETY: the host has the features of its level.
        unsafe { run_avx2(op, a, b, c, d) };
        return true;
    }
    run(op, a, b, c, d);
    true
}

fn handles(op: &Operation) -> bool {
    op.architecture != Architecture::Volta
        && op.m == ROWS
        && op.n == COLUMNS
        && op.k <= MAX_K
        && op.c == Accumulator::F32
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(op: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows) {
    run(op, a, b, c, d);
}

#[inline(always)]
fn run(op: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows) {
    let mut tile = Tile {
        a: [[0.0; ROWS]; MAX_K],
        a_exponent: [[ZERO; ROWS]; MAX_K],
        b: [[0.0; COLUMNS]; MAX_K],
        b_exponent: [[ZERO; COLUMNS]; MAX_K],
        c: [[0; ROWS]; COLUMNS],
        d: [[0; ROWS]; COLUMNS],
        outside: [0; COLUMNS],
    };
    match op.a {
        Element::F16 => unpack::<2>(&mut tile, a, b, f16_parts),
        Element::Bf16 => unpack::<2>(&mut tile, a, b, |bits| f32_parts(bf16_to_f32(bits as u16))),
        _ => unpack::<1>(&mut tile, a, b, |bits| f32_parts(f32::from_bits(bits & 0xffff_e000))),
    }
    for lane in 0..32 {
        let (row, column) = (lane / 4, lane % 4 * 2);
        tile.c[column][row] = c[0][lane];
        tile.c[column + 1][row] = c[1][lane];
        tile.c[column][row + 8] = c[2][lane];
        tile.c[column + 1][row + 8] = c[3][lane];
    }
    // Constant parameters let the loops over terms unroll.
    let parameters = model::parameters(op);
    match (op.k, parameters.length, parameters.fraction) {
        (16, 8, 24) => columns::<16, 8, 24>(&mut tile),
        (16, 16, 25) => columns::<16, 16, 25>(&mut tile),
        (8, 8, 24) => columns::<8, 8, 24>(&mut tile),
        (8, 8, 25) => columns::<8, 8, 25>(&mut tile),
        (8, 4, 24) => columns::<8, 4, 24>(&mut tile),
        (4, 4, 24) => columns::<4, 4, 24>(&mut tile),
        _ => columns::<4, 4, 25>(&mut tile),
    }
    for lane in 0..32 {
        let (row, column) = (lane / 4, lane % 4 * 2);
        d[0][lane] = tile.d[column][row];
        d[1][lane] = tile.d[column + 1][row];
        d[2][lane] = tile.d[column][row + 8];
        d[3][lane] = tile.d[column + 1][row + 8];
    }
    redo(op, a, b, c, d, tile.outside);
}

/// Elements the vectors could not do, one by one: `outside` has a mask of rows a column.
#[inline(always)]
fn redo(op: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows, outside: [u16; COLUMNS]) {
    if outside != [0; COLUMNS] {
        redo_marked(op, a, b, c, d, outside);
    }
}

#[cold]
#[inline(never)]
fn redo_marked(op: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows, outside: [u16; COLUMNS]) {
    let left = super::fragment::gather_a(op, |r, lane| a[r][lane] as u64);
    let right = super::fragment::gather_b(op, |r, lane| b[r][lane] as u64);
    for (column, mask) in outside.iter().enumerate() {
        for row in (0..ROWS).filter(|row| mask >> row & 1 != 0) {
            let (r, lane) = (column % 2 + row / 8 * 2, row % 8 * 4 + column / 2);
            let value = model::element(op, |k| left[row * op.k + k], |k| right[k * op.n + column], c[r][lane] as u64);
            d[r][lane] = value as u32;
        }
    }
}

/// Value and exponent of a factor; the exponent of a subnormal is the smallest normal one's.
#[inline(always)]
fn f16_parts(bits: u32) -> (f32, i32) {
    let field = (bits >> 10 & 31) as i32;
    parts(f16_to_f32(bits as u16), field.max(1) - 15, field == 31)
}

#[inline(always)]
fn f32_parts(value: f32) -> (f32, i32) {
    let field = (value.to_bits() >> 23 & 255) as i32;
    parts(value, field.max(1) - 127, field == 255)
}

#[inline(always)]
fn parts(value: f32, exponent: i32, special: bool) -> (f32, i32) {
    let outside = special | (exponent > LARGEST_FACTOR);
    let zero = value == 0.0;
    let exponent = if zero { ZERO } else { exponent };
    (if outside { 0.0 } else { value }, if outside { OUTSIDE } else { exponent })
}

/// Takes the factors apart, `PER` of which lie in a register.
#[inline(always)]
fn unpack<const PER: usize>(tile: &mut Tile, a: &Rows, b: &Rows, parts: impl Fn(u32) -> (f32, i32)) {
    each_factor::<PER>(a, &parts, |r, lane, j, value, exponent| {
        let (row, k) = (lane / 4 + 8 * (r % 2), lane % 4 * PER + j + 4 * PER * (r / 2));
        (tile.a[k][row], tile.a_exponent[k][row]) = (value, exponent);
    });
    each_factor::<PER>(b, &parts, |r, lane, j, value, exponent| {
        let (k, column) = (lane % 4 * PER + j + 4 * PER * r, lane / 4);
        (tile.b[k][column], tile.b_exponent[k][column]) = (value, exponent);
    });
}

/// Calls `put(register, lane, place in the register, value, exponent)` for each factor of a matrix.
#[inline(always)]
fn each_factor<const PER: usize>(
    registers: &Rows,
    parts: impl Fn(u32) -> (f32, i32),
    mut put: impl FnMut(usize, usize, usize, f32, i32),
) {
    for (r, register) in registers.iter().enumerate() {
        for j in 0..PER {
            let mut values = [0.0; 32];
            let mut exponents = [0; 32];
            for lane in 0..32 {
                let bits = if PER == 2 { register[lane] >> (16 * j) & 0xffff } else { register[lane] };
                (values[lane], exponents[lane]) = parts(bits);
            }
            for lane in 0..32 {
                put(r, lane, j, values[lane], exponents[lane]);
            }
        }
    }
}

/// All of D.
#[inline(always)]
fn columns<const K: usize, const LENGTH: usize, const F: i32>(tile: &mut Tile) {
    for column in 0..COLUMNS {
        let mut sum = tile.c[column];
        let mut outside = [0; ROWS];
        for start in (0..K).step_by(LENGTH) {
            step::<LENGTH, F>(tile, column, start, &mut sum, &mut outside);
        }
        tile.d[column] = sum;
        for (row, out) in outside.iter().enumerate() {
            tile.outside[column] |= (*out as u16) << row;
        }
    }
}

/// One fused sum of LENGTH products and the accumulator, for 16 rows. A row that cannot be
/// done here gets a nonzero word in `outside`.
#[inline(always)]
fn step<const LENGTH: usize, const F: i32>(
    tile: &Tile,
    column: usize,
    start: usize,
    sum: &mut [u32; ROWS],
    outside: &mut [u32; ROWS],
) {
    let mut largest = [0i32; ROWS];
    let mut c = [0u32; ROWS];
    for row in 0..ROWS {
        let bits = sum[row];
        let field = (bits >> 23 & 255) as i32;
        let exponent = if bits << 1 == 0 { ZERO } else { field.max(1) - 127 };
        let special = field > LARGEST + 127;
        largest[row] = if special { OUTSIDE } else { exponent };
        c[row] = if special { 0 } else { bits };
    }
    for k in start..start + LENGTH {
        let b = tile.b_exponent[k][column];
        for row in 0..ROWS {
            largest[row] = largest[row].max(tile.a_exponent[k][row] + b);
        }
    }
    let mut scale = [0f32; ROWS];
    let mut exponent = [0i32; ROWS];
    for row in 0..ROWS {
        let e = largest[row];
        // Only zeros: any scale gives zero.
        let e = if e < ZERO / 2 { SMALLEST } else { e };
        let kept = e.clamp(SMALLEST, LARGEST);
        let out = (kept != e) as u32;
        // A marked row is scaled by zero, so that its conversions below stay in range.
        scale[row] = f32::from_bits((((F - kept + 127) as u32) << 23) & out.wrapping_sub(1));
        exponent[row] = kept;
        outside[row] |= out;
    }
    let mut total = [0i32; ROWS];
    for k in start..start + LENGTH {
        let b = tile.b[k][column];
        for row in 0..ROWS {
            let scaled = tile.a[k][row] * b * scale[row];
            // SAFETY: factors are at most 2^61 in size, so the product is finite. A marked
            // row's scale is zero. Otherwise |a * b| < 4 * 2^e_max, so |scaled| < 2^(F + 2).
            total[row] += unsafe { scaled.to_int_unchecked::<i32>() };
        }
    }
    for row in 0..ROWS {
        let scaled = f32::from_bits(c[row]) * scale[row];
        // SAFETY: |c| < 2 * 2^e_max and below infinity, so |scaled| < 2^(F + 1); or zero.
        let cut = unsafe { scaled.to_int_unchecked::<i32>() };
        let power = f32::from_bits(((exponent[row] - F + 127) as u32) << 23);
        sum[row] = if LENGTH == 16 {
            // Sixteen products stay below 2^31, but not with the accumulator: through f64.
            let exact = total[row] as f64 + cut as f64;
            let kept = f64::from_bits(exact.to_bits() & !((1 << 29) - 1));
            (kept as f32 * power).to_bits()
        } else {
            // Towards zero: the nearest f32 of the magnitude, one less where it is larger.
            let exact = total[row] + cut;
            let magnitude = exact.unsigned_abs() as i32;
            let nearest = magnitude as f32;
            // SAFETY: the magnitude is below 2^30.
            let over = unsafe { nearest.to_int_unchecked::<i32>() } > magnitude;
            let kept = f32::from_bits(nearest.to_bits() - over as u32) * power;
            kept.to_bits() | exact as u32 & 0x8000_0000
        };
    }
}
