//! Products on AMX, the tile registers of Intel's processors since Sapphire Rapids.
//!
//! `tdpbf16ps` adds to a tile of 16 x 16 float32 the product of a tile of A, 16 rows of 32 bfloat16, and a tile of B,
//! whose 16 rows hold pairs: row p has rows 2p and 2p + 1 of B for 16 columns, element by element in turn. A block of C
//! takes four tiles, so that each tile of A and of B that is loaded serves two products:
//!
//! ```text
//!                      B | tile | tile |
//!                        +------+------+
//!          A +------+    +------+------+
//!         16 | tile |    | tmm0 | tmm1 |
//!            +------+    +------+------+  C
//!         16 | tile |    | tmm2 | tmm3 |
//!            +------+    +------+------+
//! ```
//!
//! One instruction sums, for each element of C, the 16 products of even place and the 16 of odd place apart, from zero
//! and each with one fused rounding a product; then adds the two sums; then adds C. All roundings are to nearest even;
//! numbers below the smallest normal float32 count as zero, given or computed (Intel's Software Developer's Manual,
//! TDPBF16PS). The products themselves are exact, as two significands of 8 bits fill one of 16.

use half::bf16;
use std::arch::asm;
use std::marker::PhantomData;
use std::sync::OnceLock;

/// Rows of a block, and its columns, and steps of the inner dimension in a pair of tiles.
pub const SIDE: usize = 32;
/// Numbers of B in one step: two tiles, one after the other.
pub const STEP: usize = SIDE * SIDE;

/// The right to use AMX, and AVX-512 with its instructions for 16 bits: a value of this type is made by asking the
/// processor and the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiles(());

impl Tiles {
    /// It, where there is AMX for bfloat16, and Linux lets this process use it: the registers are 8 KiB more for it to
    /// save, so it wants to be asked, once.
    pub fn find() -> Option<Tiles> {
        static FOUND: OnceLock<bool> = OnceLock::new();
        FOUND.get_or_init(|| processor_has_tiles() && system_permits_tiles()).then_some(Tiles(()))
    }

    /// Makes the calling thread ready for products.
    pub fn configure(self) -> Configured {
        /// Eight registers of 16 rows of 64 bytes (Software Developer's Manual, "Intel AMX Tile Configuration").
        #[repr(C, align(64))]
        struct Configuration {
            palette: u8,
            start_row: u8,
            reserved: [u8; 14],
            row_bytes: [u16; 16],
            rows: [u8; 16],
        }
        let mut of = Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        of.row_bytes[..8].fill(64);
        of.rows[..8].fill(16);
        // SAFETY: `self` proves the instruction, and it reads a valid configuration of 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &of, options(nostack, preserves_flags, readonly)) };
        Configured(PhantomData)
    }
}

fn processor_has_tiles() -> bool {
    /// Bits of register EDX of leaf 7.
    const BF16: u32 = 1 << 22;
    const TILE: u32 = 1 << 24;
    let vectors = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512bf16");
    // A processor with AVX-512 has leaf 7.
    vectors && std::arch::x86_64::__cpuid_count(7, 0).edx & (BF16 | TILE) == BF16 | TILE
}

fn system_permits_tiles() -> bool {
    /// `arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`; not in the libc crate.
    const REQUEST: libc::c_int = 0x1023;
    const TILE_DATA: libc::c_ulong = 18;
    // SAFETY: a request for permission with two numbers as arguments.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

/// A thread whose tile registers are configured, as long as it lives.
pub struct Configured(PhantomData<*const ()>);

impl Drop for Configured {
    /// Tells the system that there is nothing to save.
    fn drop(&mut self) {
        // SAFETY: only `Tiles::configure` makes the value, so that AMX is there.
        unsafe { asm!("tilerelease", options(nomem, nostack, preserves_flags)) };
    }
}

/// A block of C.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct Block(pub [[f32; SIDE]; SIDE]);

impl Block {
    /// All zeros.
    pub const ZERO: Block = Block([[0.0; SIDE]; SIDE]);
}

/// Where the factors of a block's products begin in their memory.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Pair {
    pub a: usize,
    pub b: usize,
}

