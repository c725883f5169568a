//! Which lane holds which matrix element (PTX ISA, "Matrix Fragments for mma").
//!
//! With `group = lane / 4` and `member = lane % 4`, and `per` elements in a register, all
//! shapes follow one rule. A: register `r`, element `j` is at row
//! `group + 8 * (r % (m / 8))`, column `member * per + j + 4 * per * (r / (m / 8))`.
//! B: row `member * per + j + 4 * per * r`, column `group`. C and D: element `i` of a lane
//! is at row `group + 8 * (i / 2)`, column `2 * member + i % 2`.

use super::operation::{Accumulator, Element, Operation};

/// Elements in one register.
fn per(element: Element) -> usize {
    (32 / element.bits()).max(1)
}

fn part(register: u64, j: usize, bits: usize) -> u64 {
    if bits == 64 { register } else { (register >> (j * bits)) & ((1 << bits) - 1) }
}

/// A as a row-major m x k matrix of patterns, from `register(index, lane)`.
pub fn gather_a(op: &Operation, register: impl Fn(usize, usize) -> u64) -> Vec<u64> {
    let (per, bits, blocks) = (per(op.a), op.a.bits(), op.m / 8);
    let mut tile = vec![0; op.m * op.k];
    for r in 0..op.a_registers() {
        for lane in 0..32 {
            let value = register(r, lane);
            for j in 0..per {
                let row = lane / 4 + 8 * (r % blocks);
                let column = lane % 4 * per + j + 4 * per * (r / blocks);
                tile[row * op.k + column] = part(value, j, bits);
            }
        }
    }
    tile
}

/// B as a row-major k x n matrix of patterns, from `register(index, lane)`.
pub fn gather_b(op: &Operation, register: impl Fn(usize, usize) -> u64) -> Vec<u64> {
    let (per, bits) = (per(op.b), op.b.bits());
    let mut tile = vec![0; op.k * op.n];
    for r in 0..op.b_registers() {
        for lane in 0..32 {
            let value = register(r, lane);
            for j in 0..per {
                let row = lane % 4 * per + j + 4 * per * r;
                tile[row * op.n + lane / 4] = part(value, j, bits);
            }
        }
    }
    tile
}

/// Calls `f(register, lane, shift, tile index)` for every element of C or D.
fn for_each_c(op: &Operation, mut f: impl FnMut(usize, usize, usize, usize)) {
    let packed = op.c == Accumulator::F16;
    for lane in 0..32 {
        for i in 0..op.m * op.n / 32 {
            let (row, column) = (lane / 4 + 8 * (i / 2), lane % 4 * 2 + i % 2);
            let (register, shift) = if packed { (i / 2, 16 * (i % 2)) } else { (i, 0) };
            f(register, lane, shift, row * op.n + column);
        }
    }
}

/// C as a row-major m x n matrix of patterns, from `register(index, lane)`.
pub fn gather_c(op: &Operation, register: impl Fn(usize, usize) -> u64) -> Vec<u64> {
    let mut tile = vec![0; op.m * op.n];
    let mask = if op.c == Accumulator::F16 { 0xffff } else { !0 };
    for_each_c(op, |r, lane, shift, at| {
        tile[at] = (register(r, lane) >> shift) & mask;
    });
    tile
}

/// Hands each element of D to `put(register, lane, shift, pattern)`.
pub fn scatter_d(op: &Operation, tile: &[u64], mut put: impl FnMut(usize, usize, usize, u64)) {
    for_each_c(op, |r, lane, shift, at| put(r, lane, shift, tile[at]));
}
