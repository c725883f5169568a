//! `mma.sync`: the tensor core's matrix multiply-accumulate, `D = A * B + C` on one tile.
//!
//! * [`Operation`] names a shape and its types and checks them against the architecture.
//! * [`model`] is the arithmetic of one element, plainly written: products are aligned to
//!   the largest exponent, cut to F fraction bits, added exactly and rounded once. It
//!   follows the published models of the hardware (Microsoft's MMA-Sim).
//! * [`fragment`] says which lane's register holds which matrix element.
//! * [`wmma`] puts larger tiles together, [`quads`] is Volta's shape.
//! * [`fast`] does whole f16, bf16 and tf32 tiles with the same bits, vectorised.

pub mod fast;
pub mod fragment;
pub mod model;
mod operation;
pub mod quads;
pub mod wmma;

pub use operation::*;

/// Runs an operation with 32-bit registers: `a`, `b`, `c` hold [`Operation::a_registers`] ...
/// rows of 32 lanes, `d` receives [`Operation::c_registers`].
///
/// # Panics
/// If a slice has fewer rows than the operation needs, or the operation is an f64 one.
pub fn execute(operation: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows) {
    if !fast::execute(operation, a, b, c, d) {
        execute_slow(operation, a, b, c, d);
    }
}

/// [`execute`] element by element through [`model`]: the yardstick of the fast path.
pub fn execute_slow(operation: &Operation, a: &Rows, b: &Rows, c: &Rows, d: &mut Rows) {
    let tile_a = fragment::gather_a(operation, |r, lane| a[r][lane] as u64);
    let tile_b = fragment::gather_b(operation, |r, lane| b[r][lane] as u64);
    let tile_c = fragment::gather_c(operation, |r, lane| c[r][lane] as u64);
    let tile_d = model::multiply(operation, &tile_a, &tile_b, &tile_c);
    for row in d.iter_mut().take(operation.c_registers()) {
        *row = [0; 32];
    }
    fragment::scatter_d(operation, &tile_d, |r, lane, shift, bits| {
        d[r][lane] |= (bits as u32) << shift;
    });
}

/// Runs an f64 operation; registers are 64 bits wide.
///
/// # Panics
/// If a slice has fewer rows than the operation needs.
pub fn execute_f64(operation: &Operation, a: &[[u64; 32]], b: &[[u64; 32]], c: &[[u64; 32]], d: &mut [[u64; 32]]) {
    let tile_a = fragment::gather_a(operation, |r, lane| a[r][lane]);
    let tile_b = fragment::gather_b(operation, |r, lane| b[r][lane]);
    let tile_c = fragment::gather_c(operation, |r, lane| c[r][lane]);
    let tile_d = model::multiply(operation, &tile_a, &tile_b, &tile_c);
    fragment::scatter_d(operation, &tile_d, |r, lane, _, bits| d[r][lane] = bits);
}
