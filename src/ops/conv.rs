//! 2-D convolution, stride 1, SAME padding, odd square kernel, NHWC x HWIO -> NHWC.
//!
//! Forward, with `r = (kernel - 1) / 2` and x zero outside the image:
//! `y[n,i,j,k] = b[k] + sum over u,v,c of x[n, i+u-r, j+v-r, c] w[u,v,c,k]`
//!
//! Backward, from `dy = dL/dy` by the chain rule (each y sees each x through exactly one tap):
//! `dx[n,i,j,c] = sum over u,v,k of dy[n, i-u+r, j-v+r, k] w[u,v,c,k]`  (the flipped kernel, channels exchanged)
//! `dw[u,v,c,k] = sum over n,i,j of x[n, i+u-r, j+v-r, c] dy[n,i,j,k]`
//! `db[k]       = sum over n,i,j of dy[n,i,j,k]`

/// The sizes of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConvShape {
    /// Images in the batch.
    pub n: usize,
    /// Height and width of input and output.
    pub h: usize,
    pub w: usize,
    /// Input and output channels.
    pub c: usize,
    pub k: usize,
    /// Height and width of the kernel, an odd number.
    pub kernel: usize,
}

impl ConvShape {
    /// Elements of the input.
    pub fn x_len(&self) -> usize {
        self.n * self.h * self.w * self.c
    }
    /// Elements of the output.
    pub fn y_len(&self) -> usize {
        self.n * self.h * self.w * self.k
    }
    /// Elements of the weights.
    pub fn w_len(&self) -> usize {
        self.kernel * self.kernel * self.c * self.k
    }
    /// Padding on each side.
    pub fn pad(&self) -> usize {
        self.kernel / 2
    }
    /// Floating-point operations of one pass (a multiply-add is 2), counting padding taps.
    pub fn flops(&self) -> u64 {
        2 * (self.y_len() * self.kernel * self.kernel * self.c) as u64
    }
}

/// The input coordinate that output coordinate `i` sees through tap `u`, if it lies inside.
fn tap(i: usize, u: usize, pad: usize, size: usize) -> Option<usize> {
    (i + u).checked_sub(pad).filter(|&p| p < size)
}

/// Calls `f(x_offset, y_offset, w_offset)` for every output pixel and every tap inside the image; the offsets are those
/// of channel 0.
fn for_each_tap(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    for n in 0..s.n {
        for i in 0..s.h {
            for j in 0..s.w {
                for u in 0..s.kernel {
                    let Some(y) = tap(i, u, s.pad(), s.h) else {
                        continue;
                    };
                    for v in 0..s.kernel {
                        let Some(x) = tap(j, v, s.pad(), s.w) else {
                            continue;
                        };
                        f(
                            ((n * s.h + y) * s.w + x) * s.c,
                            ((n * s.h + i) * s.w + j) * s.k,
                            (u * s.kernel + v) * s.c * s.k,
                        );
                    }
                }
            }
        }
    }
}

/// Reference forward pass in f64 (without ReLU).
pub fn forward(s: &ConvShape, x: &[f64], w: &[f64], b: &[f64]) -> Vec<f64> {
    let mut y: Vec<f64> = b.iter().copied().cycle().take(s.y_len()).collect();
    for_each_tap(s, |xo, yo, wo| {
        for c in 0..s.c {
            for k in 0..s.k {
                y[yo + k] += x[xo + c] * w[wo + c * s.k + k];
            }
        }
    });
    y
}

/// Reference gradient of the input in f64.
pub fn backward_data(s: &ConvShape, dy: &[f64], w: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; s.x_len()];
    for_each_tap(s, |xo, yo, wo| {
        for c in 0..s.c {
            for k in 0..s.k {
                dx[xo + c] += dy[yo + k] * w[wo + c * s.k + k];
            }
        }
    });
    dx
}

/// Reference gradients of the weights and the bias in f64.
pub fn backward_weight(s: &ConvShape, x: &[f64], dy: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut dw = vec![0.0; s.w_len()];
    for_each_tap(s, |xo, yo, wo| {
        for c in 0..s.c {
            for k in 0..s.k {
                dw[wo + c * s.k + k] += x[xo + c] * dy[yo + k];
            }
        }
    });
    let mut db = vec![0.0; s.k];
    for pixel in dy.chunks_exact(s.k) {
        for (sum, v) in db.iter_mut().zip(pixel) {
            *sum += v;
        }
    }
    (dw, db)
}
