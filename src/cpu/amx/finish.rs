//! What follows the products: epilogues, and sums over pixels.

use super::numbers::{load16, store16};
use super::runs::Run;
use super::tiles::{Block, SIDE, Tiles};
use crate::cpu::buffer::Room;
use crate::cpu::element::Element;
use crate::cpu::epilogue::Epilogue;
use crate::cpu::matrix::MatrixMut;
use crate::cpu::sums;
use std::arch::x86_64::*;

/// Lanes of a register.
const LANES: usize = 16;

/// Bias and ReLU, or a mask, on a block of results, and their rounding into `y`: the pixels of a run, in the channels
/// from `from` on of `k`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
pub fn finish<T: Element, Y: Element>(
    block: &Block,
    mut y: MatrixMut<Y>,
    end: &Epilogue<T>,
    (run, from): (Run, usize),
    k: usize,
) {
    for (i, sums) in block.0[..y.rows()].iter().enumerate() {
        for (half, to) in y.row(i).chunks_mut(LANES).enumerate() {
            let (sum, channel) = (load16(&sums[half * LANES..]), from + half * LANES);
            let v = match end {
                Epilogue::Bias { bias, relu } => {
                    let v = _mm512_add_ps(sum, load16(&bias[channel..channel + to.len()]));
                    // Where an operand is a NaN, the result is the second one.
                    if *relu { _mm512_max_ps(_mm512_setzero_ps(), v) } else { v }
                }
                Epilogue::Mask(mask) => {
                    let at = (run.first + i * run.distance) * k + channel;
                    let mask = load16(&mask[at..at + to.len()]);
                    _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(mask, _mm512_setzero_ps()), sum)
                }
                Epilogue::None => sum,
            };
            store16(v, to);
        }
    }
}

/// Writes past the caches, for results that are not read soon: memory then need not be read before it is written. What
/// was written is there for other threads when the value is dropped.
pub struct PastCaches(());

impl PastCaches {
    /// A writer.
    pub fn new(_right: Tiles) -> PastCaches {
        PastCaches(())
    }

    /// The first numbers of a row, as many as the slice has. A row that is cut short, or does not start on a boundary
    /// of 64 bytes, is written as usual.
    pub fn write(&mut self, from: &[f32; SIDE], to: &mut [f32]) {
        if to.len() == SIDE && to.as_ptr().addr().is_multiple_of(64) {
            // SAFETY: AVX-512 is there, because the value is made from the right to use it; both are of 32 numbers, and
            // the boundary was just checked.
            unsafe { stream(from, to) }
        } else {
            to.copy_from_slice(&from[..to.len()]);
        }
    }
}

impl Drop for PastCaches {
    fn drop(&mut self) {
        // SAFETY: every processor that has AVX-512 has it.
        unsafe { _mm_sfence() }
    }
}

/// # Safety
/// `to` has as many numbers as `from`, on a boundary of 64 bytes.
#[target_feature(enable = "avx512f")]
unsafe fn stream(from: &[f32; SIDE], to: &mut [f32]) {
    for (from, to) in from.chunks_exact(LANES).zip(to.chunks_exact_mut(LANES)) {
        // SAFETY: 16 numbers each, on a boundary of 64 bytes.
        unsafe { _mm512_stream_ps(to.as_mut_ptr(), _mm512_loadu_ps(from.as_ptr())) }
    }
}

/// Sums of the columns of `m` in float32, in a fixed order.
pub fn column_sums<T: Element>(_right: Tiles, m: &[T], sums: &mut [f32], room: &mut Room) {
    // SAFETY: `_right` proves the instructions.
    sums::column_sums(m, sums, room, |rows, sums| unsafe { add_rows(rows, sums) });
}

/// `sums[j] = rows[0][j] + rows[1][j] + ...`
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn add_rows<T: Element>(rows: &[T], sums: &mut [f32]) {
    /// Columns whose sums are in registers at a time.
    const WIDE: usize = 4 * LANES;
    let columns = sums.len();
    for (first, sums) in sums.chunks_mut(WIDE).enumerate() {
        let mut added = [_mm512_setzero_ps(); WIDE / LANES];
        for row in rows.chunks_exact(columns) {
            let row = &row[first * WIDE..][..sums.len()];
            for (sum, part) in added.iter_mut().zip(row.chunks(LANES)) {
                *sum = _mm512_add_ps(*sum, load16(part));
            }
        }
        for (sum, to) in added.into_iter().zip(sums.chunks_mut(LANES)) {
            store16(sum, to);
        }
    }
}
