//! A product as blocks compute it: its tile, and the parts of its inner dimension.

use super::count::{BYTES_A_CYCLE, Launch, Machine};
use super::footprint::footprint;
use crate::cuda::units::{TILES, tiles};
use crate::device::Precision;

/// Floats of workspace that parts may take: 64 MiB.
pub const WORKSPACE_FLOATS: usize = 16 << 20;
/// Parts an inner dimension may be split into.
pub(super) const PARTS: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Tiles of the inner dimension that a part has at least.
pub(super) const TILES_OF_A_PART: usize = 4;
/// Share of the peak that each tile's inner loop reaches, by its share of multiply-adds (see docs/results).
const EFFICIENCY: [f64; TILES] = [0.90, 0.88, 0.80, 0.65];
/// The same with tensor cores, which the first tiles keep busy while other instructions are issued; how fast their
/// operands arrive is counted beside it.
const TENSOR_EFFICIENCY: [f64; TILES] = [0.90, 0.80, 0.70, 0.25];
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
    /// The kernel that computes it.
    pub kernel: &'static str,
    pub precision: Precision,
    pub count: usize,
    pub rows: usize,
    pub columns: usize,
    /// On average over the blocks, by tile: some leave out what is padding for all of their rows.
    pub inner: [usize; TILES],
    /// Whether one more row of blocks sums columns.
    pub sums: bool,
    /// Whether rows of all operands are multiples of 16 bytes.
    pub vector: bool,
}

impl Product {
    /// A product of matrices: rows and columns of the result, and the inner dimension.
    pub fn matrix(
        kernel: &'static str,
        precision: Precision,
        [rows, columns, inner]: [usize; 3],
        vector: bool,
    ) -> Product {
        let sums = kernel == "gemm_tn";
        Product { kernel, precision, count: 1, rows, columns, inner: [inner; TILES], sums, vector }
    }

    /// Blocks of one part.
    pub fn blocks(&self, tile: usize) -> usize {
        let t = tiles(self.precision)[tile];
        (self.count * self.rows.div_ceil(t.m) + usize::from(self.sums)) * self.columns.div_ceil(t.n)
    }

    /// Whether the order of its sums depends on the tile: what a block leaves out depends on its rows.
    fn is_bound_to_its_tile(&self) -> bool {
        matches!(self.kernel, "conv_forward" | "conv_backward_data")
    }

    /// Cycles on a device.
    pub fn cycles(&self, on: &Machine, p: Plan) -> f64 {
        let t = tiles(self.precision)[p.tile];
        let steps = (self.inner[p.tile].div_ceil(t.k).div_ceil(p.parts) * t.k) as f64;
        let efficiency = if self.precision == Precision::F32 { EFFICIENCY } else { TENSOR_EFFICIENCY }[p.tile];
        on.cycles(&Launch {
            blocks: self.blocks(p.tile),
            parts: p.parts,
            of: footprint(self.kernel, p.tile, self.precision, on.limits.sm),
            products: steps * (t.m * t.n) as f64 / on.rate / efficiency,
            operands: steps * ((t.m + t.n) * self.precision.storage().size()) as f64 / BYTES_A_CYCLE,
            stored: t.m * t.n,
        })
    }

    /// The tiles that can compute it and are considered.
    fn tiles(&self) -> std::ops::Range<usize> {
        if self.vector { 0..TILES - 1 } else { TILES - 1..TILES }
    }

    /// Whether so many parts are worth their sums and fit the workspace with any of the tiles.
    fn fits(&self, parts: usize, mut with: impl Iterator<Item = usize>) -> bool {
        parts == 1
            || with.all(|tile| {
                let (t, blocks) = (tiles(self.precision)[tile], self.blocks(tile));
                self.inner[tile].div_ceil(t.k) >= parts * TILES_OF_A_PART
                    && blocks * parts * t.m * t.n <= WORKSPACE_FLOATS
                    && blocks <= COUNTERS
            })
    }

    /// The parts by shape alone, and the tile that is fastest on a device with them, or by shape where it is bound to
    /// its tile; `wanted` is a tile to take where it can be.
    pub fn plan(&self, on: &Machine, wanted: Option<usize>) -> Plan {
        let reference = Machine::reference(self.precision);
        let wanted = wanted.filter(|&t| t < TILES && (self.vector || tiles(self.precision)[t].vector == 1));
        let bound = self.is_bound_to_its_tile();
        let considered = match wanted {
            Some(tile) if bound => tile..tile + 1,
            _ => self.tiles(),
        };
        let fastest = |on: &Machine, plans: &mut dyn Iterator<Item = Plan>| {
            plans.min_by(|&a, &b| self.cycles(on, a).total_cmp(&self.cycles(on, b)))
        };
        let one = Plan { tile: considered.start, parts: 1 };
        let parts = |tile: usize| {
            let with = if bound { tile..tile + 1 } else { considered.clone() };
            PARTS
                .into_iter()
                .filter(move |&parts| self.fits(parts, with.clone()))
                .map(move |parts| Plan { tile, parts })
        };
        let by_shape = fastest(&reference, &mut considered.clone().flat_map(parts)).unwrap_or(one);
        match wanted {
            _ if bound => by_shape,
            Some(tile) => Plan { tile, ..by_shape },
            None => fastest(on, &mut considered.map(|tile| Plan { tile, ..by_shape })).unwrap_or(by_shape),
        }
    }
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
    use crate::cuda::driver::Properties;
    use crate::cuda::plan::layers::{self, Way, gathered, winograd};
    use crate::cuda::plan::predict;
    use crate::ops::conv::ConvShape;

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

