//! What the CUDA device holds, and launching on it.

use super::driver::{self, Properties, Which};
use super::launch::{Arg, Grid, Launcher};
use super::memory::Memory;
use super::nvtx;
use super::units::Unit;
use crate::device::{DType, Device, StepState, View};
use crate::error::Result;
use cudarc::driver::CudaGraph;
use std::collections::HashMap;

/// What a launch does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It runs.
    Run,
    /// It only compiles what it needs and makes room in the workspace, before a recording.
    Prepare,
}

/// A recorded sequence.
pub(super) struct Recording {
    pub(super) graph: CudaGraph,
    /// Kernel launches in it.
    pub(super) launches: u64,
}

/// An NVIDIA GPU, or softgpu.
pub struct CudaDevice {
    // Graphs go before the memory they use.
    pub(super) recordings: HashMap<String, Recording>,
    pub(super) launcher: Launcher,
    pub(super) memory: Memory,
    pub properties: Properties,
    /// Where the device is softgpu's.
    pub softgpu: Option<softgpu::Library>,
    /// Scalars of the step in device memory: `Step` of `kernels/common.cuh`.
    pub(super) step: View,
    workspace: View,
    /// Memory as large as the second-level cache twice, for timings.
    pub(super) flush: Option<View>,
    /// Arrivals of a tile's parts, zero between launches.
    pub(super) counters: View,
    pub(super) mode: Mode,
    /// A tile to take wherever it can be, by `WARP19_TILE` (an index into [`super::units::TILES`]), to test and to
    /// measure each.
    pub(super) tile: Option<usize>,
    /// Winograd's convolution wherever it can be (`WARP19_WINOGRAD=1`) or never (`0`); `None`: where it wins.
    pub(super) winograd: Option<bool>,
    /// Whether sequences are recorded as graphs; off with `WARP19_GRAPH=0`, for profilers.
    pub(super) graphs: bool,
    /// Open ranges of phases and layers, for profilers.
    pub(super) ranges: Vec<nvtx::Range>,
}

impl CudaDevice {
    /// Opens a device.
    ///
    /// # Errors
    /// See [`driver::open`].
    pub fn open(which: Which) -> Result<CudaDevice> {
        let driver = driver::open(which)?;
        let (properties, softgpu) = (driver.properties.clone(), driver.softgpu);
        let mut memory = Memory::new(driver.context.clone());
        let launcher = Launcher::new(driver)?;
        let step = memory.alloc(DType::U8, 16)?;
        let workspace = memory.alloc(DType::F32, 1)?;
        let counters = memory.alloc(DType::U32, super::plan::COUNTERS)?;
        let mut device = CudaDevice {
            recordings: HashMap::new(),
            launcher,
            memory,
            properties,
            softgpu,
            step,
            workspace,
            flush: None,
            counters,
            mode: Mode::Run,
            tile: std::env::var("WARP19_TILE").ok().and_then(|t| t.parse().ok()),
            winograd: match std::env::var("WARP19_WINOGRAD").as_deref() {
                Ok("0") => Some(false),
                Ok("1") => Some(true),
                _ => None,
            },
            graphs: std::env::var("WARP19_GRAPH").map_or(true, |v| v != "0"),
            ranges: Vec::new(),
        };
        device.zero(counters)?;
        device.set_step(StepState { step: 0, lr: 0.0, ema_decay: 0.0 })?;
        Ok(device)
    }

    /// Takes a tile (an index into [`super::units::TILES`]) wherever it can be; `None`: the one that fits best.
    pub fn set_tile(&mut self, tile: Option<usize>) {
        self.tile = tile;
    }

    /// Winograd's convolution wherever it can be, or never; `None`: where it wins.
    pub fn set_winograd(&mut self, winograd: Option<bool>) {
        self.winograd = winograd;
    }

    /// Launches so far, counting each kernel of a graph once per replay.
    pub fn launches(&self) -> u64 {
        self.launcher.launches
    }

    /// Kernel launches in the recording of this name.
    pub fn launches_of(&self, name: &str) -> Option<u64> {
        self.recordings.get(name).map(|r| r.launches)
    }

    /// Where kernels were compiled and for what, for `devices`.
    pub fn compiler(&self) -> &super::compiler::Compiler {
        &self.launcher.compiler
    }

    pub(super) fn launch(&mut self, unit: Unit, kernel: &'static str, grid: Grid, args: &[Arg]) -> Result<()> {
        if self.mode == Mode::Prepare {
            return self.launcher.function(unit, kernel).map(|_| ());
        }
        self.launcher.launch(unit, kernel, grid, args)
    }

    /// Address of a workspace of at least `floats` floats. It grows while nothing is being recorded; recordings keep
    /// the one they were made with.
    pub(super) fn workspace(&mut self, floats: usize) -> Result<u64> {
        if floats > self.workspace.len {
            self.workspace = self.memory.alloc(DType::F32, floats.next_multiple_of(1 << 18))?;
        }
        self.memory.address(self.workspace)
    }
}
