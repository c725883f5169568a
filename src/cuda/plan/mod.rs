//! Choosing tiles and parts of a product, from shapes alone: the same on every device, so that results are too.
//!
//! The choice minimises a rough time in clock cycles on a device of [`MULTIPROCESSORS`], each doing so many
//! multiply-adds a cycle ([`rate`]) at the share of its peak that the tile's inner loop can reach.

use super::units::{TILES, WINOGRAD_COLUMNS, WINOGRAD_STEP, WINOGRAD_TILES, tiles};
use crate::device::Precision;
use crate::ops::conv::ConvShape;

/// Multiprocessors of the device the choice is made for; between an RTX 3090 (82) and an H100 (132).
const MULTIPROCESSORS: usize = 108;
/// Floats of workspace that parts may take: 64 MiB.
pub const WORKSPACE_FLOATS: usize = 16 << 20;
/// Parts an inner dimension may be split into.
const PARTS: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Tiles of the inner dimension that a part has at least.
const TILES_OF_A_PART: usize = 4;
/// Share of the peak that each tile's inner loop reaches, by its share of multiply-adds (see docs/results).
const EFFICIENCY: [f64; TILES] = [0.90, 0.88, 0.80, 0.65];
/// The same with tensor cores, which the first tiles keep busy while other instructions are issued; how fast their
/// operands arrive is counted beside it.
const TENSOR_EFFICIENCY: [f64; TILES] = [0.90, 0.80, 0.70, 0.25];

/// Multiply-adds a cycle of a multiprocessor; an A100's with tensor cores.
fn rate(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 128.0,
        Precision::Tf32 => 512.0,
        Precision::Tf32x3 => 512.0 / 3.0,
        Precision::Bf16 | Precision::F16 => 1024.0,
    }
}

/// Share of the peak that Winograd's inner loop reaches: its share of multiply-adds that are of the products, 70 %,
/// less what two barriers a step cost where a multiprocessor has room for one block.
const WINOGRAD_EFFICIENCY: f64 = 0.65;
/// Bytes a cycle that one multiprocessor reads from the second-level cache.
const BYTES_A_CYCLE: f64 = 40.0;
/// Tiles that there are counters for.
pub const COUNTERS: usize = 1 << 14;

/// How a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Index into [`tiles`].
    pub tile: usize,
    /// Parts of the inner dimension; above 1 the last block of each tile adds them.
    pub parts: usize,
}

/// Sizes of a product, or of `count` products of one size in one launch.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    pub precision: Precision,
    pub count: usize,
    pub rows: usize,
    pub columns: usize,
    pub inner: usize,
    /// Whether one more row of blocks sums columns.
    pub sums: bool,
    /// Whether rows of all operands are multiples of 16 bytes.
    pub vector: bool,
}

impl Product {
    /// Blocks of one part.
    pub fn blocks(&self, tile: usize) -> usize {
        let t = tiles(self.precision)[tile];
        (self.count * self.rows.div_ceil(t.m) + usize::from(self.sums)) * self.columns.div_ceil(t.n)
    }

    fn cycles(&self, p: Plan) -> f64 {
        let t = tiles(self.precision)[p.tile];
        let steps = (self.inner.div_ceil(t.k).div_ceil(p.parts) * t.k) as f64;
        let efficiency = if self.precision == Precision::F32 { EFFICIENCY } else { TENSOR_EFFICIENCY }[p.tile];
        let products = (t.m * t.n) as f64 / rate(self.precision) / efficiency;
        let operands = ((t.m + t.n) * self.precision.storage().size()) as f64 / BYTES_A_CYCLE;
        cycles(self.blocks(p.tile), p.parts, steps * products.max(operands), t.m * t.n)
    }

