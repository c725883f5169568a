//! 3x3 convolution by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144.
//!
//! For one tile, with d its 6x6 input and g the kernel (Lavin and Gray, arXiv 1509.09308):
//! `Y = A^T [(G g G^T) . (B^T d B)] A`, where `.` multiplies element by element. Summed over input channels, each of
//! the 36 elements is a matrix product `[tiles, C] x [C, K]`. The weight gradient is the transposed map of the same
//! form: `dg = G^T [(A dY A^T) . (B^T d B)] G`, summed over tiles.
//!
//! ```text
//!   map      6x6 tiles,         36 products       tiles         map
//!            4 pixels apart     [tiles,C][C,K]
//!   x  --->  B^T d B  ------->  . G g G^T  ---->  A^T m A  ---> y
//! ```
//!
//! A task takes some tiles and some channels all the way, so that what is transformed stays in its second-level cache.
//!
//! `lines` has the transforms of one line of a tile and their points, `tiles` those of whole tiles, `plan` where things
//! lie, `forward` and `gradient` the tasks.

mod forward;
mod gradient;
mod lines;
mod plan;
mod tiles;

use crate::ops::conv::ConvShape;

pub use forward::forward;
pub use gradient::backward_weight;

/// Output pixels of a tile along an axis.
const M: usize = 4;
/// Input pixels of a tile along an axis.
const T: usize = 6;
/// Channels handled at once.
const L: usize = 16;
/// Elements of a transformed tile.
const F: usize = T * T;
/// Channels of a block: input and output channels that a task multiplies at a time.
const BLOCK: usize = 64;

/// Whether a convolution is computed this way: the channels fill vectors, and the map is worth a tile.
pub fn applies(s: &ConvShape) -> bool {
    s.kernel == 3 && s.c.is_multiple_of(L) && s.k.is_multiple_of(L) && s.h >= 3 && s.w >= 3
}

fn env(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}
