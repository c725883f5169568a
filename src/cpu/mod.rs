//! The CPU backend: every operation of the contract on rayon's threads.

#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), path = "amx/absent.rs")]
mod amx;
mod batch;
mod buffer;
mod conv;
mod element;
mod epilogue;
mod gemm;
mod isa;
mod linear;
mod matrix;
mod memory;
mod operations;
mod optimizer;
mod parallel;
mod peak;
mod pointwise;
mod sums;
mod turn;
mod vector;
mod weights;
mod wide;
mod winograd;

use crate::device::{DType, Device, Owner, Precision, StepState, View, run_plan};
use crate::error::{Error, Result};
use crate::ops::operation::{Operation, Planned};
use memory::Memory;
use operations::Workspace;

pub use isa::Isa;

/// The processor as a device.
pub struct CpuDevice {
    isa: Isa,
    memory: Memory,
    pool: rayon::ThreadPool,
    workspace: Workspace,
    state: StepState<'static>,
    /// The samples of the step.
    samples: Vec<u32>,
}

impl CpuDevice {
    /// A device with that many threads, or one for each processor, and the instructions of [`Isa::chosen`].
    ///
    /// # Errors
    /// The threads cannot be started; the instructions that are asked for are not there.
    pub fn new(threads: Option<usize>) -> Result<CpuDevice> {
        CpuDevice::with(Isa::chosen()?, threads)
    }

    /// A device with these instructions, and that many threads or one for each processor.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn with(isa: Isa, threads: Option<usize>) -> Result<CpuDevice> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .build()
            .map_err(|e| Error::Device(format!("cannot start the CPU's worker threads: {e}")))?;
        Ok(CpuDevice {
            isa,
            memory: Memory::default(),
            pool,
            workspace: Workspace::default(),
            state: StepState { step: 0, lr: 0.0, ema_decay: 0.0, samples: &[] },
            samples: Vec::new(),
        })
    }

    /// Floating-point operations a second that all threads together can do at most, measured now: multiply-adds of
    /// float32, or with AMX in a precision of 16 bits those of its tiles.
    pub fn peak_flops(&self, precision: Precision) -> f64 {
        let isa = self.isa;
        let tiles = isa.tiles().filter(|_| precision.is_half());
        self.pool.broadcast(|_| tiles.map_or_else(|| peak::flops(isa), amx::peak_flops)).iter().sum()
    }

    /// Bytes a second that all threads together read from memory and write to it at most, measured now.
    pub fn peak_bandwidth(&self) -> f64 {
        peak::bandwidth(&self.pool)
    }
}

impl Device for CpuDevice {
    fn describe(&self) -> String {
        let threads = self.pool.current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!("cpu ({}, {threads} thread{plural})", self.isa)
    }

    fn supports(&self, precision: Precision) -> Result<()> {
        match precision {
            Precision::F32 | Precision::Bf16 | Precision::F16 => Ok(()),
            Precision::Tf32 | Precision::Tf32x3 => Err(Error::Device(format!(
                "the CPU does not compute in {precision}, a format of tensor cores; choose --precision f32, bf16 or f16"
            ))),
        }
    }

    fn preferred(&self) -> Precision {
        if self.isa.tiles().is_some() { Precision::Bf16 } else { Precision::F32 }
    }

    fn alloc_for(&mut self, owner: &Owner, dtype: DType, len: usize) -> Result<View> {
        self.memory.alloc(owner, dtype, len)
    }

    fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        self.memory.upload(dst, src)
    }

    fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        self.memory.download(src, dst)
    }

    fn zero(&mut self, dst: View) -> Result<()> {
        self.memory.zero(dst)
    }

    fn copy(&mut self, src: View, dst: View) -> Result<()> {
        self.memory.copy(src, dst)
    }

    fn synchronize(&mut self) -> Result<()> {
        Ok(())
    }

    fn set_step(&mut self, state: StepState) -> Result<()> {
        self.state = StepState { step: state.step, lr: state.lr, ema_decay: state.ema_decay, samples: &[] };
        self.samples.clear();
        self.samples.extend_from_slice(state.samples);
        Ok(())
    }

    fn run(&mut self, operation: &Operation) -> Result<()> {
        self.supports(operation.precision())?;
        let slices = self.memory.slices(operation)?;
        let state = StepState { samples: &self.samples, ..self.state };
        let (isa, workspace) = (self.isa, &mut self.workspace);
        self.pool.install(|| operations::run(isa, operation, state, slices, workspace))
    }

    fn record(&mut self, _name: &str, plan: &[Planned]) -> Result<()> {
        run_plan(self, plan)
    }
}
