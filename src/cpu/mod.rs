//! The CPU backend: every operation of the contract on rayon's threads.

mod conv;
mod gemm;
mod linear;
mod memory;
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
use conv::{Epilogue, Scratch};
use gemm::Isa;
use memory::Memory;

use DType::{F32, F64, U8, U32};

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
            state: StepState {
                step: 0,
                lr: 0.0,
                ema_decay: 0.0,
            },
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
        let to = self.memory.bytes_mut(dst)?;
        same_length("upload", to.len(), src.len())?;
        to.copy_from_slice(src);
        Ok(())
    }

    fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        let from = self.memory.bytes(src)?;
        same_length("download", from.len(), dst.len())?;
        dst.copy_from_slice(from);
        Ok(())
    }

    fn zero(&mut self, dst: View) -> Result<()> {
        self.memory.bytes_mut(dst)?.fill(0);
        Ok(())
    }

    fn copy(&mut self, src: View, dst: View) -> Result<()> {
        self.memory.check(
            "copy",
            &[("source", src, src.dtype, src.len)],
            &[("destination", dst, src.dtype, src.len)],
        )?;
        let from: &[u8] = self.memory.bytes(src)?;
        // Safety: checked not to overlap; the detour ends the borrow.
        let from = unsafe { std::slice::from_raw_parts(from.as_ptr(), from.len()) };
        self.memory.bytes_mut(dst)?.copy_from_slice(from);
        Ok(())
    }

    fn synchronize(&mut self) -> Result<()> {
        Ok(())
    }

    fn set_step(&mut self, state: StepState) -> Result<()> {
        self.state = state;
        Ok(())
    }

    fn record(
        &mut self,
        _name: &str,
        body: &mut dyn FnMut(&mut dyn Device) -> Result<()>,
    ) -> Result<()> {
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
        let reads = [
            ("pixels", pixels, U8, labels.len * g.h * g.w * g.c),
            ("labels", labels, U8, labels.len),
            ("indices", indices, U32, g.n),
        ];
        let writes = [
            ("x", x, F32, g.n * g.h * g.w * g.c),
            ("batch labels", labels_out, U8, g.n),
        ];
        self.memory.check("gather", &reads, &writes)?;
        if !pointwise::supports(g) {
            return Err(Error::Invalid(format!(
                "gather: the elastic field's control points are too close for {}x{} images",
                g.h, g.w
            )));
        }
        let (m, step) = (&self.memory, self.state.step);
        unsafe {
            let (pixels, labels) = (m.read::<u8>(pixels), m.read::<u8>(labels));
            let indices = m.read::<u32>(indices);
            if let Some(&bad) = indices.iter().find(|&&i| i as usize >= labels.len()) {
                return Err(Error::Invalid(format!(
                    "gather: image {bad} of a dataset of {}",
                    labels.len()
                )));
            }
            let (x, out) = (m.write(x), m.write::<u8>(labels_out));
            for (o, &i) in out.iter_mut().zip(indices) {
                *o = labels[i as usize];
            }
            self.pool
                .install(|| pointwise::gather(g, step, pixels, indices, x));
        }
        Ok(())
    }

    fn conv_forward(
        &mut self,
        s: &ConvShape,
        x: View,
        w: View,
        b: View,
        y: View,
        relu: bool,
    ) -> Result<()> {
        let reads = [
            ("x", x, F32, s.x_len()),
            ("w", w, F32, s.w_len()),
            ("b", b, F32, s.k),
        ];
        let writes = [("y", y, F32, s.y_len())];
        self.memory.check("conv_forward", &reads, &writes)?;
        let (m, scratch) = (&self.memory, &mut self.scratch);
        unsafe {
            let (x, w, bias, y) = (m.read(x), m.read(w), m.read(b), m.write(y));
            let end = Epilogue::Bias { bias, relu };
            self.pool
                .install(|| conv::forward(s, x, w, y, end, scratch));
        }
        Ok(())
    }

    fn conv_backward_data(
        &mut self,
        s: &ConvShape,
        dy: View,
        w: View,
        dx: View,
        mask: Option<View>,
    ) -> Result<()> {
        let mut reads = vec![("dy", dy, F32, s.y_len()), ("w", w, F32, s.w_len())];
        reads.extend(mask.map(|v| ("mask", v, F32, s.x_len())));
        let writes = [("dx", dx, F32, s.x_len())];
        self.memory.check("conv_backward_data", &reads, &writes)?;
        let (m, scratch) = (&self.memory, &mut self.scratch);
        unsafe {
            let (dy, w, dx) = (m.read(dy), m.read(w), m.write(dx));
            let end = mask.map_or(Epilogue::None, |v| Epilogue::Mask(m.read(v)));
            self.pool
                .install(|| conv::backward_data(s, dy, w, dx, end, scratch));
        }
        Ok(())
    }

    fn conv_backward_weight(
        &mut self,
        s: &ConvShape,
        x: View,
        dy: View,
        dw: View,
        db: View,
    ) -> Result<()> {
        let reads = [("x", x, F32, s.x_len()), ("dy", dy, F32, s.y_len())];
        let writes = [("dw", dw, F32, s.w_len()), ("db", db, F32, s.k)];
        self.memory.check("conv_backward_weight", &reads, &writes)?;
        let (m, scratch) = (&self.memory, &mut self.scratch);
        unsafe {
            let (x, dy, dw, db) = (m.read(x), m.read(dy), m.write(dw), m.write(db));
            self.pool
                .install(|| conv::backward_weight(s, x, dy, dw, db, scratch));
        }
        Ok(())
    }

    fn pool_forward(&mut self, s: &PoolShape, x: View, y: View, argmax: View) -> Result<()> {
        let writes = [("y", y, F32, s.y_len()), ("argmax", argmax, U8, s.y_len())];
        self.memory
            .check("pool_forward", &[("x", x, F32, s.x_len())], &writes)?;
        let m = &self.memory;
        unsafe {
            let (x, y, argmax) = (m.read(x), m.write(y), m.write(argmax));
            self.pool
                .install(|| pointwise::pool_forward(s, x, y, argmax));
        }
        Ok(())
    }

    fn pool_backward(&mut self, s: &PoolShape, dy: View, argmax: View, dx: View) -> Result<()> {
        let reads = [
            ("dy", dy, F32, s.y_len()),
            ("argmax", argmax, U8, s.y_len()),
        ];
        self.memory
            .check("pool_backward", &reads, &[("dx", dx, F32, s.x_len())])?;
        let m = &self.memory;
        unsafe {
            let (dy, argmax, dx) = (m.read(dy), m.read(argmax), m.write(dx));
            self.pool
                .install(|| pointwise::pool_backward(s, dy, argmax, dx));
        }
        Ok(())
    }

    fn linear_forward(
        &mut self,
        s: &LinearShape,
        x: View,
        w: View,
        b: View,
        y: View,
        relu: bool,
    ) -> Result<()> {
        let reads = [
            ("x", x, F32, s.n * s.inputs),
            ("w", w, F32, s.inputs * s.outputs),
            ("b", b, F32, s.outputs),
        ];
        self.memory
            .check("linear_forward", &reads, &[("y", y, F32, s.n * s.outputs)])?;
        let m = &self.memory;
        unsafe {
            let (x, w, b, y) = (m.read(x), m.read(w), m.read(b), m.write(y));
            self.pool.install(|| linear::forward(s, x, w, b, y, relu));
        }
        Ok(())
    }

    fn linear_backward_data(
        &mut self,
        s: &LinearShape,
        dy: View,
        w: View,
        dx: View,
        mask: Option<View>,
    ) -> Result<()> {
        let mut reads = vec![
            ("dy", dy, F32, s.n * s.outputs),
            ("w", w, F32, s.inputs * s.outputs),
        ];
        reads.extend(mask.map(|v| ("mask", v, F32, s.n * s.inputs)));
        let writes = [("dx", dx, F32, s.n * s.inputs)];
        self.memory.check("linear_backward_data", &reads, &writes)?;
        let (m, scratch) = (&self.memory, &mut self.vector);
        unsafe {
            let (dy, w, dx) = (m.read(dy), m.read(w), m.write(dx));
            let mask = mask.map(|v| m.read(v));
            self.pool
                .install(|| linear::backward_data(s, dy, w, dx, mask, scratch));
        }
        Ok(())
    }

    fn linear_backward_weight(
        &mut self,
        s: &LinearShape,
        x: View,
        dy: View,
        dw: View,
        db: View,
    ) -> Result<()> {
        let reads = [
            ("x", x, F32, s.n * s.inputs),
            ("dy", dy, F32, s.n * s.outputs),
        ];
        let writes = [
            ("dw", dw, F32, s.inputs * s.outputs),
            ("db", db, F32, s.outputs),
        ];
        self.memory
            .check("linear_backward_weight", &reads, &writes)?;
        let (m, scratch) = (&self.memory, &mut self.vector);
        unsafe {
            let (x, dy, dw, db) = (m.read(x), m.read(dy), m.write(dw), m.write(db));
            self.pool
                .install(|| linear::backward_weight(s, x, dy, dw, db, scratch));
        }
        Ok(())
    }

    fn dropout(&mut self, d: &Dropout, x: View) -> Result<()> {
        self.memory.check("dropout", &[], &[("x", x, F32, x.len)])?;
        let (x, step) = (unsafe { self.memory.write(x) }, self.state.step);
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
        let len = labels.len * classes;
        let reads = [
            ("logits", logits, F32, len),
            ("labels", labels, U8, labels.len),
        ];
        let mut writes = vec![("stats", stats, F64, 4)];
        writes.extend(dlogits.map(|v| ("dlogits", v, F32, len)));
        self.memory.check("loss", &reads, &writes)?;
        let m = &self.memory;
        unsafe {
            let labels = m.read::<u8>(labels);
            if let Some(&bad) = labels.iter().find(|&&l| usize::from(l) >= classes) {
                return Err(Error::Invalid(format!(
                    "loss: label {bad} with {classes} classes; the dataset and the network do not fit each other"
                )));
            }
            let (logits, stats) = (m.read(logits), m.write(stats));
            match dlogits {
                Some(d) => pointwise::loss(kind, classes, logits, labels, m.write(d), stats),
                None => {
                    self.vector.resize(self.vector.len().max(len), 0.0);
                    let unused = &mut self.vector[..len];
                    pointwise::loss(kind, classes, logits, labels, unused, stats);
                }
            }
        }
        Ok(())
    }

    fn softmax(&mut self, classes: usize, logits: View, probabilities: View) -> Result<()> {
        self.memory.check(
            "softmax",
            &[("logits", logits, F32, logits.len)],
            &[("probabilities", probabilities, F32, logits.len)],
        )?;
        unsafe {
            let (z, p) = (self.memory.read(logits), self.memory.write(probabilities));
            pointwise::softmax(classes, z, p);
        }
        Ok(())
    }

    fn adam(&mut self, p: &AdamParams, a: &Arenas) -> Result<()> {
        let moment2 = a.moment2.ok_or_else(|| {
            Error::Device("adam: the second moment's arena is missing".to_string())
        })?;
        let len = a.weights.len;
        let mut writes = vec![
            ("weights", a.weights, F32, len),
            ("first moment", a.moment1, F32, len),
            ("second moment", moment2, F32, len),
        ];
        writes.extend(a.ema.map(|v| ("moving average", v, F32, len)));
        self.memory
            .check("adam", &[("gradients", a.gradients, F32, len)], &writes)?;
        let (m, s) = (&self.memory, self.state);
        unsafe {
            let (w, g) = (m.write(a.weights), m.read(a.gradients));
            let (m1, m2) = (m.write(a.moment1), m.write(moment2));
            let ema = a.ema.map(|v| m.write(v));
            self.pool
                .install(|| pointwise::adam(p, s.step, s.lr, s.ema_decay, w, g, m1, m2, ema));
        }
        Ok(())
    }

    fn sgd(&mut self, p: &SgdParams, decayed: &[(usize, usize)], a: &Arenas) -> Result<()> {
        let len = a.weights.len;
        let mut writes = vec![
            ("weights", a.weights, F32, len),
            ("velocity", a.moment1, F32, len),
        ];
        writes.extend(a.ema.map(|v| ("moving average", v, F32, len)));
        self.memory
            .check("sgd", &[("gradients", a.gradients, F32, len)], &writes)?;
        let (m, s) = (&self.memory, self.state);
        unsafe {
            let (w, g, u) = (m.write(a.weights), m.read(a.gradients), m.write(a.moment1));
            let ema = a.ema.map(|v| m.write(v));
            self.pool
                .install(|| pointwise::sgd(p, decayed, s.lr, s.ema_decay, w, g, u, ema));
        }
        Ok(())
    }
}

fn same_length(operation: &str, device: usize, host: usize) -> Result<()> {
    if device == host {
        return Ok(());
    }
    Err(Error::Shape {
        what: format!("{operation}: bytes"),
        expected: device.to_string(),
        found: host.to_string(),
    })
}
