//! How each pass through a layer is computed: directly, by Winograd's algorithm, or as a product, with its sizes.

use super::count::{BYTES_A_CYCLE, Launch, Machine};
use super::footprint::WINOGRAD;
use super::product::{COUNTERS, PARTS, Product, TILES_OF_A_PART, WORKSPACE_FLOATS, group};
use crate::cuda::units::{
    DIRECT_CHANNELS, DIRECT_ROWS, DIRECT_THREADS, TILES, WINOGRAD_COLUMNS, WINOGRAD_STEP, WINOGRAD_TILES, tiles,
};
use crate::device::Precision;
use crate::ops::conv::ConvShape;
use crate::ops::layer::Pass;
use crate::ops::linear::LinearShape;

/// How a pass is computed.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// By `kernels/conv_direct.cu`: its kernel for the weight gradient, and its bytes of dynamic shared memory.
    Direct {
        gradient: &'static str,
        shared: usize,
    },
    /// By `kernels/conv_winograd.cu`, the channels of the sum in parts.
    Winograd {
        parts: usize,
    },
    Product(Product),
}

/// Shared memory a block may have on every device.
pub const SHARED_LIMIT: usize = 48 << 10;
/// Share of the peak that Winograd's inner loop reaches: of its instructions 70 % are multiply-adds of products, and
/// what is left after two barriers a step makes the gain that of a cycle-level simulator, 1.20 to 1.26 at conv2_2 and
/// batch 64.
const WINOGRAD_EFFICIENCY: f64 = 0.53;

/// A pass through a fully connected layer. `vector`: whether rows of all operands are multiples of 16 bytes.
pub fn linear(s: &LinearShape, pass: Pass, precision: Precision, vector: bool) -> Product {
    let LinearShape { n, inputs, outputs } = *s;
    let (kernel, [rows, columns, inner]) = match pass {
        Pass::Forward { .. } => ("gemm_nn", [n, outputs, inputs]),
        Pass::BackwardData { .. } => ("gemm_nt", [n, inputs, outputs]),
        Pass::BackwardWeight => ("gemm_tn", [inputs, outputs, n]),
    };
    Product::matrix(kernel, precision, [rows, columns, inner], vector)
}

/// A pass through a convolution; `wanted`: Winograd's algorithm always or never where it can be.
pub fn convolution(s: &ConvShape, pass: Pass, precision: Precision, vector: bool, wanted: Option<bool>) -> Way {
    let wide = 16 / precision.storage().size();
    match (pass, direct(s)) {
        (Pass::Forward { .. }, Some(way)) if s.k.is_multiple_of(wide) => way,
        (Pass::BackwardWeight, Some(way)) => way,
        (Pass::BackwardWeight, None) => Way::Product(weight_gradient(s, precision, vector)),
        (Pass::Forward { .. }, _) => gathered(s, false, precision, vector, wanted),
        (Pass::BackwardData { .. }, _) => gathered(s, true, precision, vector, wanted),
    }
}

/// Forward or backward data but for the first layer, whichever way is cheaper. Winograd's algorithm is float32's:
/// tensor cores multiply faster than it saves multiplications.
pub fn gathered(s: &ConvShape, backward: bool, precision: Precision, vector: bool, wanted: Option<bool>) -> Way {
    let parts = if precision == Precision::F32 { winograd(s, backward, wanted) } else { None };
    parts.map_or_else(|| Way::Product(patches(s, backward, precision, vector)), |parts| Way::Winograd { parts })
}

/// The direct way, where there is one.
fn direct(s: &ConvShape) -> Option<Way> {
    let gradient = match (s.kernel, s.c) {
        (3, 1) => "conv_direct_backward_weight_3x3x1",
        (5, 1) => "conv_direct_backward_weight_5x5x1",
        (3, 3) => "conv_direct_backward_weight_3x3x3",
        _ => return None,
    };
    let pad = 2 * s.pad();
    let strip = 4 * (DIRECT_ROWS + pad) * (s.w + pad) * s.c;
    let shared = strip + 4 * usize::max(DIRECT_THREADS, s.w_len() + s.k);
    let fits = shared <= SHARED_LIMIT && DIRECT_THREADS.is_multiple_of(DIRECT_CHANNELS);
    fits.then_some(Way::Direct { gradient, shared })
}

/// Forward or backward data as an implicit product over `inputs` channels at each tap, giving `outputs` channels.
fn patches(s: &ConvShape, backward: bool, precision: Precision, vector: bool) -> Product {
    let (kernel, inputs, outputs) =
        if backward { ("conv_backward_data", s.k, s.c) } else { ("conv_forward", s.c, s.k) };
    let inner = tiles(precision).map(|t| (live_taps(s, t.m) * inputs.next_multiple_of(t.k) as f64).round() as usize);
    Product { kernel, precision, count: 1, rows: s.n * s.h * s.w, columns: outputs, inner, sums: false, vector }
}