    fn shape(size: usize, channels: usize) -> ConvShape {
        ConvShape { n: 64, h: size, w: size, c: channels, k: channels, kernel: 3 }
    }

    fn matrix([rows, columns, inner]: [usize; 3], vector: bool) -> Product {
        Product::matrix("gemm_nn", Precision::F32, [rows, columns, inner], vector)
    }

    #[test]
    fn winograd_is_taken_where_it_wins() {
        // On 2x2 one piece covers the map: 16 multiplications either way, and transforms on top.
        for (size, channels, wins) in [(28, 64, true), (14, 128, true), (2, 512, false)] {
            for backward in [false, true] {
                let s = shape(size, channels);
                assert_eq!(winograd(&s, backward, None).is_some(), wins, "{s:?}");
                assert!(winograd(&s, backward, Some(true)).is_some());
                assert!(winograd(&s, backward, Some(false)).is_none());
            }
        }
        assert_eq!(winograd(&ConvShape { kernel: 5, ..shape(14, 32) }, false, Some(true)), None);
    }

    /// What a cycle-level simulator saw at conv2_2 and batch 64.
    #[test]
    fn winograds_gain_is_the_simulators() {
        let (s, on) = (shape(14, 128), Machine::reference(Precision::F32));
        let Way::Product(product) = gathered(&s, false, Precision::F32, true, Some(false)) else {
            panic!("no product")
        };
        let gain = product.cycles(&on, product.plan(&on, None)) / layers::winograd_cycles(&s, false, 1, &on);
        assert!((1.20..=1.26).contains(&gain), "{gain}");
    }

    #[test]
    fn plans_fill_the_device_and_stay_in_the_workspace() {
        let reference = Machine::reference(Precision::F32);
        // Few tiles of 128x128 would leave most of a device idle.
        let p = matrix([256, 512, 4608], true);
        let plan = p.plan(&reference, None);
        assert!(p.blocks(plan.tile) * plan.parts >= reference.multiprocessors / 2, "{plan:?}");
        // A product with a tile for every multiprocessor needs no parts.
        assert_eq!(matrix([108 * 128, 128, 1152], true).plan(&reference, None).parts, 1);
        // Rows that are not multiples of 16 bytes take the scalar tile.
        assert_eq!(matrix([64, 10, 1000], false).plan(&reference, None).tile, 3);
    }

    /// The contract on bits: parts do not depend on the device or on the tile that is asked for.
    #[test]
    fn parts_follow_the_shape_alone() {
        let small = Properties { multiprocessors: 4, ..predict::card("GTX 1080").unwrap() };
        let large = predict::card("H100").unwrap();
        for precision in [Precision::F32, Precision::Bf16] {
            for sizes in [[64, 4096, 4096], [128, 1000, 4096], [512, 512, 64], [16, 16, 4096]] {
                let p = Product::matrix("gemm_tn", precision, sizes, true);
                let parts = p.plan(&Machine::of(&large, precision), None).parts;
                for on in [&small, &large].map(|card| Machine::of(card, precision)) {
                    for wanted in [None, Some(0), Some(1), Some(2)] {
                        assert_eq!(p.plan(&on, wanted).parts, parts, "{sizes:?} {wanted:?}");
                    }
                }
            }
            // An implicit convolution keeps its tile too.
            let Way::Product(p) = gathered(&shape(4, 512), false, precision, true, Some(false)) else {
                panic!("no product")
            };
            assert_eq!(p.plan(&Machine::of(&small, precision), None), p.plan(&Machine::of(&large, precision), None));
        }
    }

    #[test]
    fn padding_that_a_block_leaves_out_is_not_counted() {
        let inner = |size: usize, rows: usize| {
            let Way::Product(p) = gathered(&shape(size, 16), false, Precision::F32, true, Some(false)) else {
                panic!("no product")
            };
            p.inner[usize::from(rows == 64) * 2]
        };
        // 64 images: a block of 64 rows has one position of a 2x2 map, which sees 4 of 9 taps; 128 rows have a line of
        // two positions, which see 6.
        assert_eq!([inner(2, 64), inner(2, 128)], [4 * 16, 6 * 16]);
        assert_eq!(inner(1, 128), 16);
        // Image by image all taps are looked through.
        assert_eq!(inner(28, 128), 9 * 16);
    }
}
