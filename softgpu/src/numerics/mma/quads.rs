//! `mma.m8n8k4` with f16: four products of 8 x 8 x 4 at once, each by two groups of four lanes 16 apart (PTX ISA,
//! "Matrix Fragments for mma.m8n8k4 with .f16 floating point type").

use super::model;
use super::operation::{Accumulator, Operation, Rows};

/// How A and B lie in registers: whether by rows.
#[derive(Clone, Copy, Debug)]
pub struct ByRows {
    pub a: bool,
    pub b: bool,
}

/// Row and column of a lane's `i`-th element of f32 sums.
fn place_f32(lane: usize, i: usize) -> (usize, usize) {
    ((lane & 1) + (i & 2) + lane / 16 * 4, (i & 4) + (lane & 2) + (i & 1))
}

/// Row and column of a lane's `i`-th element where a lane has a row of A, or of f16 sums.
fn place_row(lane: usize, i: usize) -> (usize, usize) {
    (lane % 4 + lane / 16 * 4, i)
}

/// A half of a lane's registers.
fn half(rows: &Rows, lane: usize, i: usize) -> u64 {
    u64::from(rows[i / 2][lane] >> (16 * (i % 2)) & 0xffff)
}

/// D = A B + C for each of the four; `c` and `d` are the types of C and D, and where they differ C becomes f32.
///
/// # Panics
/// If a slice has fewer rows than the operation needs.
pub fn execute(op: &Operation, by: ByRows, c_type: Accumulator, [a, b, c]: [&Rows; 3]) -> [[u32; 32]; 8] {
    let mut d = [[0u32; 32]; 8];
    for quad in 0..4 {
        let lanes = || (0..32).filter(move |lane| lane % 16 / 4 == quad);
        let (mut tile_a, mut tile_b, mut tile_c) = ([0u64; 32], [0u64; 32], [0u64; 64]);
        for lane in lanes() {
            let upper = lane / 16 * 4;
            for i in 0..4 {
                let (row, k) = if by.a { place_row(lane, i) } else { (i + upper, lane % 4) };
                tile_a[row * 4 + k] = half(a, lane, i);
                let (k, column) = if by.b { (lane % 4, i + upper) } else { (i, lane % 4 + upper) };
                tile_b[k * 8 + column] = half(b, lane, i);
            }
            for i in 0..8 {
                // the place tells how C lies, the value what the sums are
                let (row, column) = if c_type == Accumulator::F16 { place_row(lane, i) } else { place_f32(lane, i) };
                let f16 = |bits: u64| super::super::half::f16_to_f32(bits as u16).to_bits().into();
                tile_c[row * 8 + column] = match (c_type, op.c) {
                    (Accumulator::F16, Accumulator::F16) => half(c, lane, i),
                    (Accumulator::F16, _) => f16(half(c, lane, i)),
                    _ => c[i][lane].into(),
                };
            }
        }
        let tile_d = model::multiply(op, &tile_a, &tile_b, &tile_c);
        for lane in lanes() {
            for i in 0..8 {
                if op.c == Accumulator::F16 {
                    let (row, column) = place_row(lane, i);
                    d[i / 2][lane] |= (tile_d[row * 8 + column] as u32) << (16 * (i % 2));
                } else {
                    let (row, column) = place_f32(lane, i);
                    d[i][lane] = tile_d[row * 8 + column] as u32;
                }
            }
        }
    }
    d
}