/// The weight gradient: a product a tap over the pixels that see the image through it.
fn weight_gradient(s: &ConvShape, precision: Precision, vector: bool) -> Product {
    let pad = s.pad();
    let lines = |size: usize| -> usize { (0..s.kernel).map(|u| size.saturating_sub(u.abs_diff(pad))).sum() };
    let (taps, pixels) = (s.kernel * s.kernel, s.n * lines(s.h) * lines(s.w));
    let inner = [pixels.div_ceil(taps.max(1)); TILES];
    let kernel = "conv_backward_weight";
    Product { kernel, precision, count: taps, rows: s.c, columns: s.k, inner, sums: true, vector }
}

/// Taps through which at least one of a block's rows sees the image, on average over the blocks of so many rows.
fn live_taps(s: &ConvShape, rows: usize) -> f64 {
    let (taps, of_image) = (s.kernel * s.kernel, s.h * s.w);
    let (all, together) = (s.n * of_image, group(s.n, s.h, s.w));
    // Image by image, nearly every block has a row in the middle.
    if together == 1 || all == 0 || taps > 64 {
        return taps as f64;
    }
    let inside = |at: usize, u: usize, size: usize| (s.pad()..size + s.pad()).contains(&(at + u));
    let alive = |position: usize| {
        let sees =
            |tap: usize| inside(position / s.w, tap / s.kernel, s.h) && inside(position % s.w, tap % s.kernel, s.w);
        (0..taps).filter(|&tap| sees(tap)).fold(0u64, |alive, tap| alive | 1 << tap)
    };
    let alive: Vec<u64> = (0..of_image).map(alive).collect();
    let of_block = |first: usize| {
        let (mut row, mut union) = (first, 0);
        while row < all.min(first + rows) {
            let base = row / (together * of_image) * together;
            let images = together.min(s.n - base);
            let rest = row - base * of_image;
            union |= alive[rest / images];
            row += images - rest % images;
        }
        f64::from(union.count_ones())
    };
    (0..all).step_by(rows).map(of_block).sum::<f64>() / all.div_ceil(rows) as f64
}

/// Blocks of one part of a convolution by Winograd's algorithm.
pub fn winograd_blocks(s: &ConvShape, backward: bool) -> usize {
    let columns = if backward { s.c } else { s.k };
    let pieces = s.n * s.h.div_ceil(2) * s.w.div_ceil(2);
    pieces.div_ceil(WINOGRAD_TILES) * columns.div_ceil(WINOGRAD_COLUMNS)
}

/// Cycles of a convolution by Winograd's algorithm.
pub fn winograd_cycles(s: &ConvShape, backward: bool, parts: usize, on: &Machine) -> f64 {
    let steps = if backward { s.k } else { s.c }.div_ceil(WINOGRAD_STEP).div_ceil(parts);
    let multiplications = 16 * WINOGRAD_TILES * WINOGRAD_COLUMNS * WINOGRAD_STEP * steps;
    // Patches of 4x4 and filters of 3x3.
    let read = 4 * (16 * WINOGRAD_TILES + 9 * WINOGRAD_COLUMNS) * WINOGRAD_STEP * steps;
    on.cycles(&Launch {
        blocks: winograd_blocks(s, backward),
        parts,
        of: WINOGRAD,
        products: multiplications as f64 / on.rate / WINOGRAD_EFFICIENCY,
        operands: read as f64 / BYTES_A_CYCLE,
        stored: 4 * WINOGRAD_TILES * WINOGRAD_COLUMNS,
    })
}

/// The parts of a convolution by Winograd's algorithm where it needs fewer cycles than a product; `None` where it does
/// not, or where the kernel is not 3x3.
pub fn winograd(s: &ConvShape, backward: bool, wanted: Option<bool>) -> Option<usize> {
    let blocks = winograd_blocks(s, backward);
    if s.kernel != 3 || blocks == 0 || wanted == Some(false) {
        return None;
    }
    let reference = Machine::reference(Precision::F32);
    let (inputs, floats) = (if backward { s.k } else { s.c }, 4 * WINOGRAD_TILES * WINOGRAD_COLUMNS);
    let least = TILES_OF_A_PART * tiles(Precision::F32)[0].k;
    let fits = |&parts: &usize| {
        let room = blocks * parts * floats <= WORKSPACE_FLOATS && blocks <= COUNTERS;
        parts == 1 || (inputs.next_multiple_of(WINOGRAD_STEP) >= parts * least && room)
    };
    let cost = |parts: usize| winograd_cycles(s, backward, parts, &reference);
    let parts = PARTS.into_iter().filter(fits).min_by(|&a, &b| cost(a).total_cmp(&cost(b)))?;
    let vector = s.c.is_multiple_of(4) && s.k.is_multiple_of(4);
    let product = patches(s, backward, Precision::F32, vector);
    let wins = cost(parts) < product.cycles(&reference, product.plan(&reference, None));
    (wins || wanted == Some(true)).then_some(parts)
}
