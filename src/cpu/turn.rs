//! Transposing a matrix, square by square of vectors.

use super::isa::Isa;
use super::matrix::{Matrix, MatrixMut};
use super::vector::{Job, Vector, WIDEST, transpose};

/// `to[j][i] = from[i][j]`, or 0 where a mask of `to`'s size is not positive, on the calling thread.
///
/// # Panics
/// The sizes do not fit each other, or rows are not contiguous.
pub fn turn(isa: Isa, from: Matrix, to: &mut MatrixMut, mask: Option<Matrix>) {
    let (rows, columns) = (from.rows(), from.columns());
    assert!((to.rows(), to.columns()) == (columns, rows) && from.strides().1 == 1, "a turned matrix of another size");
    let fits = |m: Matrix| (m.rows(), m.columns(), m.strides().1) == (columns, rows, 1);
    assert!(mask.is_none_or(fits), "a mask of another size");
    isa.run(Turn { from, to, mask });
}

struct Turn<'a, 'b> {
    from: Matrix<'a>,
    to: &'a mut MatrixMut<'b>,
    mask: Option<Matrix<'a>>,
}

impl Job for Turn<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self, zero: V) {
        let Turn { from, to, mask } = self;
        for i in (0..from.rows()).step_by(V::LANES) {
            for j in (0..from.columns()).step_by(V::LANES) {
                let (rows, columns) = (V::LANES.min(from.rows() - i), V::LANES.min(from.columns() - j));
                let mut square = [zero; WIDEST];
                for (r, v) in square.iter_mut().enumerate().take(rows) {
                    *v = zero.load_first(&from.row(i + r)[j..j + columns]);
                }
                for (c, v) in transpose(square).into_iter().enumerate().take(columns) {
                    let v = match mask {
                        Some(mask) => v.where_positive(zero.load_first(&mask.row(j + c)[i..i + rows])),
                        None => v,
                    };
                    v.store_first(&mut to.row(j + c)[i..i + rows]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for isa in Isa::all() {
            for (rows, columns) in [(1, 1), (3, 40), (17, 16), (33, 5)] {
                let from: Vec<f32> = (0..rows * columns).map(|i| i as f32 + 1.0).collect();
                let mask: Vec<f32> = (0..rows * columns).map(|i| (i % 3) as f32 - 1.0).collect();
                for masked in [false, true] {
                    let mut to = vec![f32::NAN; rows * columns];
                    let m = Matrix::new(&mask, columns, rows);
                    let matrix = Matrix::new(&from, rows, columns);
                    turn(isa, matrix, &mut MatrixMut::new(&mut to, columns, rows), masked.then_some(m));
                    for (at, got) in to.iter().enumerate() {
                        let want = from[at % rows * columns + at / rows];
                        let want = if masked && mask[at] <= 0.0 { 0.0 } else { want };
                        assert_eq!(*got, want, "{rows}x{columns} at {at}");
                    }
                }
            }
        }
    }
}
