//! The compilation units: which file of `kernels/` is compiled with which constants, and the kernels in each.
//!
//! Every tile and block size is here and nowhere else; the kernels get them as `-D` options and check them.

use super::nvrtc::Target;
use crate::device::Precision;

/// A thread block's piece of a product and how it is divided (`kernels/product.cuh`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Rows and columns of the block's piece, and inner steps between two barriers.
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// Rows and columns of a thread's piece.
    pub thread_m: usize,
    pub thread_n: usize,
    /// Numbers copied at once: those in 16 bytes where rows are multiples of them, else 1.
    pub vector: usize,
    /// Pieces of the operands in shared memory, where they are filled without registers.
    pub stages: usize,
}

impl Tile {
    /// Threads of a block.
    pub const fn threads(self) -> usize {
        self.m / self.thread_m * (self.n / self.thread_n)
    }
}

const fn tile(m: usize, n: usize, thread_m: usize, thread_n: usize, vector: usize) -> Tile {
    Tile { m, n, k: 16, thread_m, thread_n, vector, stages: 2 }
}

/// One for tensor cores: a warp takes `8 thread_m` rows and `4 thread_n` columns.
const fn staged(k: usize, stages: usize, tile: Tile) -> Tile {
    Tile { k, stages, ..tile }
}

/// Tiles there are of each precision.
pub const TILES: usize = 4;

/// The tiles of a precision, the widest first; the last takes rows of any length. Rows and columns of a block's piece
/// are the same in all precisions. Three stages of the widest fill 48 KiB.
pub const fn tiles(precision: Precision) -> [Tile; TILES] {
    let (k, vector) = if precision.is_half() { (32, 8) } else { (16, 4) };
    match precision {
        Precision::F32 => {
            [tile(128, 128, 8, 8, 4), tile(128, 64, 8, 8, 4), tile(64, 64, 8, 4, 4), tile(64, 64, 8, 4, 1)]
        }
        // A warp of 64x64 keeps 128 sums a thread, which leaves too few registers for factors of 32 bits.
        _ => [
            staged(k, 3, tile(128, 128, 8, if precision.is_half() { 16 } else { 8 }, vector)),
            staged(k, 4, tile(128, 64, 8, 8, vector)),
            staged(k, 4, tile(64, 64, 4, 8, vector)),
            staged(k, 3, tile(64, 64, 4, 4, 1)),
        ],
    }
}

/// Threads of a block, by kernel.
pub const NAIVE_THREADS: usize = 256;
pub const COMPARE_THREADS: usize = 256;
pub const DIRECT_THREADS: usize = 256;
pub const POOL_THREADS: usize = 256;
pub const DROPOUT_THREADS: usize = 256;
pub const LOSS_THREADS: usize = 512;
pub const OPTIMIZER_THREADS: usize = 256;
pub const SCALING_THREADS: usize = 256;
pub const CAST_THREADS: usize = 256;
pub const GATHER_THREADS: usize = 256;
/// Rows of an image that a block of the direct convolution takes.
pub const DIRECT_ROWS: usize = 14;
/// Output channels that the direct weight gradient takes at a time.
pub const DIRECT_CHANNELS: usize = 64;
/// Pieces of 2x2 outputs and output channels of a block of Winograd's convolution, and channels of the sum between two
/// barriers (`kernels/conv_winograd.cu`).
pub const WINOGRAD_TILES: usize = 32;
pub const WINOGRAD_COLUMNS: usize = 64;
pub const WINOGRAD_STEP: usize = 8;
pub const WINOGRAD_THREADS: usize = 256;
/// Ranges that one SGD launch can apply L2 to.
pub const SGD_RANGES: usize = 64;

/// A step of `kernels/ladder/`: the product from its definition to tensor cores, one idea a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rung {
    /// The file of `kernels/`.
    pub file: &'static str,
    pub kernel: &'static str,
    pub idea: &'static str,
    pub threads: usize,
    /// Rows and columns of C that a block computes; where there is none a thread computes one element, in a row.
    pub tile: Option<usize>,
    /// The constants, as `-D` options.
    constants: &'static [(&'static str, usize)],
}

impl Rung {
    /// Whether its factors are bfloat16, which tensor cores multiply from sm_80 on; else they are float32.
    pub fn is_bf16(&self) -> bool {
        self.kernel == "ladder_tensor_core"
    }
}

