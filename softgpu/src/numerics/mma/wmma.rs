//! `wmma`: products of larger tiles, put together from those of `mma`.
//!
//! The ISA leaves open which lane holds what of a fragment. Here a fragment is one of `mma` ([`super::fragment`]) or
//! two of them side by side, so that a product is two of `mma` with their arithmetic: of 16 x 16 tiles by halves of B,
//! of 32 x 8 by halves of A; 8 x 32 tiles are transposed, `D^T = B^T A^T + C^T`. f16 factors have eight registers in
//! every shape: where fewer hold all of a matrix, the others repeat them.

use super::super::half::{f16_to_f32, f32_to_f16};
use super::operation::{Accumulator, Operation, Rows};
use super::{execute, execute_f64};

/// Which matrix a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matrix {
    A,
    B,
    /// C or D.
    C,
}

/// A fragment of a matrix.
#[derive(Clone, Copy, Debug)]
pub struct Fragment {
    pub matrix: Matrix,
    /// The whole product's shape.
    pub shape: [usize; 3],
    /// Bits of an element.
    pub bits: usize,
    /// Registers of a lane, of 32 bits, or 64 for f64.
    pub registers: usize,
}

impl Fragment {
    /// Rows and columns of the matrix.
    pub fn size(&self) -> (usize, usize) {
        let [m, n, k] = self.shape;
        match self.matrix {
            Matrix::A => (m, k),
            Matrix::B => (k, n),
            Matrix::C => (m, n),
        }
    }

    /// Elements in a register.
    pub fn per(&self) -> usize {
        (32 / self.bits).max(1)
    }

    /// Bytes of a lane's registers, to which rows are aligned in memory.
    pub fn bytes(&self) -> usize {
        self.registers * self.bits.max(32) / 8
    }

    /// Row and column of an element: the `j`-th of a lane's register.
    pub fn place(&self, register: usize, lane: usize, j: usize) -> (usize, usize) {
        let ([m, n, k], per) = (self.shape, self.per());
        let (group, member) = (lane / 4, lane % 4);
        // transposed, A and B change places
        let transposed = n == 32;
        let height = if m == 8 && n == 8 { 8 } else { 16 };
        let (row, column) = match (self.matrix, transposed) {
            (Matrix::C, _) => {
                let i = register * per + j;
                let (piece, i) = (i / (height / 4), i % (height / 4));
                let (row, column) = (group + 8 * (i / 2), 2 * member + i % 2);
                if n == 16 { (row, column + 8 * piece) } else { (row + 16 * piece, column) }
            }
            (Matrix::A, false) | (Matrix::B, true) => {
                let of_piece = height * k / (32 * per);
                let rows = if transposed { n } else { m };
                let (piece, r) = (register / of_piece % (rows / height), register % of_piece);
                let row = group + 8 * (r % (height / 8)) + height * piece;
                (row, member * per + j + 4 * per * (r / (height / 8)))
            }
            _ => {
                let of_piece = 8 * k / (32 * per);
                let columns = if transposed { m } else { n };
                let (piece, r) = (register / of_piece % (columns / 8), register % of_piece);
                (member * per + j + 4 * per * r, group + 8 * piece)
            }
        };
        if transposed { (column, row) } else { (row, column) }
    }
}

/// A product of `wmma` with 32-bit registers.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// What each half is.
    pub half: Operation,
    /// Columns of the whole: 16, 8 (of 32 rows), or 32 (of 8 rows).
    pub n: usize,
    /// Types of C and D where they are not the operation's.
    pub c: Accumulator,
    pub d: Accumulator,
}

/// The registers of C or D.
pub type Sums = [[u32; 32]; 8];

/// D = A B + C. Where only one of C and D is f16, sums are f32: C is exact in it, and D is rounded at the end.
///
/// # Panics
/// If `a` or `b` has fewer rows than the product needs.
pub fn multiply(p: &Product, a: &Rows, b: &Rows, c: &Sums) -> Sums {
    let op = &p.half;
    let c = if p.c == op.c { *c } else { widened(c) };
    let (na, nb, nc) = (op.a_registers(), op.b_registers(), op.c_registers());
    let mut d = [[0; 32]; 8];
    for piece in 0..2 {
        let (left, right) = match p.n {
            16 => (&a[..na], &b[piece * nb..][..nb]),
            8 => (&a[piece * na..][..na], &b[..nb]),
            _ => (&b[piece * na..][..na], &a[..nb]),
        };
        execute(op, left, right, &c[piece * nc..][..nc], &mut d[piece * nc..][..nc]);
    }
    if p.d == op.c { d } else { narrowed(&d) }
}

/// The same of f64, 8 x 8 x 4.
///
/// # Panics
/// If a slice has fewer rows than the product needs.
pub fn multiply_f64(op: &Operation, a: &[[u64; 32]], b: &[[u64; 32]], c: &[[u64; 32]]) -> [[u64; 32]; 2] {
    let mut d = [[0; 32]; 2];
    execute_f64(op, a, b, c, &mut d);
    d
}

/// f16 sums in four registers as f32 ones in eight.
fn widened(c: &Sums) -> Sums {
    std::array::from_fn(|r| c[r / 2].map(|pair| f16_to_f32((pair >> (16 * (r % 2))) as u16).to_bits()))
}

fn narrowed(d: &Sums) -> Sums {
    let half = |bits: u32| u32::from(f32_to_f16(f32::from_bits(bits)));
    let pair = |r: usize| std::array::from_fn(|l| half(d[2 * r][l]) | half(d[2 * r + 1][l]) << 16);
    std::array::from_fn(|r| if r < 4 { pair(r) } else { [0; 32] })
}
