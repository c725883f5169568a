//! Fully connected layer: `y = x w + b` with x `[n, in]`, w `[in, out]`, y `[n, out]`.
//!
//! Backward: `dx = dy w^T`, `dw = x^T dy`, `db[o] = sum over n of dy[n,o]`.

/// The sizes of one fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinearShape {
    pub n: usize,
    pub inputs: usize,
    pub outputs: usize,
}

impl LinearShape {
    /// Floating-point operations of one pass (a multiply-add is 2).
    pub fn flops(&self) -> u64 {
        2 * (self.n * self.inputs * self.outputs) as u64
    }
    /// Bytes that one pass must move at least.
    pub fn bytes(&self) -> u64 {
        4 * (self.n * (self.inputs + self.outputs) + self.inputs * self.outputs) as u64
    }
}

/// Sums of the columns of a row-major matrix with `columns` columns: the gradient of a bias.
pub fn column_sums(m: &[f64], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for row in m.chunks_exact(columns) {
        for (s, v) in sums.iter_mut().zip(row) {
            *s += v;
        }
    }
    sums
}

/// Reference forward pass in f64 (without ReLU).
pub fn forward(s: &LinearShape, x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let mut y: Vec<f64> = b.iter().copied().cycle().take(s.n * s.outputs).collect();
    for n in 0..s.n {
        for i in 0..s.inputs {
            for o in 0..s.outputs {
                y[n * s.outputs + o] += x[n * s.inputs + i] * w[i * s.outputs + o];
            }
        }
    }
    y
}

/// Reference gradient of the input in f64.
pub fn backward_data(s: &LinearShape, dy: &[f64], w: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; s.n * s.inputs];
    for n in 0..s.n {
        for i in 0..s.inputs {
            for o in 0..s.outputs {
                dx[n * s.inputs + i] += dy[n * s.outputs + o] * w[i * s.outputs + o];
            }
        }
    }
    dx
}

/// Reference gradients of the weights and the bias in f64.
pub fn backward_weight(s: &LinearShape, x: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut dw = vec![0.0; s.inputs * s.outputs];
    for n in 0..s.n {
        for i in 0..s.inputs {
            for o in 0..s.outputs {
                dw[i * s.outputs + o] += x[n * s.inputs + i] * dy[n * s.outputs + o];
            }
        }
    }
    (dw, column_sums(dy, s.outputs))
}
