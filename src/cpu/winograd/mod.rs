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
//! Transformed tiles are 2.25 times as large as the map and transformed weights 4 times as large as the weights, so
//! that the transforms cost more memory traffic than arithmetic. A task therefore takes some tiles and some channels
//! all the way, and what it transforms stays in its second-level cache.
//!
//! `lines` has the transforms of one line of a tile and their points, `tiles` and `weights` those of whole tiles,
//! `plan` where things lie, `forward` and `gradient` the tasks.

mod forward;
mod gradient;
mod lines;
mod plan;
mod ready;
mod tiles;
mod weights;

pub use forward::forward;
pub use gradient::backward_weight;
pub use plan::applies;