    /// The tile and the parts; `wanted` is a tile to take where it can be.
    pub fn plan(&self, wanted: Option<usize>) -> Plan {
        let all = tiles(self.precision);
        let able = |t: usize| self.vector || all[t].vector == 1;
        let choice = match wanted.filter(|&t| t < TILES && able(t)) {
            Some(t) => vec![t],
            None if self.vector => vec![0, 1, 2],
            None => vec![3],
        };
        let mut best = Plan { tile: choice[0], parts: 1 };
        for tile in choice {
            for parts in PARTS {
                let inner = self.inner.div_ceil(all[tile].k);
                let blocks = self.blocks(tile);
                let floats = blocks * parts * all[tile].m * all[tile].n;
                let fits = parts == 1
                    || (inner >= parts * TILES_OF_A_PART && floats <= WORKSPACE_FLOATS && blocks <= COUNTERS);
                let plan = Plan { tile, parts };
                if fits && self.cycles(plan) < self.cycles(best) {
                    best = plan;
                }
            }
        }
        best
    }
}

/// Cycles of `blocks` blocks in `parts` parts, each computing for so many cycles and storing so many floats.
fn cycles(blocks: usize, parts: usize, computing: f64, stored: usize) -> f64 {
    let work = (blocks * parts).div_ceil(MULTIPROCESSORS) as f64 * computing;
    // Filling the first tile and storing the result overlap with nothing; those of later blocks do with one another.
    let fixed = 1500.0 + stored as f64 / 16.0;
    // The last block of a tile reads what the others wrote, for each tile of the multiprocessor.
    let sums = blocks.div_ceil(MULTIPROCESSORS) as f64;
    let add = match parts {
        1 => 0.0,
        n => sums * (1000.0 + (4 * stored * (n + 1)) as f64 / BYTES_A_CYCLE),
    };
    work + fixed + add
}

/// Blocks of one part of a convolution by Winograd's algorithm (`kernels/conv_winograd.cu`).
pub fn winograd_blocks(s: &ConvShape, backward: bool) -> usize {
    let columns = if backward { s.c } else { s.k };
    let pieces = s.n * s.h.div_ceil(2) * s.w.div_ceil(2);
    pieces.div_ceil(WINOGRAD_TILES) * columns.div_ceil(WINOGRAD_COLUMNS)
}

/// The parts of a convolution by Winograd's algorithm where it needs fewer cycles than products over the taps that see
/// inside the image, 16 multiplications for 4 outputs against at most 36; `None` where it does not, or where the kernel
/// is not 3x3. `wanted`: always or never where it can be.
pub fn winograd(s: &ConvShape, backward: bool, wanted: Option<bool>) -> Option<usize> {
    let blocks = winograd_blocks(s, backward);
    if s.kernel != 3 || blocks == 0 || wanted == Some(false) {
        return None;
    }
    let (inputs, outputs) = if backward { (s.k, s.c) } else { (s.c, s.k) };
    let steps = inputs.div_ceil(WINOGRAD_STEP);
    let floats = 4 * WINOGRAD_TILES * WINOGRAD_COLUMNS;
    let cost = |parts: usize| {
        let multiplications = 16 * WINOGRAD_TILES * WINOGRAD_COLUMNS * WINOGRAD_STEP * steps.div_ceil(parts);
        cycles(blocks, parts, multiplications as f64 / rate(Precision::F32) / WINOGRAD_EFFICIENCY, floats)
    };
    let k = tiles(Precision::F32)[0].k;
    let fits = |&parts: &usize| {
        parts == 1
            || (steps * WINOGRAD_STEP >= parts * TILES_OF_A_PART * k
                && blocks * parts * floats <= WORKSPACE_FLOATS
                && blocks <= COUNTERS)
    };
    let parts = PARTS.into_iter().filter(fits).min_by(|&a, &b| cost(a).total_cmp(&cost(b)))?;
    // Taps inside the image, on average: 3 rows, but 2 at each edge.
    let alive = (3 * s.h - 2) * (3 * s.w - 2) * inputs.next_multiple_of(k) / (s.h * s.w);
    let product = Product {
        precision: Precision::F32,
        count: 1,
        rows: s.n * s.h * s.w,
        columns: outputs,
        inner: alive,
        sums: false,
        vector: s.c.is_multiple_of(4) && s.k.is_multiple_of(4),
    };
    let wins = cost(parts) < product.cycles(product.plan(None));
    (wins || wanted == Some(true)).then_some(parts)
}

