//! The weights of a convolution, for it and for its gradient.

/// Weights for a convolution from C to K channels.
#[derive(Clone, Copy)]
pub enum Weights<'a> {
    /// `[kernel, kernel, C, K]`.
    Straight(&'a [f32]),
    /// Those of the convolution from K to C channels whose gradient this one computes, `[kernel, kernel, K, C]`: taps
    /// in reverse order, input and output channels exchanged.
    Turned(&'a [f32]),
}
