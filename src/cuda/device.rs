//! The CUDA device: memory, the step's scalars, and sequences recorded as graphs.

use super::driver::{self, Properties, Which, failed};
use super::launch::{Arg, Grid, Launcher};
use super::memory::Memory;
use super::nvtx;
use super::units::Unit;
use crate::device::{DType, Device, StepState, View, expect_bytes};
use crate::error::{Error, Result};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use cudarc::driver::{CudaGraph, result};
use std::collections::HashMap;

/// What a launch does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It runs.
    Run,
    /// It only compiles what it needs and makes room in the workspace, before a recording.
    Prepare,
}

/// A recorded sequence.
struct Recording {
    graph: CudaGraph,
    /// Kernel launches in it.
    launches: u64,
}

/// An NVIDIA GPU, or softgpu.
pub struct CudaDevice {
    // Graphs go before the memory they use.
    recordings: HashMap<String, Recording>,
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
    mode: Mode,
    /// A tile to take wherever it can be, by `WARP19_TILE` (an index into [`super::units::TILES`]), to test and to
    /// measure each.
    pub(super) tile: Option<usize>,
    /// Winograd's convolution wherever it can be (`WARP19_WINOGRAD=1`) or never (`0`); `None`: where it wins.
    pub(super) winograd: Option<bool>,
    /// Whether sequences are recorded as graphs; off with `WARP19_GRAPH=0`, for profilers.
    graphs: bool,
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

    fn bytes(&self, what: &str, view: View, host: usize) -> Result<u64> {
        expect_bytes(what, view, host)?;
        self.launcher.context.bind_to_thread().map_err(|e| failed("cannot use the CUDA context", &e))?;
        self.memory.address(view)
    }

    fn capture(&mut self, body: &mut dyn FnMut(&mut dyn Device) -> Result<()>) -> Result<Recording> {
        self.mode = Mode::Prepare;
        let prepared = body(self);
        self.mode = Mode::Run;
        prepared?;
        let before = self.launcher.launches;
        let stream = self.launcher.stream.clone();
        stream
            .begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            .map_err(|e| failed("cannot record a graph", &e))?;
        let done = body(self);
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        done?;
        let graph = graph.map_err(|e| failed("cannot finish recording a graph", &e))?;
        let graph = graph.ok_or_else(|| Error::Device("the recorded graph is empty".into()))?;
        let launches = self.launcher.launches - before;
        self.launcher.launches = before;
        Ok(Recording { graph, launches })
    }

    pub(super) fn describe_text(&self) -> String {
        let p = &self.properties;
        format!(
            "{} (sm_{}, {} multiprocessors, {:.1} GiB, NVRTC {}.{})",
            p.name,
            p.sm,
            p.multiprocessors,
            p.total_memory as f64 / f64::from(1 << 30),
            self.launcher.compiler.nvrtc.version.0,
            self.launcher.compiler.nvrtc.version.1
        )
    }

    pub(super) fn upload_bytes(&mut self, dst: View, src: &[u8]) -> Result<()> {
        let to = self.bytes("upload", dst, src.len())?;
        if src.is_empty() {
            return Ok(());
        }
        // Safety: the range was checked; pageable host memory is read before the call returns.
        unsafe { result::memcpy_htod_async(to, src, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot copy to the device", &e))
    }

    pub(super) fn download_bytes(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        let from = self.bytes("download", src, dst.len())?;
        if dst.is_empty() {
            return Ok(());
        }
        // Safety: the range was checked; the stream is waited for before `dst` is used.
        unsafe { result::memcpy_dtoh_async(dst, from, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot copy from the device", &e))?;
        self.wait()
    }

    pub(super) fn zero_bytes(&mut self, dst: View) -> Result<()> {
        let bytes = dst.len * dst.dtype.size();
        let to = self.bytes("zero", dst, bytes)?;
        if bytes == 0 || self.mode == Mode::Prepare {
            return Ok(());
        }
        // Safety: the range was checked.
        unsafe { result::memset_d8_async(to, 0, bytes, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot clear device memory", &e))
    }

    pub(super) fn copy_bytes(&mut self, src: View, dst: View) -> Result<()> {
        let bytes = src.len * src.dtype.size();
        self.memory.check("copy", &[("source", src, src.dtype, dst.len)], &[("target", dst, src.dtype, src.len)])?;
        let (from, to) = (self.bytes("copy", src, bytes)?, self.bytes("copy", dst, bytes)?);
        if bytes == 0 || self.mode == Mode::Prepare {
            return Ok(());
        }
        // Safety: the ranges were checked.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot copy device memory", &e))
    }

    pub(super) fn wait(&mut self) -> Result<()> {
        self.launcher.stream.synchronize().map_err(|e| failed("a kernel failed on the device", &e))
    }

    pub(super) fn write_step(&mut self, state: StepState) -> Result<()> {
        let mut bytes = [0u8; 16];
        bytes[..8].copy_from_slice(&state.step.to_le_bytes());
        bytes[8..12].copy_from_slice(&state.lr.to_le_bytes());
        bytes[12..].copy_from_slice(&state.ema_decay.to_le_bytes());
        self.upload_bytes(self.step, &bytes)
    }

    pub(super) fn record_or_replay(
        &mut self,
        name: &str,
        body: &mut dyn FnMut(&mut dyn Device) -> Result<()>,
    ) -> Result<()> {
        let _range = nvtx::range(|| name.to_string());
        if !self.graphs {
            return body(self);
        }
        if !self.recordings.contains_key(name) {
            let recording = self.capture(body)?;
            self.recordings.insert(name.to_string(), recording);
        }
        let recording = &self.recordings[name];
        self.launcher.launches += recording.launches;
        recording.graph.launch().map_err(|e| failed("cannot launch a graph", &e))
    }
}
