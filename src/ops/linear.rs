//! Fully connected layer: `y = x w + b` with x `[n, in]`, w `[in, out]`, y `[n, out]`.
//!
//! Backward: `dx = dy w^T`, `dw = x^T dy`, `db[o] = sum over n of dy[n,o]`.
//!
//! It is the convolution of a map of one pixel with a kernel of one tap, whose reference and counts are also its own.

use super::conv::ConvShape;

/// The sizes of one fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinearShape {
    pub n: usize,
    pub inputs: usize,
    pub outputs: usize,
}

impl LinearShape {
    /// The convolution it is.
    pub fn as_conv(&self) -> ConvShape {
        ConvShape { n: self.n, h: 1, w: 1, c: self.inputs, k: self.outputs, kernel: 1 }
    }
}
