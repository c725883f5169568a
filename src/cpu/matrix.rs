//! Matrices as they lie in memory, and parts of them: what products read and what threads write side by side.

use super::vector::Vector;
use std::marker::PhantomData;
use std::ops::Range;

/// A matrix to read. Element `(i, j)` is number `i row + j column` of `data`, so that a transposed matrix or the pixels
/// of an NHWC image need no copy.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    /// Every element of the matrix lies inside.
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
}

/// Elements from the first to the last of a matrix with these strides.
fn span((rows, columns): (usize, usize), (row, column): (usize, usize)) -> Option<usize> {
    if rows == 0 || columns == 0 {
        return Some(0);
    }
    let last = (rows - 1).checked_mul(row)?.checked_add((columns - 1).checked_mul(column)?)?;
    last.checked_add(1)
}

impl<'a> Matrix<'a> {
    /// The matrix of rows that follow each other, each of `columns` elements.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix::spaced(data, rows, columns, columns)
    }

    /// The matrix of rows that start `row` elements apart.
    ///
    /// # Panics
    /// It does not fit into `data`.
    pub fn spaced(data: &'a [f32], rows: usize, columns: usize, row: usize) -> Matrix<'a> {
        let fits = span((rows, columns), (row, 1)).is_some_and(|len| len <= data.len());
        assert!(fits, "a matrix of {rows}x{columns}, {row} apart, in {} elements", data.len());
        Matrix { data, rows, columns, row, column: 1 }
    }

    /// The matrix whose rows and columns are that far apart.
    ///
    /// # Panics
    /// It does not fit into `data`.
    pub fn strided(data: &'a [f32], rows: usize, columns: usize, (row, column): (usize, usize)) -> Matrix<'a> {
        let fits = span((rows, columns), (row, column)).is_some_and(|len| len <= data.len());
        assert!(fits, "a matrix of {rows}x{columns}, {row} and {column} apart, in {} elements", data.len());
        Matrix { data, rows, columns, row, column }
    }

    /// The matrix with rows and columns exchanged.
    pub fn transposed(self) -> Matrix<'a> {
        Matrix { rows: self.columns, columns: self.rows, row: self.column, column: self.row, ..self }
    }

    /// Some of the rows and columns.
    ///
    /// # Panics
    /// They are not all there.
    #[inline]
    pub fn block(self, rows: Range<usize>, columns: Range<usize>) -> Matrix<'a> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(columns.start <= columns.end && columns.end <= self.columns, "columns {columns:?} of {}", self.columns);
        let (height, width) = (rows.len(), columns.len());
        let start = rows.start * self.row + columns.start * self.column;
        // An empty block at the end may start past it.
        let data = self.data.get(start..).unwrap_or_default();
        Matrix { data, rows: height, columns: width, ..self }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Distances of rows and of columns in memory, in elements.
    pub fn strides(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    /// The first element's place. Element `(i, j)` is readable `i row + j column` further on.
    pub fn as_ptr(&self) -> *const f32 {
        self.data.as_ptr()
    }

    /// The elements of row `i` of a matrix whose rows are contiguous.
    ///
    /// # Panics
    /// There are fewer rows, or they are not contiguous.
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [f32] {
        assert!(i < self.rows && self.column == 1, "row {i} of {}", self.rows);
        &self.data[i * self.row..][..self.columns]
    }

    /// The vector of row `i` that starts at `column`.
    ///
    /// # Panics
    /// It is not all there.
    #[inline(always)]
    pub fn vector<V: Vector>(&self, zero: V, i: usize, column: usize) -> V {
        assert!(self.column == 1 && i < self.rows && column < self.columns && V::LANES <= self.columns - column);
        // SAFETY: row i has a vector's elements from `column` on, as was just checked.
        unsafe { zero.read(self.as_ptr().add(i * self.row + column)) }
    }

    /// Checks that a vector can be read at `column` of each of the first `rows` rows, and gives the place and the
    /// distance of the rows.
    ///
    /// # Panics
    /// They are not all there.
    #[inline(always)]
    pub fn vectors<V: Vector>(&self, rows: usize, column: usize) -> (*const f32, usize) {
        assert!(self.column == 1 && rows <= self.rows && column < self.columns && V::LANES <= self.columns - column);
        (self.as_ptr().wrapping_add(column), self.row)
    }
}

/// A matrix to write, or a part of one that no other thread sees. Its rows are contiguous and start `row` elements
/// apart.
pub struct MatrixMut<'a, T = f32> {
    /// For `'a`, this value alone may use the `columns` elements from `at + i row` on, for each `i < rows`.
    at: *mut T,
    rows: usize,
    columns: usize,
    /// At least `columns`, so that rows do not overlap.
    row: usize,
    memory: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for mutable slices (its rows), which may go to another thread.
unsafe impl<T: Send> Send for MatrixMut<'_, T> {}
// SAFETY: by shared reference only its sizes can be read.
unsafe impl<T: Sync> Sync for MatrixMut<'_, T> {}

impl<'a, T> MatrixMut<'a, T> {
    /// The matrix of rows that follow each other, each of `columns` elements.
    pub fn new(data: &'a mut [T], rows: usize, columns: usize) -> MatrixMut<'a, T> {
        MatrixMut::spaced(data, rows, columns, columns)
    }

    /// The matrix of rows that start `row` elements apart.
    ///
    /// # Panics
    /// It does not fit into `data`, or rows overlap.
    pub fn spaced(data: &'a mut [T], rows: usize, columns: usize, row: usize) -> MatrixMut<'a, T> {
        let fits = span((rows, columns), (row, 1)).is_some_and(|len| len <= data.len());
        assert!(fits && columns <= row, "a matrix of {rows}x{columns}, {row} apart, in {} elements", data.len());
        MatrixMut { at: data.as_mut_ptr(), rows, columns, row, memory: PhantomData }
    }

    /// Some of the rows and columns, from row `i` and column `j` on.
    ///
    /// # Safety
    /// They are all there, and nothing else uses them for the lifetime chosen.
    unsafe fn part<'b>(&self, (i, rows): (usize, usize), (j, columns): (usize, usize)) -> MatrixMut<'b, T> {
        // An empty part may start outside of the memory, where no pointer may be made to point by `add`.
        let at = self.at.wrapping_add(i * self.row + j);
        MatrixMut { at, rows, columns, row: self.row, memory: PhantomData }
    }

    /// All of it cut into tiles of `height` rows and `width` columns, fewer at the ends; row after row of tiles.
    ///
    /// ```text
    ///     width
    ///   +-----+-----+--+
    ///   |  0  |  1  | 2|  height
    ///   +-----+-----+--+
    ///   |  3  |  4  | 5|
    ///   +-----+-----+--+
    /// ```
    pub fn tiles(self, height: usize, width: usize) -> Vec<MatrixMut<'a, T>> {
        let mut tiles = Vec::with_capacity(self.rows.div_ceil(height) * self.columns.div_ceil(width));
        for i in (0..self.rows).step_by(height) {
            for j in (0..self.columns).step_by(width) {
                let (rows, columns) = (height.min(self.rows - i), width.min(self.columns - j));
                // SAFETY: tiles do not overlap, and the whole is given up for them.
                tiles.push(unsafe { self.part((i, rows), (j, columns)) });
            }
        }
        tiles
    }

    /// Some of the rows and columns.
    ///
    /// # Panics
    /// They are not all there.
    #[inline]
    pub fn block(&mut self, rows: Range<usize>, columns: Range<usize>) -> MatrixMut<'_, T> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows {rows:?} of {}", self.rows);
        assert!(columns.start <= columns.end && columns.end <= self.columns, "columns {columns:?} of {}", self.columns);
        // SAFETY: checked to be there; the borrow of the whole lasts as long as that of the part.
        unsafe { self.part((rows.start, rows.len()), (columns.start, columns.len())) }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Distance of rows in memory, in elements.
    pub fn stride(&self) -> usize {
        self.row
    }

    /// The first element's place. Element `(i, j)` is writable `i stride + j` further on.
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.at
    }

    /// The elements of row `i`.
    ///
    /// # Panics
    /// There are fewer rows.
    #[inline(always)]
    pub fn row(&mut self, i: usize) -> &mut [T] {
        assert!(i < self.rows, "row {i} of {}", self.rows);
        // SAFETY: the row is there, and only this value may use it.
        unsafe { std::slice::from_raw_parts_mut(self.at.add(i * self.row), self.columns) }
    }
}

impl MatrixMut<'_> {
    /// `value` everywhere.
    pub fn fill(&mut self, value: f32) {
        for i in 0..self.rows {
            self.row(i).fill(value);
        }
    }
}

