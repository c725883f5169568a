//! In the place of AMX on systems that this backend does not use it on.

use super::element::Element;
use super::memory::Slice;
use crate::ops::description::OPERANDS;
use crate::ops::layer::LayerPass;

/// Memory reused from call to call: none.
#[derive(Default)]
pub struct Scratch;

pub mod tiles {
    /// The right to use AMX, which nobody has here.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Tiles {}

    impl Tiles {
        /// None.
        pub fn find() -> Option<Tiles> {
            None
        }
    }
}

/// What nobody can ask for.
pub fn peak_flops(tiles: tiles::Tiles) -> f64 {
    match tiles {}
}

/// A pass through a layer, which nobody can ask for.
pub fn run<T: Element>(tiles: tiles::Tiles, _: &LayerPass, _: [Slice; OPERANDS], _: &mut Scratch) {
    match tiles {}
}
