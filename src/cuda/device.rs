//! What the CUDA device holds, and launching on it.

use super::driver::{self, Properties, Which};
use super::fault::Trail;
use super::launch::{Arg, Grid, Launcher};
use super::memory::Memory;
use super::nvtx;
use super::recording::Recordings;
use super::settings::{Choices, Settings};
use super::units::Unit;
use super::uploads::Uploads;
use crate::device::{DType, Device, Owner, StepState, View};
use crate::error::Result;
use cudarc::driver::CudaEvent;

/// What a launch does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// It runs.
    Run,
    /// It only compiles what it needs and makes room in the workspace, before a recording.
    Prepare,
    /// It becomes a part of a graph.
    Record,
}

/// Steps that the host is ahead of the device at most: the one that runs and the one that is queued.
pub(super) const AHEAD: usize = 2;
/// Samples of a batch that there is room for at first.
const SAMPLES: usize = 1 << 12;
/// Bytes of the step's scalars.
const SCALARS: usize = 16;

/// An NVIDIA GPU, or softgpu.
pub struct CudaDevice {
    // Graphs go before the memory they use.
    pub(super) recordings: Recordings,
    pub(super) launcher: Launcher,
    pub(super) uploads: Uploads,
    pub(super) memory: Memory,
    pub(super) trail: Trail,
    pub properties: Properties,
    /// Where the device is softgpu's.
    pub softgpu: Option<softgpu::Library>,
    /// `Step` of `kernels/common.cuh`: the scalars of the step, then its samples.
    step: Room,
    /// Samples of the step as the host set them.
    pub(super) samples: Vec<u32>,
    /// Steps begun, and an event at the end of each of the last ones.
    pub(super) steps: u64,
    pub(super) ended: [CudaEvent; AHEAD],
    workspace: Room,
    /// Memory as large as the second-level cache twice, for timings.
    pub(super) flush: Option<View>,
    /// Arrivals of a tile's parts, zero between launches.
    pub(super) counters: View,
    pub(super) mode: Mode,
    pub(super) choices: Choices,
    /// Whether sequences are recorded as graphs.
    pub(super) graphs: bool,
    /// Open ranges of phases and layers, with their names: for profilers and errors.
    pub(super) ranges: Vec<(nvtx::Range, String)>,
    /// Launches so far, counting each kernel of a graph once a replay.
    pub(super) launched: u64,
}

/// Memory of the device's own that grows: what is recorded over it goes with it, and is recorded anew.
pub(super) struct Room {
    owner: Owner,
    pub(super) view: View,
}

impl Room {
    fn new(memory: &mut Memory, dtype: DType, len: usize) -> Result<Room> {
        let owner = Owner::new();
        let view = memory.alloc(&owner, dtype, len)?;
        Ok(Room { owner, view })
    }

    /// Room for so many elements; if it has to grow, what it holds is lost.
    fn reserve(&mut self, memory: &mut Memory, recordings: &mut Recordings, len: usize) -> Result<()> {
        if len > self.view.len {
            (self.owner, self.view.len) = (Owner::new(), 0);
            recordings.sweep(memory);
            self.view = memory.alloc(&self.owner, self.view.dtype, len)?;
        }
        Ok(())
    }
}

impl CudaDevice {
    /// Opens a device.
    ///
    /// # Errors
    /// See [`driver::open`]; a variable `WARP19_...` that means nothing.
    pub fn open(which: Which) -> Result<CudaDevice> {
        let settings = Settings::read()?;
        let driver = driver::open(which)?;
        let (properties, softgpu) = (driver.properties.clone(), driver.softgpu);
        let trail = Trail::new(softgpu.is_some());
        let mut memory = Memory::new(driver.context.clone(), trail.clone());
        let launcher = Launcher::new(driver, trail.clone())?;
        let event = || launcher.context.new_event(None).map_err(|e| trail.failed("cannot create an event", &e));
        let step = Room::new(&mut memory, DType::U8, SCALARS + 4 * SAMPLES)?;
        let workspace = Room::new(&mut memory, DType::F32, 1)?;
        let counters = memory.alloc(&Owner::forever(), DType::U32, super::plan::COUNTERS)?;
        let mut device = CudaDevice {
            recordings: Recordings::default(),
            uploads: Uploads::new(launcher.stream.clone(), trail.clone())?,
            ended: [event()?, event()?],
            launcher,
            memory,
            trail,
            properties,
            softgpu,
            step,
            samples: Vec::new(),
            steps: 0,
            workspace,
            flush: None,
            counters,
            mode: Mode::Run,
            choices: settings.choices,
            graphs: settings.graphs,
            ranges: Vec::new(),
            launched: 0,
        };
        device.zero(counters)?;
        device.set_step(StepState { step: 0, lr: 0.0, ema_decay: 0.0, samples: &[] })?;
        Ok(device)
    }

