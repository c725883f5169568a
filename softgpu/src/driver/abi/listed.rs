//! A name for each entry point that softgpu has, made by `build.rs` from `symbols.txt`.

include!(concat!(env!("OUT_DIR"), "/listed.rs"));
// softgpu's own
pub const fn softgpu_set() {}
pub const fn softgpu_take() {}
