//! Choosing tiles and parts of a product, from shapes alone: the same on every device, so that results are too.
//!
//! The choice minimises a rough time in clock cycles on a device of [`MULTIPROCESSORS`], each doing 128 multiply-adds
//! a cycle at the share of its peak that the tile's inner loop can reach.

use super::units::{TILE_K, TILES};

/// Multiprocessors of the device the choice is made for; between an RTX 3090 (82) and an H100 (132).
const MULTIPROCESSORS: usize = 108;
/// Floats of workspace that parts may take: 64 MiB.
pub const WORKSPACE_FLOATS: usize = 16 << 20;
/// Parts an inner dimension may be split into.
const PARTS: [usize; 12] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];
/// Tiles of the inner dimension that a part has at least.
const TILES_OF_A_PART: usize = 4;
/// Share of the peak that each tile's inner loop reaches, by its share of multiply-adds (see docs/results).
const EFFICIENCY: [f64; 4] = [0.90, 0.88, 0.80, 0.65];
/// Cycles that a launch costs beside its work, and bytes the device moves a cycle.
const LAUNCH_CYCLES: f64 = 3000.0;
const BYTES_A_CYCLE: f64 = 700.0;

/// How a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Index into [`TILES`].
    pub tile: usize,
    /// Parts of the inner dimension; above 1 they are added by a second launch.
    pub parts: usize,
}

/// Sizes of a product, or of `count` products of one size in one launch.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    pub count: usize,
    pub rows: usize,
    pub columns: usize,
    pub inner: usize,
    /// Elements of one part's result.
    pub result: usize,
    /// Whether rows of all operands are multiples of 4 floats.
    pub vector: bool,
}

impl Product {
    fn blocks(&self, tile: usize) -> usize {
        self.count * self.rows.div_ceil(TILES[tile].m) * self.columns.div_ceil(TILES[tile].n)
    }

    fn cycles(&self, p: Plan) -> f64 {
        let t = TILES[p.tile];
        let tiles = self.inner.div_ceil(TILE_K).div_ceil(p.parts);
        let each = (self.blocks(p.tile) * p.parts).div_ceil(MULTIPROCESSORS);
        let work = (each * t.m * t.n * TILE_K * tiles) as f64 / 128.0 / EFFICIENCY[p.tile];
        // Filling the first tile and storing the result overlap with nothing.
        let fixed = 1500.0 + (t.m * t.n) as f64 / 16.0;
        let reduce = match p.parts {
            1 => 0.0,
            n => LAUNCH_CYCLES + (4 * self.result * (2 * n + 1)) as f64 / BYTES_A_CYCLE,
        };
        work + fixed + reduce
    }

    /// The tile and the parts.
    pub fn plan(&self) -> Plan {
        let tiles: &[usize] = if self.vector { &[0, 1, 2] } else { &[3] };
        let mut best = Plan {
            tile: tiles[0],
            parts: 1,
        };
        for &tile in tiles {
            for parts in PARTS {
                let inner = self.inner.div_ceil(TILE_K);
                let fits = parts == 1
                    || (inner >= parts * TILES_OF_A_PART
                        && parts * self.result <= WORKSPACE_FLOATS);
                let plan = Plan { tile, parts };
                if fits && self.cycles(plan) < self.cycles(best) {
                    best = plan;
                }
            }
        }
        best
    }
}

/// Images numbered together in a convolution's rows (`kernels/conv.cu`): all, up to 128, on maps small enough for
/// padding to matter; else image by image.
pub fn group(images: usize, h: usize, w: usize) -> usize {
    if h * w <= 14 * 14 {
        images.clamp(1, 128)
    } else {
        1
    }
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
        Divisor {
            divisor: d as u32,
            multiplier: (1u64 << shift).div_ceil(d) as u32,
            shift,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisors_are_exact() {
        for d in [
            1usize,
            2,
            3,
            5,
            7,
            10,
            28,
            64,
            100,
            641,
            6700417,
            (1 << 31) - 1,
        ] {
            let by = Divisor::new(d);
            let numbers = (0..2000u64).chain((0..64).flat_map(|i| {
                let near = (1u64 << 31) / d as u64 * d as u64;
                [
                    (1u64 << 31) - 1 - i,
                    near.saturating_sub(i),
                    (i * 48_611_773) % (1 << 31),
                ]
            }));
            for x in numbers.filter(|&x| x < 1 << 31) {
                let q = (x * u64::from(by.multiplier)) >> by.shift;
                assert_eq!(q, x / d as u64, "{x} / {d}");
            }
        }
    }

    #[test]
    fn plans_fill_the_device_and_stay_in_the_workspace() {
        // The 2x2 maps of VGG19 at batch 64: 8 blocks of 128x128 would leave most of a device idle.
        let p = Product {
            count: 1,
            rows: 256,
            columns: 512,
            inner: 4608,
            result: 256 * 512,
            vector: true,
        };
        let plan = p.plan();
        assert!(
            p.blocks(plan.tile) * plan.parts >= MULTIPROCESSORS / 2,
            "{plan:?}"
        );
        // A large product needs no parts and takes the widest tile.
        let p = Product {
            count: 1,
            rows: 50_176,
            columns: 128,
            inner: 1152,
            result: 50_176 * 128,
            vector: true,
        };
        assert_eq!(p.plan(), Plan { tile: 0, parts: 1 });
        // Rows that are not multiples of 16 bytes take the scalar tile.
        let p = Product {
            count: 1,
            rows: 64,
            columns: 10,
            inner: 1000,
            result: 640,
            vector: false,
        };
        assert_eq!(p.plan().tile, 3);
    }
}
