//! Sums over rows, cut into parts that are added in order.

use super::buffer::Room;
use super::parallel::for_each;
use rayon::prelude::*;

/// Parts that a column sum is cut into; a constant, so that the order of the sum does not depend on the machine.
const PARTS: usize = 32;

/// `sums[j] = m[0][j] + m[1][j] + ...` for rows of as many numbers, in a fixed order; `add_rows` is the same for some
/// of the rows.
pub fn column_sums<T: Sync>(
    m: &[T],
    sums: &mut [f32],
    room: &mut Room,
    add_rows: impl Fn(&[T], &mut [f32]) + Send + Sync,
) {
    let columns = sums.len();
    let rows = m.len() / columns;
    let partial: &mut [f32] = room.of(PARTS * columns);
    for_each(partial.par_chunks_mut(columns), |part, sums| {
        add_rows(&m[rows * part / PARTS * columns..rows * (part + 1) / PARTS * columns], sums);
    });
    add_parts(partial, sums);
}

/// `sums[j] = parts[0][j] + parts[1][j] + ...`
pub fn add_parts(parts: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for part in parts.chunks_exact(sums.len()) {
        for (s, v) in sums.iter_mut().zip(part) {
            *s += v;
        }
    }
}
