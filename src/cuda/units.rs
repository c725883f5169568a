//! The compilation units: which file of `kernels/` is compiled with which constants, and the kernels in each.
//!
//! Every tile and block size is here and nowhere else; the kernels get them as `-D` options and check them.

use super::nvrtc::Target;
use crate::device::Precision;

/// A thread block's piece of a product and how it is divided (`kernels/tile.cuh`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Rows and columns of the block's piece.
    pub m: usize,
    pub n: usize,
    /// Rows and columns of a thread's piece.
    pub thread_m: usize,
    pub thread_n: usize,
    /// Floats copied at once: 4 where rows are multiples of 16 bytes, else 1.
    pub vector: usize,
}

/// Inner steps between two barriers, for every tile.
pub const TILE_K: usize = 16;

impl Tile {
    /// Threads of a block.
    pub const fn threads(self) -> usize {
        self.m / self.thread_m * (self.n / self.thread_n)
    }
}

const fn tile(m: usize, n: usize, thread_m: usize, thread_n: usize, vector: usize) -> Tile {
    Tile { m, n, thread_m, thread_n, vector }
}

/// The tiles, the widest first; the last takes rows of any length.
pub const TILES: [Tile; 4] =
    [tile(128, 128, 8, 8, 4), tile(128, 64, 8, 8, 4), tile(64, 64, 8, 4, 4), tile(64, 64, 8, 4, 1)];

/// Threads of a block, by kernel.
pub const NAIVE_THREADS: usize = 256;
pub const COMPARE_THREADS: usize = 256;
pub const DIRECT_THREADS: usize = 256;
pub const POOL_THREADS: usize = 256;
pub const DROPOUT_THREADS: usize = 256;
pub const LOSS_THREADS: usize = 512;
pub const OPTIMIZER_THREADS: usize = 256;
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
    /// Products, by index into [`TILES`].
    Gemm(usize),
    /// Convolutions, by index into [`TILES`].
    Conv(usize),
    ConvDirect,
    ConvWinograd,
    /// Pools of 4 channels at a time or of one.
    Pool {
        vector: usize,
    },
    Dropout,
    Loss,
    Optimizer,
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
        let mut kinds: Vec<UnitKind> = (0..TILES.len()).map(UnitKind::Gemm).collect();
        kinds.extend((0..TILES.len()).map(UnitKind::Conv));
        kinds.extend([UnitKind::ConvDirect, UnitKind::ConvWinograd]);
        kinds.extend([4, 1].map(|vector| UnitKind::Pool { vector }));
        kinds.extend([UnitKind::Dropout, UnitKind::Loss, UnitKind::Optimizer, UnitKind::Batch]);
        kinds.extend([UnitKind::Naive, UnitKind::Compare]);
        kinds.extend((0..LADDER.len()).map(UnitKind::Ladder));
        kinds
    }

    /// The precisions that it is compiled for.
    fn precisions(self) -> &'static [Precision] {
        &[Precision::F32]
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
                let t = TILES[t];
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
            UnitKind::Batch => "batch.cu",
            UnitKind::Naive => "naive.cu",
            UnitKind::Compare => "compare.cu",
        }
    }

    /// Its kernels.
    pub fn kernels(self) -> Vec<Kernel> {
        let (names, threads): (&[&str], usize) = match self.kind {
            UnitKind::Gemm(t) => (&["gemm_nn", "gemm_nt", "gemm_tn"], TILES[t].threads()),
            UnitKind::Conv(t) => (&["conv_forward", "conv_backward_data", "conv_backward_weight"], TILES[t].threads()),
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
                let tile = TILES[t];
                define("TILE_M", tile.m);
                define("TILE_N", tile.n);
                define("TILE_K", TILE_K);
                define("THREAD_M", tile.thread_m);
                define("THREAD_N", tile.thread_n);
                define("VECTOR", tile.vector);
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