/// The memory of a block's factors.
#[derive(Clone, Copy)]
pub struct Factors<'a> {
    pub a: &'a [bf16],
    /// Distance of A's rows.
    pub row: usize,
    /// Distance of A's tiles of successive steps; those of B follow each other.
    pub step: usize,
    pub b: &'a [bf16],
    /// Steps of each pair.
    pub steps: usize,
}

impl Configured {
    /// `C = sum over pairs of A B`, or that added to C.
    ///
    /// # Panics
    /// A pair's factors do not lie in their memory.
    pub fn multiply(&self, f: &Factors, pairs: &[Pair], c: &mut Block, accumulate: bool) {
        if pairs.is_empty() || f.steps == 0 {
            if !accumulate {
                *c = Block::ZERO;
            }
            return;
        }
        let (a_len, b_len) = ((SIDE - 1) * f.row + (f.steps - 1) * f.step + SIDE, f.steps * STEP);
        let inside = |p: &Pair| {
            p.a.checked_add(a_len).is_some_and(|end| end <= f.a.len())
                && p.b.checked_add(b_len).is_some_and(|end| end <= f.b.len())
        };
        assert!(pairs.iter().all(inside), "factors of {a_len} and {b_len} numbers outside of their memory");
        // SAFETY: `self` proves AMX and its configuration. Each tile read is one of A (32 rows, `row` apart, of 32
        // numbers, the steps `step` apart) or of B (1024 numbers a step), inside their memory as was just checked, or
        // a quarter of C; C's quarters are what is written.
        unsafe {
            asm!(
                "test {k}, {k}",
                "mov {k}, 128",
                "jnz 2f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 3f",
                "2:",
                "tileloadd tmm0, [{c} + {k}*1]",
                "tileloadd tmm1, [{c} + {k}*1 + 64]",
                "tileloadd tmm2, [{c} + {k}*1 + 2048]",
                "tileloadd tmm3, [{c} + {k}*1 + 2112]",
                "3:", // each pair
                "mov {upper}, [{pair}]",
                "lea {upper}, [{a} + {upper}*2]",
                "mov {lower}, {row}",
                "shl {lower}, 4",
                "add {lower}, {upper}",
                "mov {right}, [{pair} + 8]",
                "lea {right}, [{b} + {right}*2]",
                "mov {k}, {steps}",
                "4:", // each step
                "tileloadd tmm4, [{upper} + {row}*1]",
                "tileloadd tmm6, [{right} + {line}*1]",
                "tileloadd tmm5, [{lower} + {row}*1]",
                "tileloadd tmm7, [{right} + {line}*1 + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {upper}, {step}",
                "add {lower}, {step}",
                "add {right}, 2048",
                "dec {k}",
                "jnz 4b",
                "add {pair}, 16",
                "dec {pairs}",
                "jnz 3b",
                "mov {k}, 128",
                "tilestored [{c} + {k}*1], tmm0",
                "tilestored [{c} + {k}*1 + 64], tmm1",
                "tilestored [{c} + {k}*1 + 2048], tmm2",
                "tilestored [{c} + {k}*1 + 2112], tmm3",
                pair = inout(reg) pairs.as_ptr() => _,
                pairs = inout(reg) pairs.len() => _,
                k = inout(reg) usize::from(accumulate) => _,
                upper = out(reg) _,
                lower = out(reg) _,
                right = out(reg) _,
                a = in(reg) f.a.as_ptr(),
                b = in(reg) f.b.as_ptr(),
                c = in(reg) c,
                steps = in(reg) f.steps,
                row = in(reg) 2 * f.row,
                step = in(reg) 2 * f.step,
                line = in(reg) 64usize,
                options(nostack),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::philox::{Purpose, Stream};

    /// Numbers of every size: a few bits of the exponent vary, or all of them.
    fn numbers(seed: u64, len: usize, exponents: u16) -> Vec<bf16> {
        let stream = Stream { seed, purpose: Purpose::Init, step: 0 };
        let words = (0..len.div_ceil(4) as u32).flat_map(|i| stream.block(i, 0));
        let number = |word: u32| {
            let exponent = (word >> 8) as u16 & exponents;
            let exponent = if exponents == 0xff { exponent.min(0xfe) } else { 120 + exponent };
            bf16::from_bits((word as u16 & 0x7f) | exponent << 7 | (word >> 16) as u16 & 0x8000)
        };
        words.map(number).take(len).collect()
    }

    /// What the instructions are documented to do, for one element of C.
    fn model(c: f32, a: impl Fn(usize) -> bf16, b: impl Fn(usize) -> bf16, k: usize) -> f32 {
        let flush = |x: f32| if x.is_subnormal() { 0.0f32.copysign(x) } else { x };
        let mut c = flush(c);
        for step in (0..k).step_by(SIDE) {
            let mut sums = [0.0f32; 2];
            for i in step..step + SIDE {
                let (a, b) = (flush(a(i).to_f32()), flush(b(i).to_f32()));
                sums[i % 2] = flush(a.mul_add(b, sums[i % 2]));
            }
            c = flush(c + flush(sums[0] + sums[1]));
        }
        c
    }

    /// Every bit of a block: two pairs of three steps, on nothing and on a block that is there, with numbers of
    /// ordinary size and of all sizes, where sums overflow and vanish.
    #[test]
    fn tiles_compute_as_documented() {
        let Some(tiles) = Tiles::find() else {
            eprintln!("no AMX here: nothing to compare");
            return;
        };
        let (on, steps, row) = (tiles.configure(), 3, 5 * SIDE);
        for (seed, exponents) in [(1, 7), (2, 15), (3, 0xff)] {
            let (a, b) = (numbers(seed, 2 * SIDE * row, exponents), numbers(seed + 9, 2 * steps * STEP, exponents));
            let start = numbers(seed + 20, SIDE * SIDE, exponents);
            let pairs = [Pair { a: SIDE * row, b: 0 }, Pair { a: 7, b: steps * STEP }];
            let factors = Factors { a: &a, row, step: SIDE + 3, b: &b, steps };
            for accumulate in [false, true] {
                let mut block = Block::ZERO;
                for (c, start) in block.0.as_flattened_mut().iter_mut().zip(&start) {
                    *c = start.to_f32();
                }
                on.multiply(&factors, &pairs, &mut block, accumulate);
                for (i, j) in (0..SIDE * SIDE).map(|e| (e / SIDE, e % SIDE)) {
                    let mut want = if accumulate { start[i * SIDE + j].to_f32() } else { 0.0 };
                    for pair in pairs {
                        let of_a = |k: usize| a[pair.a + i * row + k / SIDE * (SIDE + 3) + k % SIDE];
                        let of_b = |k: usize| {
                            let (step, k) = (k / SIDE, k % SIDE);
                            b[pair.b + step * STEP + j / 16 * STEP / 2 + k / 2 * SIDE + 2 * (j % 16) + k % 2]
                        };
                        want = model(want, of_a, of_b, steps * SIDE);
                    }
                    let got = block.0[i][j];
                    let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                    assert!(same, "{exponents:#x} {accumulate} {i},{j}: {got:e}, not {want:e}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "outside of their memory")]
    fn factors_outside_of_their_memory_are_refused() {
        let Some(tiles) = Tiles::find() else { panic!("no AMX here: outside of their memory nothing is read") };
        let (a, b) = (vec![bf16::ONE; STEP], vec![bf16::ONE; STEP]);
        let factors = Factors { a: &a, row: SIDE, step: SIDE, b: &b, steps: 1 };
        let mut block = Block::ZERO;
        tiles.configure().multiply(&factors, &[Pair { a: 1, b: 0 }], &mut block, false);
    }
}