/// Images numbered together in a convolution's rows (`kernels/conv.cu`): all, up to 128, on maps small enough for
/// padding to matter; else image by image.
pub fn group(images: usize, h: usize, w: usize) -> usize {
    if h * w <= 14 * 14 { images.clamp(1, 128) } else { 1 }
}

/// A number to divide by, as `Divisor` of `kernels/common.cuh`: `q = x multiplier >> shift`, exact for x < 2^31.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divisor {
    pub divisor: u32,
    pub multiplier: u32,
    pub shift: u32,
}

impl Divisor {
    /// For divisors from 1 to 2^31; 0 is taken as 1.
    pub fn new(divisor: usize) -> Divisor {
        let d = divisor.max(1) as u64;
        let log = u64::BITS - (d - 1).leading_zeros();
        let shift = 31 + log;
        Divisor { divisor: d as u32, multiplier: (1u64 << shift).div_ceil(d) as u32, shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_are_exact() {
        for d in [1usize, 2, 3, 5, 7, 10, 28, 64, 100, 641, 6700417, (1 << 31) - 1] {
            let by = Divisor::new(d);
            let numbers = (0..2000u64).chain((0..64).flat_map(|i| {
                let near = (1u64 << 31) / d as u64 * d as u64;
                [(1u64 << 31) - 1 - i, near.saturating_sub(i), (i * 48_611_773) % (1 << 31)]
            }));
            for x in numbers.filter(|&x| x < 1 << 31) {
                let q = (x * u64::from(by.multiplier)) >> by.shift;
                assert_eq!(q, x / d as u64, "{x} / {d}");
            }
        }
    }

    #[test]
    fn winograd_is_taken_where_it_wins() {
        let shape = |size: usize, channels: usize, k: usize, kernel: usize| ConvShape {
            n: 64,
            h: size,
            w: size,
            c: channels,
            k,
            kernel,
        };
        for (size, c, k, wins) in [
            (28, 64, 64, true),
            (14, 128, 128, true),
            (7, 256, 256, true),
            (4, 512, 512, true),
            // One piece covers the map: 16 multiplications either way, and transforms on top.
            (2, 512, 512, false),
        ] {
            for backward in [false, true] {
                let s = shape(size, c, k, 3);
                assert_eq!(winograd(&s, backward, None).is_some(), wins, "{s:?}");
                assert!(winograd(&s, backward, Some(true)).is_some());
                assert!(winograd(&s, backward, Some(false)).is_none());
            }
        }
        assert_eq!(winograd(&shape(14, 32, 64, 5), false, Some(true)), None);
    }

    #[test]
    fn plans_fill_the_device_and_stay_in_the_workspace() {
        // The 2x2 maps of VGG19 at batch 64: 8 blocks of 128x128 would leave most of a device idle.
        let p = Product {
            precision: Precision::F32,
            count: 1,
            rows: 256,
            columns: 512,
            inner: 4608,
            sums: false,
            vector: true,
        };
        let plan = p.plan(None);
        assert!(p.blocks(plan.tile) * plan.parts >= MULTIPROCESSORS / 2, "{plan:?}");
        // A large product needs no parts and takes the widest tile.
        let p = Product {
            precision: Precision::F32,
            count: 1,
            rows: 50_176,
            columns: 128,
            inner: 1152,
            sums: false,
            vector: true,
        };
        assert_eq!(p.plan(None), Plan { tile: 0, parts: 1 });
        // Rows that are not multiples of 16 bytes take the scalar tile.
        let p = Product {
            precision: Precision::F32,
            count: 1,
            rows: 64,
            columns: 10,
            inner: 1000,
            sums: false,
            vector: false,
        };
        assert_eq!(p.plan(None).tile, 3);
    }
}
