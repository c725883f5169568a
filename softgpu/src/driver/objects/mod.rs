//! What the driver knows: contexts and everything in them, as data.

pub mod code;
pub mod copy;
pub mod graph;
pub mod handle;
pub mod memory;
pub mod state;
pub mod stream;
pub mod work;

pub use code::*;
pub use copy::*;
pub use graph::*;
pub use handle::*;
pub use memory::*;
pub use state::*;
pub use stream::*;
pub use work::*;
