//! Operations as kernel launches: a plan is chosen, and what kernels ask for beyond views that fit is checked.
//! `product` has matrix products and linear layers, `conv` convolutions by products or, for the first layer, directly,
//! `winograd` those by Winograd's algorithm, `pointwise` pools, dropout, casts and the loss, `optimizer` what follows
//! the gradients, `naive` what fast kernels are compared with.

mod batch;
mod conv;
mod launching;
pub mod naive;
mod optimizer;
mod pointwise;
pub mod product;
mod winograd;

use super::device::CudaDevice;
use crate::error::Result;
use crate::ops::layer::{LayerPass, LayerShape};
use crate::ops::operation::{Kind, Operation};
use launching::Addresses;

/// Launches what computes an operation.
pub fn run(d: &mut CudaDevice, operation: &Operation, at: Addresses) -> Result<()> {
    let precision = operation.precision();
    match operation.kind() {
        Kind::Gather(g) => batch::gather(d, precision, g, at),
        Kind::Layer(LayerPass { shape: LayerShape::Conv(s), pass }) => conv::run(d, precision, s, *pass, at),
        Kind::Layer(LayerPass { shape: LayerShape::Linear(s), pass }) => product::linear(d, precision, s, *pass, at),
        Kind::Pool(p) => pointwise::pool(d, operation, &p.shape, at),
        Kind::Dropout(o) => pointwise::dropout(d, precision, o, at),
        Kind::Loss(l) => pointwise::loss(d, precision, l, at),
        Kind::Softmax(s) => pointwise::softmax(d, s, at),
        Kind::Cast(c) => pointwise::cast(d, precision, c, at),
        Kind::Scaling(s) => optimizer::scaling(d, precision, s, at),
        Kind::Adam(a) => optimizer::adam(d, precision, a, at),
        Kind::Sgd(s) => optimizer::sgd(d, precision, s, at),
    }
}
