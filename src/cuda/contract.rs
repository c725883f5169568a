//! The CUDA device as a [`Device`]: copies, steps, operations, and plans recorded as graphs.

use super::device::{AHEAD, CudaDevice, Mode};
use super::recording::Recording;
use super::{limits, nvtx, operations};
use crate::device::{DType, Device, Owner, Precision, StepState, View, run_plan};
use crate::error::{Error, Result};
use crate::ops::description::{Operand, check, check_bytes};
use crate::ops::operation::{Kind, Operation, Planned};
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
        self.properties.supports(precision)
    }

    fn preferred(&self) -> Precision {
        if self.supports(Precision::Bf16).is_ok() { Precision::Bf16 } else { Precision::F32 }
    }

    fn alloc_for(&mut self, owner: &Owner, dtype: DType, len: usize) -> Result<View> {
        self.recordings.sweep(&mut self.memory);
        self.memory.alloc(owner, dtype, len)
    }

    fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        check_bytes("upload", dst, src.len())?;
        let to = self.bound(dst)?;
        self.uploads.copy(to, src)
    }

    fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        check_bytes("download", src, dst.len())?;
        let from = self.bound(src)?;
        if dst.is_empty() {
            return Ok(());
        }
        // SAFETY: the range was checked; the stream is waited for before `dst` is used.
        unsafe { result::memcpy_dtoh_async(dst, from, self.launcher.stream.cu_stream()) }
            .map_err(|e| self.trail.failed("cannot copy from the device", &e))?;
        self.synchronize()
    }

    fn zero(&mut self, dst: View) -> Result<()> {
        let (to, bytes) = (self.bound(dst)?, dst.bytes().len());
        if bytes == 0 {
            return Ok(());
        }
        // SAFETY: the range was checked.
        unsafe { result::memset_d8_async(to, 0, bytes, self.launcher.stream.cu_stream()) }
            .map_err(|e| self.trail.failed("cannot clear device memory", &e))
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
            .map_err(|e| self.trail.failed("cannot copy device memory", &e))
    }

    fn synchronize(&mut self) -> Result<()> {
        self.launcher.stream.synchronize().map_err(|e| self.trail.failed("a kernel failed on the device", &e))?;
        self.trail.ended_before(u64::MAX);
        Ok(())
    }

    fn set_step(&mut self, state: StepState) -> Result<()> {
        // The end of the step before is marked; its event's place in the ring is the next one's. The end of the one
        // before that is waited for.
        let wait = || {
            self.ended[(self.steps + 1) as usize % AHEAD].record(&self.launcher.stream)?;
            self.ended[self.steps as usize % AHEAD].synchronize()
        };
        wait().map_err(|e| self.trail.failed("a kernel failed on the device", &e))?;
        self.trail.ended_before(self.steps);
        self.steps += 1;
        self.place_step(state)
    }

    fn run(&mut self, operation: &Operation) -> Result<()> {
        let _range = nvtx::range(|| operation.to_string());
        self.supports(operation.precision())?;
        limits::check(operation)?;
        if let Kind::Gather(gather) = operation.kind() {
            gather.check(&self.samples)?;
        }
        let addresses = self.memory.addresses(operation.operands().map(|(_, view)| view))?;
        operations::run(self, operation, addresses)
    }

    fn record(&mut self, name: &str, plan: &[Planned]) -> Result<()> {
        let _range = nvtx::range(|| name.to_string());
        if !self.graphs {
            return run_plan(self, plan);
        }
        self.recordings.sweep(&mut self.memory);
        if self.recordings.find(plan, self.choices).is_none() {
            let recording = self.capture(name, plan)?;
            self.recordings.all.push(recording);
        }
        for planned in plan {
            if let Kind::Gather(gather) = planned.operation.kind() {
                gather.check(&self.samples)?;
            }
        }
        let recording = self.recordings.find(plan, self.choices).expect("found or made above");
        self.launched += recording.launches;
        self.trail.add(self.steps, recording.title.clone());
        recording.graph.launch().map_err(|e| self.trail.failed("cannot launch a graph", &e))
    }

    fn open_range(&mut self, name: &str) {
        self.ranges.push((nvtx::range(|| name.to_string()), name.to_string()));
    }

    fn close_range(&mut self) {
        self.ranges.pop();
    }
}

impl CudaDevice {
    /// The address of a view, with the context bound to this thread.
    fn bound(&self, view: View) -> Result<u64> {
        self.launcher.context.bind_to_thread().map_err(|e| self.trail.failed("cannot use the CUDA context", &e))?;
        self.memory.address(view)
    }

    /// Records a plan: it is run once without launching, to compile and to make room in the workspace, then captured.
    fn capture(&mut self, name: &str, plan: &[Planned]) -> Result<Recording> {
        self.mode = Mode::Prepare;
        let prepared = run_plan(self, plan);
        self.mode = Mode::Run;
        prepared?;
        let before = self.launched;
        let stream = self.launcher.stream.clone();
        stream
            .begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
            .map_err(|e| self.trail.failed("cannot record a graph", &e))?;
        self.mode = Mode::Record;
        let done = run_plan(self, plan);
        self.mode = Mode::Run;
        let graph = stream.end_capture(CUgraphInstantiate_flags(0));
        done?;
        let graph = graph.map_err(|e| self.trail.failed("cannot finish recording a graph", &e))?;
        let graph = graph.ok_or_else(|| Error::Device("the recorded graph is empty".into()))?;
        let launches = self.launched - before;
        self.launched = before;
        let views = plan.iter().flat_map(|p| p.operation.operands().map(|(_, view)| view));
        let ends = [plan.first(), plan.last()].map(|p| p.map_or(String::new(), place));
        Ok(Recording {
            name: name.into(),
            plan: plan.to_vec(),
            choices: self.choices,
            uses: views.chain(self.own_memory()).collect(),
            graph,
            launches,
            title: format!("one of the {launches} launches recorded as \"{name}\", from {} to {}", ends[0], ends[1])
                .into(),
        })
    }
}

/// Phase, layer and name of an operation, for errors.
fn place(planned: &Planned) -> String {
    let words = [planned.phase, &planned.layer, planned.operation.description().name];
    words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}