const fn rung(
    file: &'static str,
    kernel: &'static str,
    idea: &'static str,
    (threads, tile): (usize, Option<usize>),
    constants: &'static [(&'static str, usize)],
) -> Rung {
    Rung { file, kernel, idea, threads, tile, constants }
}

/// Sizes of the ladder's steps: a block's tile, a thread's fragment, and steps of k between two barriers.
const WIDE: &[(&str, usize)] = &[("TILE", 128), ("FRAGMENT", 8), ("STEP", 8)];

/// The ladder, from the bottom.
pub const LADDER: [Rung; 8] = [
    rung("ladder/naive.cu", "ladder_naive", "the definition, a thread an element", (256, None), &[]),
    rung("ladder/coalesced.cu", "ladder_coalesced", "neighbouring threads read neighbouring numbers", (256, None), &[]),
    rung("ladder/shared_tile.cu", "ladder_shared_tile", "a block shares a tile", (1024, Some(32)), &[("TILE", 32)]),
    rung("ladder/register_tile.cu", "ladder_register_tile", "a thread computes 8x8 elements", (256, Some(128)), WIDE),
    rung("ladder/wide_reads.cu", "ladder_wide_reads", "16 bytes a read", (256, Some(128)), WIDE),
    rung(
        "ladder/double_buffer.cu",
        "ladder_double_buffer",
        "the next tile is fetched meanwhile",
        (256, Some(128)),
        WIDE,
    ),
    rung("ladder/warp_tile.cu", "ladder_warp_tile", "no two lanes in one bank", (256, Some(128)), WIDE),
    rung(
        "ladder/tensor_core.cu",
        "ladder_tensor_core",
        "mma.sync, ldmatrix, three stages, bfloat16",
        (256, Some(128)),
        &[("TILE", 128), ("STEP", 32), ("STAGES", 3)],
    ),
];

/// What a compilation unit computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnitKind {
    /// Products, by index into [`tiles`].
    Gemm(usize),
    /// Convolutions, by index into [`tiles`].
    Conv(usize),
    ConvDirect,
    ConvWinograd,
    /// Pools of so many channels at a time: those in 16 bytes, or one.
    Pool {
        vector: usize,
    },
    Dropout,
    Loss,
    Optimizer,
    Scaling,
    Cast,
    Batch,
    /// What the others are compared with.
    Naive,
    Compare,
    /// By index into [`LADDER`].
    Ladder(usize),
}

/// A compilation unit: a file of `kernels/` in one of its variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    pub kind: UnitKind,
    pub precision: Precision,
}

/// A kernel of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// As the sources have it, such as `conv_forward`.
    pub name: &'static str,
    /// As the compiled code and profilers have it, with what it was compiled for: `conv_forward_128x128_f32`.
    pub symbol: String,
    /// Threads of a block.
    pub threads: usize,
}

/// The oldest architecture (compute capability times ten) that kernels of a precision run on.
pub fn oldest(precision: Precision) -> u32 {
    match precision {
        Precision::F32 => 0,
        Precision::F16 => 75,
        Precision::Tf32 | Precision::Tf32x3 | Precision::Bf16 => 80,
    }
}

impl UnitKind {
    /// All there are.
    fn all() -> Vec<UnitKind> {
        let mut kinds: Vec<UnitKind> = (0..TILES).map(UnitKind::Gemm).collect();
        kinds.extend((0..TILES).map(UnitKind::Conv));
        kinds.extend([UnitKind::ConvDirect, UnitKind::ConvWinograd]);
        kinds.extend([8, 4, 1].map(|vector| UnitKind::Pool { vector }));
        kinds.extend([UnitKind::Dropout, UnitKind::Loss, UnitKind::Optimizer, UnitKind::Scaling, UnitKind::Cast]);
        kinds.extend([UnitKind::Batch, UnitKind::Naive, UnitKind::Compare]);
        kinds.extend((0..LADDER.len()).map(UnitKind::Ladder));
        kinds
    }

