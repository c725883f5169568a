//! The CUDA device as a [`Device`]: copies, the step's scalars, operations, and plans recorded as graphs.

use super::device::{CudaDevice, Mode, Recording};
use super::driver::failed;
use super::{nvtx, operations};
use crate::device::{DType, Device, Precision, StepState, View, run_plan};
use crate::error::{Error, Result};
use crate::ops::description::{Operand, check, check_bytes};
use crate::ops::operation::{Operation, Planned};
use cudarc::driver::result;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};

impl Device for CudaDevice {
    fn describe(&self) -> String {
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

    fn supports(&self, precision: Precision) -> Result<()> {
        match precision {
            Precision::F32 => Ok(()),
            other => Err(Error::Device(format!("there are no kernels for {other}; leave --precision away"))),
        }
    }

    fn alloc(&mut self, dtype: DType, len: usize) -> Result<View> {
        self.memory.alloc(dtype, len)
    }

    fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        check_bytes("upload", dst, src.len())?;
        let to = self.bound(dst)?;
        if src.is_empty() {
            return Ok(());
        }
        // SAFETY: the range was checked; pageable host memory is read before the call returns.
        unsafe { result::memcpy_htod_async(to, src, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot copy to the device", &e))
    }

    fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        check_bytes("download", src, dst.len())?;
        let from = self.bound(src)?;
        if dst.is_empty() {
            return Ok(());
        }
        // SAFETY: the range was checked; the stream is waited for before `dst` is used.
        unsafe { result::memcpy_dtoh_async(dst, from, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot copy from the device", &e))?;
        self.synchronize()
    }

    fn zero(&mut self, dst: View) -> Result<()> {
        let (to, bytes) = (self.bound(dst)?, dst.bytes().len());
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the range was checked.
        unsafe { result::memset_d8_async(to, 0, bytes, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot clear device memory", &e))
    }

    fn copy(&mut self, src: View, dst: View) -> Result<()> {
        let operands = [Operand::read("source", src.dtype, src.len), Operand::write("destination", src.dtype, src.len)];
        check("copy", &operands, &[src, dst])?;
        let (from, to, bytes) = (self.bound(src)?, self.bound(dst)?, src.bytes().len());
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the ranges were checked.
        unsafe { result::memcpy_dtod_async(to, from, bytes, self.launcher.stream.cu_stream()) }
            .map_err(|e| failed("cannot copy device memory", &e))
    }

    fn synchronize(&mut self) -> Result<()> {
        self.launcher.stream.synchronize().map_err(|e| failed("a kernel failed on the device", &e))
    }

    fn set_step(&mut self, state: StepState) -> Result<()> {
        let mut bytes = [0u8; 16];
        bytes[..8].copy_from_slice(&state.step.to_le_bytes());
        bytes[8..12].copy_from_slice(&state.lr.to_le_bytes());
        bytes[12..].copy_from_slice(&state.ema_decay.to_le_bytes());
        self.upload(self.step, &bytes)
    }

    fn run(&mut self, operation: &Operation) -> Result<()> {
        let _range = nvtx::range(|| operation.to_string());
        let addresses = self.memory.addresses(operation.description().name, operation.operands())?;
        operations::run(self, operation, addresses)
    }

    fn record(&mut self, name: &str, plan: &[Planned]) -> Result<()> {
        let _range = nvtx::range(|| name.to_string());
        if !self.graphs {
            return run_plan(self, plan);
        }
        if !self.recordings.contains_key(name) {
            let recording = self.capture(plan)?;
            self.recordings.insert(name.to_string(), recording);
        }
        let recording = &self.recordings[name];
        self.launcher.launches += recording.launches;
        recording.graph.launch().map_err(|e| failed("cannot launch a graph", &e))
    }

    fn open_range(&mut self, name: &str) {
        self.ranges.push(nvtx::range(|| name.to_string()));
    }

    fn close_range(&mut self) {
        self.ranges.pop();
    }
}

impl CudaDevice {
    /// The address of a view, with the context bound to this thread.
    fn bound(&self, view: View) -> Result<u64> {
        self.launcher.context.bind_to_thread().map_err(|e| failed("cannot use the CUDA context", &e))?;
        self.memory.address(view)
    }

    /// Records a plan: it is run once without launching, to compile and to make room in the workspace, then captured.
    fn capture(&mut self, plan: &[Planned]) -> Result<Recording> {
        self.mode = Mode::Prepare;
        let prepared = run_plan(self, plan);
        self.mode = Mode::Run;
        prepared?;
        let before = self.launcher.launches;
        let stream = self.launcher.stream.clone();
        stream
            .begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            .map_err(|e| failed("cannot record a graph", &e))?;
        let done = run_plan(self, plan);
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        done?;
        let graph = graph.map_err(|e| failed("cannot finish recording a graph", &e))?;
        let graph = graph.ok_or_else(|| Error::Device("the recorded graph is empty".into()))?;
        let launches = self.launcher.launches - before;
        self.launcher.launches = before;
        Ok(Recording { graph, launches })
    }
}