/// Memory that several tasks write at once, each of them places of its own.
pub struct Shared<'a> {
    at: *mut f32,
    len: usize,
    memory: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is used through `part` alone, whose callers say that nobody else uses what they get.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// All of a slice.
    pub fn new(data: &'a mut [f32]) -> Shared<'a> {
        Shared { at: data.as_mut_ptr(), len: data.len(), memory: PhantomData }
    }

    /// Some of the elements as a matrix, whose rows start `row` apart.
    ///
    /// # Panics
    /// They are not all there, or rows overlap.
    ///
    /// # Safety
    /// Nobody else uses them as long as the matrix lives.
    pub unsafe fn matrix(&self, at: usize, (rows, columns): (usize, usize), row: usize) -> MatrixMut<'_> {
        let fits = span((rows, columns), (row, 1)).is_some_and(|len| at <= self.len && len <= self.len - at);
        assert!(fits && columns <= row, "a matrix of {rows}x{columns}, {row} apart, at {at} of {} elements", self.len);
        MatrixMut { at: self.at.wrapping_add(at), rows, columns, row, memory: PhantomData }
    }

    /// Writes vectors that lie `distance` apart.
    ///
    /// # Panics
    /// They are not all there.
    ///
    /// # Safety
    /// Nobody else uses these elements meanwhile.
    #[inline(always)]
    pub unsafe fn put<V: Vector, const N: usize>(&self, at: usize, distance: usize, vectors: [V; N]) {
        assert!(at + (N - 1) * distance + V::LANES <= self.len, "{N} vectors, {distance} apart, at {at}");
        for (i, v) in vectors.into_iter().enumerate() {
            // SAFETY: inside the slice that it was made of, and the caller's alone.
            unsafe { v.write(self.at.add(at + i * distance)) };
        }
    }

    /// Some of the elements.
    ///
    /// # Panics
    /// They are not all there.
    ///
    /// # Safety
    /// Nobody else uses them as long as the part lives.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, range: Range<usize>) -> &mut [f32] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} elements", self.len);
        // SAFETY: inside the slice that it was made of, and the caller's alone.
        unsafe { std::slice::from_raw_parts_mut(self.at.add(range.start), range.len()) }
    }
}
