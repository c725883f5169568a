//! 2x2 max-pool, stride 2, TensorFlow SAME: odd sizes round up, the missing row and column never win.
//!
//! `y[n,i,j,c] = max over p,q in {0,1} inside the image of x[n, 2i+p, 2j+q, c]`
//! The position `2p + q` of the first maximum (in that order) is stored as one byte; backward sends the whole
//! gradient there: `dx[n, 2i+p, 2j+q, c] = dy[n,i,j,c] if argmax = 2p + q else 0`. A NaN wins.

use super::description::{Description, Operand};
use super::view::{DType, Precision};

/// The sizes of one pooling layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PoolShape {
    pub n: usize,
    /// Height and width of the input.
    pub h: usize,
    pub w: usize,
    pub c: usize,
}

impl PoolShape {
    /// Height of the output: `ceil(h / 2)`.
    pub fn out_h(&self) -> usize {
        self.h.div_ceil(2)
    }
    /// Width of the output: `ceil(w / 2)`.
    pub fn out_w(&self) -> usize {
        self.w.div_ceil(2)
    }
    /// Elements of the input.
    pub fn x_len(&self) -> usize {
        self.n * self.h * self.w * self.c
    }
    /// Elements of the output.
    pub fn y_len(&self) -> usize {
        self.n * self.out_h() * self.out_w() * self.c
    }
    /// Comparisons of the forward pass.
    pub fn flops(&self) -> u64 {
        3 * self.y_len() as u64
    }
}

/// A pass through a pooling layer. Views: `x, y, argmax` or `dy, argmax, dx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    pub shape: PoolShape,
    pub backward: bool,
}

impl Pool {
    /// Its name, operands and work.
    pub fn describe(&self, precision: Precision) -> Description {
        let (x_len, y_len, activation) = (self.shape.x_len(), self.shape.y_len(), precision.storage());
        let (name, operands) = if self.backward {
            let (dy, argmax) = (Operand::read("dy", activation, y_len), Operand::read("argmax", DType::U8, y_len));
            ("pool_backward", vec![dy, argmax, Operand::write("dx", activation, x_len)])
        } else {
            let (x, y) = (Operand::read("x", activation, x_len), Operand::write("y", activation, y_len));
            ("pool_forward", vec![x, y, Operand::write("argmax", DType::U8, y_len)])
        };
        Description::new(name, format!("{:?}", self.shape), operands)
    }

    /// The reference in f64.
    pub fn reference(&self, values: &mut [Vec<f64>]) {
        match (self.backward, values) {
            (false, [x, y, argmax]) => (*y, *argmax) = forward(&self.shape, x),
            (true, [dy, argmax, dx]) => *dx = backward(&self.shape, dy, argmax),
            (_, values) => panic!("{self:?} of {} values", values.len()),
        }
    }
}

/// Calls `f(position, x_offset, y_offset)` for every element of every window, windows in order, positions in order.
fn for_each_element(s: &PoolShape, mut f: impl FnMut(f64, usize, usize)) {
    for n in 0..s.n {
        for i in 0..s.out_h() {
            for j in 0..s.out_w() {
                for c in 0..s.c {
                    let y = ((n * s.out_h() + i) * s.out_w() + j) * s.c + c;
                    for (p, q) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                        if 2 * i + p < s.h && 2 * j + q < s.w {
                            let x = ((n * s.h + 2 * i + p) * s.w + 2 * j + q) * s.c + c;
                            f((2 * p + q) as f64, x, y);
                        }
                    }
                }
            }
        }
    }
}

/// Reference forward pass: the maxima and their positions.
pub fn forward(s: &PoolShape, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut y = vec![f64::NEG_INFINITY; s.y_len()];
    let mut argmax = vec![0.0; s.y_len()];
    for_each_element(s, |position, xo, yo| {
        if position == 0.0 || x[xo] > y[yo] || (x[xo].is_nan() && !y[yo].is_nan()) {
            (y[yo], argmax[yo]) = (x[xo], position);
        }
    });
    (y, argmax)
}

/// Reference gradient of the input.
pub fn backward(s: &PoolShape, dy: &[f64], argmax: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; s.x_len()];
    for_each_element(s, |position, xo, yo| {
        if argmax[yo] == position {
            dx[xo] = dy[yo];
        }
    });
    dx
}
