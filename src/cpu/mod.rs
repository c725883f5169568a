//! The CPU backend: every operation of the contract on rayon's threads.

mod conv;
mod epilogue;
mod gemm;
mod linear;
mod matrix;
mod memory;
mod operations;
mod parallel;
mod pointwise;
mod vector;
mod winograd;

use crate::device::{Arenas, DType, Device, Dropout, StepState, View};
use crate::error::{Error, Result};
use crate::ops::batch::Gather;
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::loss::LossKind;
use crate::ops::optimizer::{AdamParams, SgdParams};
use crate::ops::pool::PoolShape;
use conv::Scratch;
use epilogue::Epilogue;
use memory::Memory;
use vector::Isa;

use DType::{F32, U8};

/// The processor as a device.
pub struct CpuDevice {
    memory: Memory,
    pool: rayon::ThreadPool,
    scratch: Scratch,
    vector: Vec<f32>,
    state: StepState,
}

impl CpuDevice {
    /// A device with that many threads, or one for each processor.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(threads: Option<usize>) -> Result<CpuDevice> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads.unwrap_or(0))
            .build()
            .map_err(|e| Error::Device(format!("cannot start the CPU's worker threads: {e}")))?;
        Ok(CpuDevice {
            memory: Memory::default(),
            pool,
            scratch: Scratch::default(),
            vector: Vec::new(),
            state: StepState { step: 0, lr: 0.0, ema_decay: 0.0 },
        })
    }
}

impl Device for CpuDevice {
    fn describe(&self) -> String {
        let threads = self.pool.current_num_threads();
        let plural = if threads == 1 { "" } else { "s" };
        format!("cpu ({}, {threads} thread{plural})", Isa::detect().name())
    }

    fn alloc(&mut self, dtype: DType, len: usize) -> Result<View> {
        self.memory.alloc(dtype, len)
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
        self.state = state;
        Ok(())
    }

    fn record(&mut self, _name: &str, body: &mut dyn FnMut(&mut dyn Device) -> Result<()>) -> Result<()> {
        body(self)
    }

    fn gather(
        &mut self,
        g: &Gather,
        pixels: View,
        labels: View,
        indices: View,
        x: View,
        labels_out: View,
    ) -> Result<()> {
        operations::gather(self, g, pixels, labels, indices, x, labels_out)
    }

    fn conv_forward(&mut self, s: &ConvShape, x: View, w: View, b: View, y: View, relu: bool) -> Result<()> {
        let reads = [("x", x, F32, s.x_len()), ("w", w, F32, s.w_len()), ("b", b, F32, s.k)];
        let writes = [("y", y, F32, s.y_len())];
        self.memory.check("conv_forward", &reads, &writes)?;
        let (mut m, scratch) = (self.memory.access(), &mut self.scratch);
        let (x, w, bias, y) = (m.read(x)?, m.read(w)?, m.read(b)?, m.write(y)?);
        let end = Epilogue::Bias { bias, relu };
        self.pool.install(|| conv::forward(s, x, w, y, end, scratch));
        Ok(())
    }

    fn conv_backward_data(&mut self, s: &ConvShape, dy: View, w: View, dx: View, mask: Option<View>) -> Result<()> {
        let mut reads = vec![("dy", dy, F32, s.y_len()), ("w", w, F32, s.w_len())];
        reads.extend(mask.map(|v| ("mask", v, F32, s.x_len())));
        let writes = [("dx", dx, F32, s.x_len())];
        self.memory.check("conv_backward_data", &reads, &writes)?;
        let (mut m, scratch) = (self.memory.access(), &mut self.scratch);
        let (dy, w, dx) = (m.read(dy)?, m.read(w)?, m.write(dx)?);
        let end = mask.map(|v| m.read(v).map(Epilogue::Mask)).transpose()?.unwrap_or(Epilogue::None);
        self.pool.install(|| conv::backward_data(s, dy, w, dx, end, scratch));
        Ok(())
    }

    fn conv_backward_weight(&mut self, s: &ConvShape, x: View, dy: View, dw: View, db: View) -> Result<()> {
        let reads = [("x", x, F32, s.x_len()), ("dy", dy, F32, s.y_len())];
        let writes = [("dw", dw, F32, s.w_len()), ("db", db, F32, s.k)];
        self.memory.check("conv_backward_weight", &reads, &writes)?;
        let (mut m, scratch) = (self.memory.access(), &mut self.scratch);
        let (x, dy, dw, db) = (m.read(x)?, m.read(dy)?, m.write(dw)?, m.write(db)?);
        self.pool.install(|| conv::backward_weight(s, x, dy, dw, db, scratch));
        Ok(())
    }

