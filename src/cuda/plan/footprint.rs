//! What a block of the products' kernels takes of a multiprocessor: the compiler's registers and shared memory.

use crate::cuda::units::{TILES, tiles};
use crate::device::Precision;

/// What a block takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub threads: u32,
    /// Of a thread.
    pub registers: u32,
    /// Bytes.
    pub shared: u32,
}

/// Registers by kernel, precision (float32, tf32, tf32x3, 16 bits) and tile (the wide ones): the most that ptxas gives
/// on any architecture (NVRTC 13.5; 12.9 on those it alone knows), in eights. `tests/cuda/code.rs` asks it.
const REGISTERS: [(&str, [[u32; TILES - 1]; 4]); 6] = [
    ("gemm_nn", [[232, 168, 128], [152, 152, 112], [255, 255, 168], [255, 168, 112]]),
    ("gemm_nt", [[255, 255, 128], [152, 152, 112], [248, 255, 160], [255, 168, 112]]),
    ("gemm_tn", [[168, 168, 128], [144, 144, 112], [248, 248, 160], [255, 168, 112]]),
    ("conv_forward", [[168, 208, 128], [144, 152, 112], [255, 255, 168], [255, 176, 120]]),
    ("conv_backward_data", [[255, 255, 168], [144, 152, 112], [255, 255, 168], [255, 176, 120]]),
    ("conv_backward_weight", [[168, 168, 128], [152, 144, 104], [248, 248, 160], [255, 160, 112]]),
];
/// Those of the widest tile of float32 where two of its blocks are to share a multiprocessor (`RESIDENT_OUTER` of
/// `kernels/tile.cuh`).
const TWO_WIDE: u32 = 128;

/// Of Winograd's kernels, whose block fills a multiprocessor.
pub const WINOGRAD: Footprint = Footprint { threads: 256, registers: 255, shared: 48 << 10 };

/// Of a kernel of `gemm.cu` or `conv.cu` with a tile, on an architecture. The tile for rows of any length counts as the
/// narrowest of the others.
pub fn footprint(kernel: &str, tile: usize, precision: Precision, sm: u32) -> Footprint {
    let column = match precision {
        Precision::F32 => 0,
        Precision::Tf32 => 1,
        Precision::Tf32x3 => 2,
        Precision::Bf16 | Precision::F16 => 3,
    };
    let known = REGISTERS.iter().find(|(name, _)| *name == kernel).map(|(_, registers)| registers[column]);
    let two = precision == Precision::F32 && tile == 0 && (80..100).contains(&sm);
    let registers = match kernel {
        "gemm_tn" | "conv_backward_weight" if two => TWO_WIDE,
        _ => known.map_or(255, |of| of[tile.min(TILES - 2)]),
    };
    let t = tiles(precision)[tile];
    // Rows of k have 4 words of padding in float32 (`kernels/tile.cuh`).
    let padded = |inner: bool| if inner && precision == Precision::F32 { t.k + 4 } else { t.k };
    let (a_inner, b_inner) = match kernel {
        "gemm_nn" | "conv_forward" => (true, false),
        "gemm_nt" | "conv_backward_data" => (true, true),
        _ => (false, false),
    };
    let numbers = t.stages * (t.m * padded(a_inner) + t.n * padded(b_inner));
    let shared = numbers * precision.storage().size();
    Footprint { threads: t.threads() as u32, registers, shared: shared as u32 }
}