    /// The precisions that it is compiled for.
    fn precisions(self) -> &'static [Precision] {
        use Precision::{Bf16, F16, F32, Tf32};
        match self {
            UnitKind::Gemm(_) | UnitKind::Conv(_) => &Precision::ALL,
            UnitKind::ConvWinograd | UnitKind::Ladder(_) => &[F32],
            UnitKind::Pool { vector: 4 } => &[F32],
            UnitKind::Pool { vector: 8 } | UnitKind::Cast => &[Bf16, F16],
            UnitKind::Scaling => &[F16],
            UnitKind::Naive | UnitKind::ConvDirect => &[F32, Tf32, Bf16, F16],
            _ => &[F32, Bf16, F16],
        }
    }

    /// The unit that serves a precision: its own, or, where the types in memory decide alone, that of float32.
    pub fn at(self, precision: Precision) -> Unit {
        let own = precision.is_half() || self.precisions().contains(&precision);
        Unit { kind: self, precision: if own { precision } else { Precision::F32 } }
    }
}

impl Unit {
    /// All units that run on an architecture (compute capability times ten).
    pub fn all(sm: u32) -> Vec<Unit> {
        let all = UnitKind::all().into_iter().flat_map(|kind| kind.precisions().iter().map(move |&p| kind.at(p)));
        all.filter(|u| oldest(u.precision) <= sm).collect()
    }

    /// What stands behind the names of the unit's file and kernels: the tile where there are several, and the
    /// precision.
    fn suffix(self) -> String {
        let variant = match self.kind {
            UnitKind::Gemm(t) | UnitKind::Conv(t) => {
                let t = tiles(self.precision)[t];
                format!("_{}x{}{}", t.m, t.n, if t.vector == 1 { "_scalar" } else { "" })
            }
            UnitKind::ConvWinograd => format!("_{WINOGRAD_TILES}x{WINOGRAD_COLUMNS}"),
            UnitKind::Pool { vector: 1 } => "_scalar".into(),
            // Each is compiled in one way.
            UnitKind::Ladder(_) => return String::new(),
            _ => String::new(),
        };
        format!("{variant}_{}", self.precision)
    }

    /// A name for files and messages, such as `gemm_128x128_f32`.
    pub fn name(self) -> String {
        match self.kind {
            UnitKind::Ladder(step) => LADDER[step].kernel.into(),
            _ => self.file().trim_end_matches(".cu").to_string() + &self.suffix(),
        }
    }