    fn pool_forward(&mut self, s: &PoolShape, x: View, y: View, argmax: View) -> Result<()> {
        let writes = [("y", y, F32, s.y_len()), ("argmax", argmax, U8, s.y_len())];
        self.memory.check("pool_forward", &[("x", x, F32, s.x_len())], &writes)?;
        let mut m = self.memory.access();
        let (x, y, argmax) = (m.read(x)?, m.write(y)?, m.write(argmax)?);
        self.pool.install(|| pointwise::pool_forward(s, x, y, argmax));
        Ok(())
    }

    fn pool_backward(&mut self, s: &PoolShape, dy: View, argmax: View, dx: View) -> Result<()> {
        let reads = [("dy", dy, F32, s.y_len()), ("argmax", argmax, U8, s.y_len())];
        self.memory.check("pool_backward", &reads, &[("dx", dx, F32, s.x_len())])?;
        let mut m = self.memory.access();
        let (dy, argmax, dx) = (m.read(dy)?, m.read(argmax)?, m.write(dx)?);
        self.pool.install(|| pointwise::pool_backward(s, dy, argmax, dx));
        Ok(())
    }

    fn linear_forward(&mut self, s: &LinearShape, x: View, w: View, b: View, y: View, relu: bool) -> Result<()> {
        let reads = [("x", x, F32, s.n * s.inputs), ("w", w, F32, s.inputs * s.outputs), ("b", b, F32, s.outputs)];
        self.memory.check("linear_forward", &reads, &[("y", y, F32, s.n * s.outputs)])?;
        let mut m = self.memory.access();
        let (x, w, b, y) = (m.read(x)?, m.read(w)?, m.read(b)?, m.write(y)?);
        self.pool.install(|| linear::forward(s, x, w, b, y, relu));
        Ok(())
    }

    fn linear_backward_data(&mut self, s: &LinearShape, dy: View, w: View, dx: View, mask: Option<View>) -> Result<()> {
        let mut reads = vec![("dy", dy, F32, s.n * s.outputs), ("w", w, F32, s.inputs * s.outputs)];
        reads.extend(mask.map(|v| ("mask", v, F32, s.n * s.inputs)));
        let writes = [("dx", dx, F32, s.n * s.inputs)];
        self.memory.check("linear_backward_data", &reads, &writes)?;
        let (mut m, scratch) = (self.memory.access(), &mut self.vector);
        let (dy, w, dx) = (m.read(dy)?, m.read(w)?, m.write(dx)?);
        let mask = mask.map(|v| m.read(v)).transpose()?;
        self.pool.install(|| linear::backward_data(s, dy, w, dx, mask, scratch));
        Ok(())
    }

    fn linear_backward_weight(&mut self, s: &LinearShape, x: View, dy: View, dw: View, db: View) -> Result<()> {
        let reads = [("x", x, F32, s.n * s.inputs), ("dy", dy, F32, s.n * s.outputs)];
        let writes = [("dw", dw, F32, s.inputs * s.outputs), ("db", db, F32, s.outputs)];
        self.memory.check("linear_backward_weight", &reads, &writes)?;
        let (mut m, scratch) = (self.memory.access(), &mut self.vector);
        let (x, dy, dw, db) = (m.read(x)?, m.read(dy)?, m.write(dw)?, m.write(db)?);
        self.pool.install(|| linear::backward_weight(s, x, dy, dw, db, scratch));
        Ok(())
    }

    fn dropout(&mut self, d: &Dropout, x: View) -> Result<()> {
        self.memory.check("dropout", &[], &[("x", x, F32, x.len)])?;
        let (x, step) = (self.memory.access().write(x)?, self.state.step);
        self.pool.install(|| pointwise::dropout(d, step, x));
        Ok(())
    }

    fn loss(
        &mut self,
        kind: LossKind,
        classes: usize,
        logits: View,
        labels: View,
        dlogits: Option<View>,
        stats: View,
    ) -> Result<()> {
        operations::loss(self, kind, classes, logits, labels, dlogits, stats)
    }

    fn softmax(&mut self, classes: usize, logits: View, probabilities: View) -> Result<()> {
        self.memory.check(
            "softmax",
            &[("logits", logits, F32, logits.len)],
            &[("probabilities", probabilities, F32, logits.len)],
        )?;
        let mut m = self.memory.access();
        let (z, p) = (m.read(logits)?, m.write(probabilities)?);
        pointwise::softmax(classes, z, p);
        Ok(())
    }

    fn adam(&mut self, p: &AdamParams, a: &Arenas) -> Result<()> {
        operations::adam(self, p, a)
    }

    fn sgd(&mut self, p: &SgdParams, decayed: &[(usize, usize)], a: &Arenas) -> Result<()> {
        operations::sgd(self, p, decayed, a)
    }
}
