//! Cycles that a launch takes, by count: what the blocks of the busiest multiprocessor compute, at the rate that as
//! many warps as are resident reach, and what is not hidden behind that.

use super::footprint::Footprint;
use crate::cuda::driver::Properties;
use crate::device::Precision;
use softgpu::Profile;

/// Multiprocessors of the device that choices by shape are made for; between an RTX 3090 (82) and an H100 (132).
const MULTIPROCESSORS: usize = 108;
/// Bytes a cycle that one multiprocessor reads from the second-level cache.
pub const BYTES_A_CYCLE: f64 = 40.0;
/// Warps of a scheduler at which it issues half as often as with many: it waits for shared memory and at barriers. A
/// cycle-level simulator sees 64x64 tiles gain 3 to 10 % from 3 to 8 warps; this says 6 %.
const HALF_BUSY: f64 = 0.3;
/// Cycles until the first tile is there.
const FILL: f64 = 1500.0;

/// What the count needs to know of a device.
pub struct Machine {
    /// Of a multiprocessor.
    pub(super) limits: Profile,
    pub multiprocessors: usize,
    /// Multiply-adds a cycle of a multiprocessor.
    pub rate: f64,
}

/// The blocks of a launch.
pub struct Launch {
    pub blocks: usize,
    /// Of the inner dimension, each as many blocks.
    pub parts: usize,
    pub of: Footprint,
    /// Cycles of a block: of its multiply-adds at the share of the peak that its main loop allows, and of its operands
    /// from the second-level cache.
    pub products: f64,
    pub operands: f64,
    /// Floats that a block stores.
    pub stored: usize,
}

impl Machine {
    /// The device that choices by shape are made for: 128 float32 lanes, an A100's tensor cores and room.
    pub fn reference(precision: Precision) -> Machine {
        let rate = match precision {
            Precision::F32 => 128.0,
            Precision::Tf32 => 512.0,
            Precision::Tf32x3 => 512.0 / 3.0,
            Precision::Bf16 | Precision::F16 => 1024.0,
        };
        Machine { limits: limits(80), multiprocessors: MULTIPROCESSORS, rate }
    }

    /// A device.
    pub fn of(p: &Properties, precision: Precision) -> Machine {
        let rate = f64::from(p.multiply_adds(precision).max(1));
        Machine { limits: limits(p.sm), multiprocessors: p.multiprocessors.max(1) as usize, rate }
    }

    /// Cycles of a launch.
    pub fn cycles(&self, l: &Launch) -> f64 {
        let resident = self.limits.occupancy(l.of.threads, l.of.registers, l.of.shared).blocks_per_sm.max(1) as usize;
        // On the multiprocessor with most of them.
        let blocks = (l.blocks * l.parts).div_ceil(self.multiprocessors);
        let together = |n: usize| {
            let warps_of_a_scheduler = n as f64 * f64::from(l.of.threads) / 32.0 / 4.0;
            n as f64 * (l.products * (1.0 + HALF_BUSY / warps_of_a_scheduler)).max(l.operands)
        };
        let last = blocks % resident;
        let work = (blocks / resident) as f64 * together(resident) + if last > 0 { together(last) } else { 0.0 };
        // Filling the first tile and storing the result overlap with nothing where one block is resident; else those of
        // later blocks do with one another.
        let exposed = if resident == 1 { blocks } else { 1 };
        let fixed = exposed as f64 * (FILL + l.stored as f64 / 16.0);
        // The last block of a tile reads what the others wrote, for each tile of the multiprocessor.
        let add = match l.parts {
            1 => 0.0,
            n => {
                let sums = l.blocks.div_ceil(self.multiprocessors) as f64;
                sums * (1000.0 + (4 * l.stored * (n + 1)) as f64 / BYTES_A_CYCLE)
            }
        };
        work + fixed + add
    }
}

/// Limits of a multiprocessor: those of the newest architecture that softgpu models and that is not newer. sm_120 is as
/// sm_89.
fn limits(sm: u32) -> Profile {
    let sm = if sm >= 120 { 89 } else { sm };
    let modelled = Profile::NAMES.into_iter().rev().filter_map(Profile::named);
    modelled.into_iter().find(|p| p.sm <= sm).unwrap_or_default()
}