    /// The file of `kernels/`.
    pub fn file(self) -> &'static str {
        match self.kind {
            UnitKind::Ladder(step) => LADDER[step].file,
            UnitKind::Gemm(_) => "gemm.cu",
            UnitKind::Conv(_) => "conv.cu",
            UnitKind::ConvDirect => "conv_direct.cu",
            UnitKind::ConvWinograd => "conv_winograd.cu",
            UnitKind::Pool { .. } => "pool.cu",
            UnitKind::Dropout => "dropout.cu",
            UnitKind::Loss => "softmax_xent.cu",
            UnitKind::Optimizer => "optimizer.cu",
            UnitKind::Scaling => "scaling.cu",
            UnitKind::Cast => "cast.cu",
            UnitKind::Batch => "batch.cu",
            UnitKind::Naive => "naive.cu",
            UnitKind::Compare => "compare.cu",
        }
    }

    /// Its kernels.
    pub fn kernels(self) -> Vec<Kernel> {
        let (names, threads): (&[&str], usize) = match self.kind {
            UnitKind::Gemm(t) => (&["gemm_nn", "gemm_nt", "gemm_tn"], tiles(self.precision)[t].threads()),
            UnitKind::Conv(t) => {
                (&["conv_forward", "conv_backward_data", "conv_backward_weight"], tiles(self.precision)[t].threads())
            }
            UnitKind::ConvDirect => (
                &[
                    "conv_direct_forward",
                    "conv_direct_backward_weight_3x3x1",
                    "conv_direct_backward_weight_5x5x1",
                    "conv_direct_backward_weight_3x3x3",
                    "reduce_parts",
                    "reduce_parts_scalar",
                ],
                DIRECT_THREADS,
            ),
            UnitKind::ConvWinograd => (&["conv_forward_winograd", "conv_backward_data_winograd"], WINOGRAD_THREADS),
            UnitKind::Pool { .. } => (&["pool_forward", "pool_backward"], POOL_THREADS),
            UnitKind::Dropout => (&["dropout"], DROPOUT_THREADS),
            UnitKind::Loss => (&["softmax_cross_entropy", "softmax"], LOSS_THREADS),
            UnitKind::Optimizer => (&["adam", "sgd"], OPTIMIZER_THREADS),
            UnitKind::Scaling => (&["scaling"], SCALING_THREADS),
            UnitKind::Cast => (&["cast"], CAST_THREADS),
            UnitKind::Batch => (&["gather"], GATHER_THREADS),
            UnitKind::Naive => (
                &["gemm_naive", "conv_forward_naive", "conv_backward_data_naive", "conv_backward_weight_naive"],
                NAIVE_THREADS,
            ),
            UnitKind::Compare => (&["compare"], COMPARE_THREADS),
            UnitKind::Ladder(step) => (&[LADDER[step].kernel], LADDER[step].threads),
        };
        let suffix = self.suffix();
        names.iter().map(|&name| Kernel { name, symbol: format!("{name}{suffix}"), threads }).collect()
    }

    /// NVRTC's options for a target, its architecture first.
    pub fn options_for(self, target: Target) -> Vec<String> {
        let mut options = vec![target.option()];
        options.extend(self.options());
        options
    }

    /// NVRTC options beside the architecture.
    pub fn options(self) -> Vec<String> {
        let mut options = vec!["--std=c++17".to_string(), "-lineinfo".to_string()];
        options.push(format!("-DSUFFIX={}", self.suffix()));
        options.push(format!("-DPRECISION=PRECISION_{}", self.precision.name().to_uppercase()));
        let mut define = |name: &str, value: usize| options.push(format!("-D{name}={value}"));
        match self.kind {
            UnitKind::Gemm(t) | UnitKind::Conv(t) => {
                let tile = tiles(self.precision)[t];
                define("TILE_M", tile.m);
                define("TILE_N", tile.n);
                define("TILE_K", tile.k);
                define("THREAD_M", tile.thread_m);
                define("THREAD_N", tile.thread_n);
                define("VECTOR", tile.vector);
                define("STAGES", tile.stages);
            }
            UnitKind::ConvDirect => {
                define("DIRECT_THREADS", DIRECT_THREADS);
                define("DIRECT_ROWS", DIRECT_ROWS);
                define("DIRECT_CHANNELS", DIRECT_CHANNELS);
            }
            UnitKind::ConvWinograd => {
                define("WINOGRAD_THREADS", WINOGRAD_THREADS);
                define("WINOGRAD_TILES", WINOGRAD_TILES);
                define("WINOGRAD_COLUMNS", WINOGRAD_COLUMNS);
                define("WINOGRAD_STEP", WINOGRAD_STEP);
            }
            UnitKind::Pool { vector } => {
                define("POOL_THREADS", POOL_THREADS);
                define("VECTOR", vector);
            }
            UnitKind::Dropout => define("DROPOUT_THREADS", DROPOUT_THREADS),
            UnitKind::Loss => {
                define("LOSS_THREADS", LOSS_THREADS);
                // -log of the lower clip: a loss beyond it is clipped.
                options.push(format!("-DLOSS_CLIP={:?}", -crate::ops::loss::CLIP.ln()));
            }
            UnitKind::Optimizer => {
                define("OPTIMIZER_THREADS", OPTIMIZER_THREADS);
                define("SGD_RANGES", SGD_RANGES);
            }
            UnitKind::Scaling => {
                define("SCALING_THREADS", SCALING_THREADS);
                options.push(format!("-DSCALE_GROWTH={:?}f", crate::ops::scaling::GROWTH));
                options.push(format!("-DSCALE_LARGEST={:?}f", crate::ops::scaling::LARGEST));
            }
            UnitKind::Cast => define("CAST_THREADS", CAST_THREADS),
            UnitKind::Batch => define("GATHER_THREADS", GATHER_THREADS),
            UnitKind::Ladder(step) => {
                define("THREADS", LADDER[step].threads);
                LADDER[step].constants.iter().for_each(|(name, value)| define(name, *value));
            }
            UnitKind::Naive => define("NAIVE_THREADS", NAIVE_THREADS),
            UnitKind::Compare => define("COMPARE_THREADS", COMPARE_THREADS),
        }
        options
    }
}