    /// Takes a tile (an index into [`super::units::tiles`]) wherever it can be; `None`: the one that fits best.
    pub fn set_tile(&mut self, tile: Option<usize>) {
        self.choices.tile = tile;
    }

    /// Winograd's convolution wherever it can be, or never; `None`: where it wins.
    pub fn set_winograd(&mut self, winograd: Option<bool>) {
        self.choices.winograd = winograd;
    }

    /// Launches so far, counting each kernel of a graph once per replay.
    pub fn launches(&self) -> u64 {
        self.launched
    }

    /// Copies to the device so far.
    pub fn copies(&self) -> u64 {
        self.uploads.copies
    }

    /// Recordings that are kept.
    pub fn recordings(&self) -> usize {
        self.recordings.all.len()
    }

    /// Kernel launches in the newest recording of this name.
    pub fn launches_of(&self, name: &str) -> Option<u64> {
        self.recordings.all.iter().rfind(|r| r.name == name).map(|r| r.launches)
    }

    /// Where kernels were compiled and for what, for `devices`.
    pub fn compiler(&self) -> &super::compiler::Compiler {
        &self.launcher.compiler
    }

    pub(super) fn launch(&mut self, unit: Unit, kernel: &'static str, grid: Grid, args: &[Arg]) -> Result<()> {
        if self.mode == Mode::Prepare {
            return self.launcher.prepare(unit, kernel);
        }
        let kernel = self.launcher.launch(unit, kernel, grid, args)?;
        self.launched += 1;
        if self.mode == Mode::Run {
            let ranges = self.ranges.iter().map(|(_, name)| name.as_str());
            let place: Vec<&str> = ranges.chain([kernel.as_str()]).collect();
            self.trail.add(self.steps, place.join(" ").into());
        }
        Ok(())
    }

    /// Address of a workspace of at least `floats` floats. It grows while nothing is being recorded.
    pub(super) fn workspace(&mut self, floats: usize) -> Result<u64> {
        if floats > self.workspace.view.len {
            self.workspace.reserve(&mut self.memory, &mut self.recordings, floats.next_multiple_of(1 << 18))?;
        }
        self.memory.address(self.workspace.view)
    }

    /// Puts a step's scalars and samples where kernels read them, by one copy.
    pub(super) fn place_step(&mut self, state: StepState) -> Result<()> {
        let mut bytes = Vec::with_capacity(SCALARS + 4 * state.samples.len());
        bytes.extend(state.step.to_le_bytes());
        bytes.extend(state.lr.to_le_bytes());
        bytes.extend(state.ema_decay.to_le_bytes());
        bytes.extend_from_slice(bytemuck::cast_slice(state.samples));
        self.step.reserve(&mut self.memory, &mut self.recordings, bytes.len().next_power_of_two())?;
        self.samples.clear();
        self.samples.extend_from_slice(state.samples);
        self.uploads.copy(self.step_address()?, &bytes)
    }

    /// Address of the step's scalars and samples.
    pub(super) fn step_address(&self) -> Result<u64> {
        self.memory.address(self.step.view)
    }

    /// What a recording uses of the device's own memory.
    pub(super) fn own_memory(&self) -> [View; 3] {
        [self.step.view, self.workspace.view, self.counters]
    }
}
