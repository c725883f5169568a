//! The operations of the device contract as kernel launches.

use super::CudaDevice;
use super::launch::{Arg, AugmentArg, Grid, Ranges};
use super::nvtx;
use super::plan::{self, Divisor, Plan, Product};
use super::units::{
    DIRECT_CHANNELS, DIRECT_ROWS, DIRECT_THREADS, DROPOUT_THREADS, LOSS_THREADS, OPTIMIZER_THREADS,
    POOL_THREADS, REDUCE_THREADS, SGD_RANGES, TILES, Unit,
};
use crate::device::DType::{F32, F64, U8, U32};
use crate::device::{Arenas, DType, Device, Dropout, StepState, View};
use crate::error::{Error, Result};
use crate::ops::batch::Gather;
use crate::ops::conv::ConvShape;
use crate::ops::linear::LinearShape;
use crate::ops::loss::LossKind;
use crate::ops::optimizer::{AdamParams, Epsilon, SgdParams};
use crate::ops::pool::PoolShape;

/// What follows a product's sum.
#[derive(Clone, Copy, Default)]
struct After {
    bias: u64,
    mask: u64,
    relu: bool,
}

/// Blocks of an optimiser launch at most: each then walks through the arena in strides.
const OPTIMIZER_BLOCKS: usize = 2048;
/// Shared memory a block may have on every device.
const SHARED_LIMIT: usize = 48 << 10;

fn aligned(addresses: &[u64]) -> bool {
    addresses.iter().all(|a| a.is_multiple_of(16))
}

impl CudaDevice {
    /// Adds partial sums that are not tiles: `parts` times `to` and then `tail` elements.
    fn reduce(
        &mut self,
        from: u64,
        to: (u64, usize),
        tail: (u64, usize),
        parts: usize,
    ) -> Result<()> {
        let (elements, behind) = (to.1, tail.1);
        let vector = [elements, behind].iter().all(|n| n.is_multiple_of(4))
            && aligned(&[from, to.0, tail.0]);
        let (unit, wide) = if vector {
            (Unit::Gemm(2), 4)
        } else {
            (Unit::Gemm(3), 1)
        };
        let blocks = (elements + behind).div_ceil(wide * REDUCE_THREADS);
        let mut args = [from, to.0, tail.0].map(Arg::Address).to_vec();
        args.extend([parts, elements, behind].map(Arg::from));
        self.launch(unit, "reduce_parts", Grid::of(blocks), &args)
    }

    /// Addresses of the workspace and the counters for a product of `blocks` tiles.
    fn parts(&mut self, plan: Plan, blocks: usize) -> Result<[Arg; 2]> {
        if plan.parts == 1 {
            return Ok([Arg::Address(0), Arg::Address(0)]);
        }
        let tile = TILES[plan.tile];
        let workspace = self.workspace(blocks * plan.parts * tile.m * tile.n)?;
        Ok([
            Arg::Address(workspace),
            Arg::Address(self.memory.address(self.counters)?),
        ])
    }

    /// `c = after(a b)` with a `[m, k]`, and b `[k, n]` (`gemm_nn`) or `[n, k]` (`gemm_nt`).
    #[allow(clippy::too_many_arguments)]
    fn product(
        &mut self,
        kernel: &'static str,
        (m, n, k): (usize, usize, usize),
        a: u64,
        b: u64,
        c: u64,
        after: After,
    ) -> Result<()> {
        let vector = k.is_multiple_of(4)
            && n.is_multiple_of(4)
            && aligned(&[a, b, c, after.bias, after.mask]);
        let product = Product {
            count: 1,
            rows: m,
            columns: n,
            inner: k,
            sums: false,
            vector,
        };
        let plan = product.plan(self.tile);
        let blocks = product.blocks(plan.tile);
        let [workspace, counters] = self.parts(plan, blocks)?;
        let grid = Grid {
            blocks,
            parts: plan.parts,
            shared: 0,
        };
        let args = [
            Arg::Address(a),
            Arg::Address(b),
            Arg::Address(c),
            workspace,
            counters,
            Arg::Address(after.bias),
            Arg::Address(after.mask),
            after.relu.into(),
            false.into(),
            m.into(),
            n.into(),
            k.into(),
        ];
        self.launch(Unit::Gemm(plan.tile), kernel, grid, &args)
    }

    /// Forward (`conv_forward`) or backward data (`conv_backward_data`) as an implicit product over `inputs` channels
    /// giving `outputs` channels.
    fn convolution(
        &mut self,
        s: &ConvShape,
        backward: bool,
        x: u64,
        w: u64,
        y: u64,
        after: After,
    ) -> Result<()> {
        let (inputs, outputs) = if backward { (s.k, s.c) } else { (s.c, s.k) };
        let rows = s.n * s.h * s.w;
        let vector = s.c.is_multiple_of(4)
            && s.k.is_multiple_of(4)
            && aligned(&[x, w, y, after.bias, after.mask]);
        let product = Product {
            count: 1,
            rows,
            columns: outputs,
            inner: s.kernel * s.kernel * inputs.next_multiple_of(super::units::TILE_K),
            sums: false,
            vector,
        };
        let plan = product.plan(self.tile);
        let blocks = product.blocks(plan.tile);
        let [workspace, counters] = self.parts(plan, blocks)?;
        let grid = Grid {
            blocks,
            parts: plan.parts,
            shared: 0,
        };
        let mut args = vec![Arg::Address(x), Arg::Address(w)];
        let sizes = [
            s.n,
            s.h,
            s.w,
            s.c,
            s.k,
            s.kernel,
            plan::group(s.n, s.h, s.w),
        ]
        .map(Arg::from);
        let kernel = if backward {
            args.extend([
                Arg::Address(after.mask),
                Arg::Address(y),
                workspace,
                counters,
            ]);
            "conv_backward_data"
        } else {
            args.extend([
                Arg::Address(after.bias),
                Arg::Address(y),
                workspace,
                counters,
                after.relu.into(),
            ]);
            "conv_forward"
        };
        args.extend(sizes);
        self.launch(Unit::Conv(plan.tile), kernel, grid, &args)
    }

    /// The weight gradient's kernel for convolutions that the direct path takes, and its dynamic shared memory.
    fn direct(s: &ConvShape) -> Option<(&'static str, usize)> {
        let kernel = match (s.kernel, s.c) {
            (3, 1) => "conv_direct_backward_weight_3x3x1",
            (5, 1) => "conv_direct_backward_weight_5x5x1",
            (3, 3) => "conv_direct_backward_weight_3x3x3",
            _ => return None,
        };
        let pad = 2 * s.pad();
        let strip = 4 * (DIRECT_ROWS + pad) * (s.w + pad) * s.c;
        let shared = strip + 4 * usize::max(DIRECT_THREADS, s.w_len() + s.k);
        (shared <= SHARED_LIMIT && DIRECT_THREADS.is_multiple_of(DIRECT_CHANNELS))
            .then_some((kernel, shared))
    }
}

impl Device for CudaDevice {
    fn describe(&self) -> String {
        self.describe_text()
    }

    fn alloc(&mut self, dtype: DType, len: usize) -> Result<View> {
        self.memory.alloc(dtype, len)
    }

    fn upload(&mut self, dst: View, src: &[u8]) -> Result<()> {
        self.upload_bytes(dst, src)
    }

    fn download(&mut self, src: View, dst: &mut [u8]) -> Result<()> {
        self.download_bytes(src, dst)
    }

    fn zero(&mut self, dst: View) -> Result<()> {
        self.zero_bytes(dst)
    }

    fn copy(&mut self, src: View, dst: View) -> Result<()> {
        self.copy_bytes(src, dst)
    }

    fn synchronize(&mut self) -> Result<()> {
        self.wait()
    }

    fn set_step(&mut self, state: StepState) -> Result<()> {
        self.write_step(state)
    }

    fn record(
        &mut self,
        name: &str,
        body: &mut dyn FnMut(&mut dyn Device) -> Result<()>,
    ) -> Result<()> {
        self.record_or_replay(name, body)
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
        let _range = nvtx::range(|| format!("gather {}x{}x{}x{}", g.n, g.h, g.w, g.c));
        let image = g.h * g.w * g.c;
        let reads = [
            ("pixels", pixels, U8, labels.len * image),
            ("labels", labels, U8, labels.len),
            ("indices", indices, U32, g.n),
        ];
        let writes = [
            ("x", x, F32, g.n * image),
            ("labels_out", labels_out, U8, g.n),
        ];
        self.memory.check("gather", &reads, &writes)?;
        let mut rows = g.h;
        let mut shared = 0;
        let a = match &g.augment {
            None => AugmentArg {
                half_turns: 0.0,
                scale: 0.0,
                shear: 0.0,
                shift: 0.0,
                elastic: 0.0,
                spacing: 1,
            },
            Some(a) => {
                if a.spacing == 0 {
                    return Err(Error::Invalid(
                        "gather: control points 0 pixels apart".into(),
                    ));
                }
                let columns = a.control_points(g.w);
                let table = |rows: usize| 8 * ((rows - 1) / a.spacing + 5) * columns;
                while rows > 1 && table(rows) > SHARED_LIMIT {
                    rows = rows.div_ceil(2);
                }
                shared = if a.elastic > 0.0 { table(rows) } else { 0 };
                if shared > SHARED_LIMIT {
                    return Err(Error::Invalid(format!(
                        "gather: images of {} columns with elastic control points {} pixels apart need more shared \
                         memory than a block has; use a larger spacing",
                        g.w, a.spacing
                    )));
                }
                AugmentArg {
                    half_turns: a.degrees / 180.0,
                    scale: a.scale,
                    shear: a.shear,
                    shift: a.shift,
                    elastic: a.elastic,
                    spacing: a.spacing as i32,
                }
            }
        };
        let grid = Grid {
            blocks: g.n * g.h.div_ceil(rows),
            parts: 1,
            shared,
        };
        let address = |v| self.memory.address(v).map(Arg::Address);
        let args = [
            address(pixels)?,
            address(labels)?,
            address(indices)?,
            address(x)?,
            address(labels_out)?,
            address(self.step)?,
            Arg::U64(g.seed),
            g.h.into(),
            g.w.into(),
            g.c.into(),
            Arg::F32(g.mean),
            Arg::F32(1.0 / g.std),
            rows.into(),
            g.augment.is_some().into(),
            Arg::Augment(a),
        ];
        self.launch(Unit::Batch, "gather", grid, &args)
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
        let _range = nvtx::range(|| format!("conv_forward {s:?}"));
        let reads = [
            ("x", x, F32, s.x_len()),
            ("w", w, F32, s.w_len()),
            ("b", b, F32, s.k),
        ];
        self.memory
            .check("conv_forward", &reads, &[("y", y, F32, s.y_len())])?;
        let [x, w, b, y] = [x, w, b, y]
            .map(|v| self.memory.address(v))
            .try_into_all()?;
        if let Some((_, shared)) = Self::direct(s)
            && s.k.is_multiple_of(4)
            && aligned(&[w, b, y])
        {
            let grid = Grid {
                blocks: s.n * s.h.div_ceil(DIRECT_ROWS),
                parts: 1,
                shared,
            };
            let mut args = [x, w, b, y].map(Arg::Address).to_vec();
            args.push(relu.into());
            args.extend([s.h, s.w, s.c, s.k, s.kernel].map(Arg::from));
            return self.launch(Unit::ConvDirect, "conv_direct_forward", grid, &args);
        }
        self.convolution(
            s,
            false,
            x,
            w,
            y,
            After {
                bias: b,
                mask: 0,
                relu,
            },
        )
    }

    fn conv_backward_data(
        &mut self,
        s: &ConvShape,
        dy: View,
        w: View,
        dx: View,
        mask: Option<View>,
    ) -> Result<()> {
        let _range = nvtx::range(|| format!("conv_backward_data {s:?}"));
        let mut reads = vec![("dy", dy, F32, s.y_len()), ("w", w, F32, s.w_len())];
        reads.extend(mask.map(|v| ("mask", v, F32, s.x_len())));
        self.memory
            .check("conv_backward_data", &reads, &[("dx", dx, F32, s.x_len())])?;
        let [dy, w, dx] = [dy, w, dx].map(|v| self.memory.address(v)).try_into_all()?;
        let mask = mask.map_or(Ok(0), |v| self.memory.address(v))?;
        self.convolution(
            s,
            true,
            dy,
            w,
            dx,
            After {
                mask,
                ..After::default()
            },
        )
    }

    fn conv_backward_weight(
        &mut self,
        s: &ConvShape,
        x: View,
        dy: View,
        dw: View,
        db: View,
    ) -> Result<()> {
        let _range = nvtx::range(|| format!("conv_backward_weight {s:?}"));
        let reads = [("x", x, F32, s.x_len()), ("dy", dy, F32, s.y_len())];
        let writes = [("dw", dw, F32, s.w_len()), ("db", db, F32, s.k)];
        self.memory.check("conv_backward_weight", &reads, &writes)?;
        let [x, dy, dw, db] = [x, dy, dw, db]
            .map(|v| self.memory.address(v))
            .try_into_all()?;
        let part = s.w_len() + s.k;
        if let Some((kernel, shared)) = Self::direct(s) {
            let blocks = s.n * s.h.div_ceil(DIRECT_ROWS);
            let workspace = self.workspace(blocks * part)?;
            let mut args = [x, dy, workspace].map(Arg::Address).to_vec();
            args.extend([s.h, s.w, s.k].map(Arg::from));
            self.launch(
                Unit::ConvDirect,
                kernel,
                Grid {
                    blocks,
                    parts: 1,
                    shared,
                },
                &args,
            )?;
            return self.reduce(workspace, (dw, s.w_len()), (db, s.k), blocks);
        }
        let taps = s.kernel * s.kernel;
        let product = Product {
            count: taps,
            rows: s.c,
            columns: s.k,
            inner: s.n * s.h * s.w,
            sums: true,
            vector: s.c.is_multiple_of(4) && s.k.is_multiple_of(4) && aligned(&[x, dy, dw, db]),
        };
        let plan = product.plan(self.tile);
        let blocks = product.blocks(plan.tile);
        let grid = Grid {
            blocks,
            parts: plan.parts,
            shared: 0,
        };
        let mut args = [x, dy, dw, db].map(Arg::Address).to_vec();
        args.extend(self.parts(plan, blocks)?);
        args.extend([s.n, s.h, s.w, s.c, s.k, s.kernel].map(Arg::from));
        args.push(Arg::Divisor(Divisor::new(s.n)));
        args.extend((0..3).map(|away| Arg::Divisor(Divisor::new(s.w.saturating_sub(away)))));
        self.launch(Unit::Conv(plan.tile), "conv_backward_weight", grid, &args)
    }

    fn pool_forward(&mut self, s: &PoolShape, x: View, y: View, argmax: View) -> Result<()> {
        let _range = nvtx::range(|| format!("pool_forward {s:?}"));
        let writes = [("y", y, F32, s.y_len()), ("argmax", argmax, U8, s.y_len())];
        self.memory
            .check("pool_forward", &[("x", x, F32, s.x_len())], &writes)?;
        self.pool("pool_forward", s, [x, y, argmax])
    }

    fn pool_backward(&mut self, s: &PoolShape, dy: View, argmax: View, dx: View) -> Result<()> {
        let _range = nvtx::range(|| format!("pool_backward {s:?}"));
        let reads = [
            ("dy", dy, F32, s.y_len()),
            ("argmax", argmax, U8, s.y_len()),
        ];
        self.memory
            .check("pool_backward", &reads, &[("dx", dx, F32, s.x_len())])?;
        self.pool("pool_backward", s, [dy, argmax, dx])
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
        let _range = nvtx::range(|| format!("linear_forward {s:?}"));
        let reads = [
            ("x", x, F32, s.n * s.inputs),
            ("w", w, F32, s.inputs * s.outputs),
            ("b", b, F32, s.outputs),
        ];
        self.memory
            .check("linear_forward", &reads, &[("y", y, F32, s.n * s.outputs)])?;
        let [x, w, b, y] = [x, w, b, y]
            .map(|v| self.memory.address(v))
            .try_into_all()?;
        let after = After {
            bias: b,
            mask: 0,
            relu,
        };
        self.product("gemm_nn", (s.n, s.outputs, s.inputs), x, w, y, after)
    }

    fn linear_backward_data(
        &mut self,
        s: &LinearShape,
        dy: View,
        w: View,
        dx: View,
        mask: Option<View>,
    ) -> Result<()> {
        let _range = nvtx::range(|| format!("linear_backward_data {s:?}"));
        let mut reads = vec![
            ("dy", dy, F32, s.n * s.outputs),
            ("w", w, F32, s.inputs * s.outputs),
        ];
        reads.extend(mask.map(|v| ("mask", v, F32, s.n * s.inputs)));
        self.memory.check(
            "linear_backward_data",
            &reads,
            &[("dx", dx, F32, s.n * s.inputs)],
        )?;
        let [dy, w, dx] = [dy, w, dx].map(|v| self.memory.address(v)).try_into_all()?;
        let mask = mask.map_or(Ok(0), |v| self.memory.address(v))?;
        let after = After {
            mask,
            ..After::default()
        };
        self.product("gemm_nt", (s.n, s.inputs, s.outputs), dy, w, dx, after)
    }

    fn linear_backward_weight(
        &mut self,
        s: &LinearShape,
        x: View,
        dy: View,
        dw: View,
        db: View,
    ) -> Result<()> {
        let _range = nvtx::range(|| format!("linear_backward_weight {s:?}"));
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
        let [x, dy, dw, db] = [x, dy, dw, db]
            .map(|v| self.memory.address(v))
            .try_into_all()?;
        let (m, n, k) = (s.inputs, s.outputs, s.n);
        let vector = m.is_multiple_of(4) && n.is_multiple_of(4) && aligned(&[x, dy, dw, db]);
        let product = Product {
            count: 1,
            rows: m,
            columns: n,
            inner: k,
            sums: true,
            vector,
        };
        let plan = product.plan(self.tile);
        let blocks = product.blocks(plan.tile);
        let grid = Grid {
            blocks,
            parts: plan.parts,
            shared: 0,
        };
        let mut args = [x, dy, dw].map(Arg::Address).to_vec();
        args.extend(self.parts(plan, blocks)?);
        args.push(Arg::Address(db));
        args.push(false.into());
        args.extend([m, n, k].map(Arg::from));
        self.launch(Unit::Gemm(plan.tile), "gemm_tn", grid, &args)
    }

    fn dropout(&mut self, d: &Dropout, x: View) -> Result<()> {
        let _range = nvtx::range(|| format!("dropout {} of {} elements", d.layer, x.len));
        self.memory.check("dropout", &[], &[("x", x, F32, x.len)])?;
        let address = self.memory.address(x)?;
        expect_aligned("dropout", &[address])?;
        let args = [
            Arg::Address(address),
            Arg::Address(self.memory.address(self.step)?),
            Arg::U64(d.seed),
            Arg::U32(d.layer),
            Arg::F32(d.p),
            Arg::F32(1.0 / (1.0 - d.p)),
            x.len.into(),
        ];
        self.launch(
            Unit::Dropout,
            "dropout",
            Grid::of(x.len.div_ceil(4 * DROPOUT_THREADS)),
            &args,
        )
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
        let _range = nvtx::range(|| format!("loss {}x{classes}", labels.len));
        let len = labels.len * classes;
        let reads = [
            ("logits", logits, F32, len),
            ("labels", labels, U8, labels.len),
        ];
        let mut writes = vec![("stats", stats, F64, 4)];
        writes.extend(dlogits.map(|v| ("dlogits", v, F32, len)));
        self.memory.check("loss", &reads, &writes)?;
        let args = [
            Arg::Address(self.memory.address(logits)?),
            Arg::Address(self.memory.address(labels)?),
            Arg::Address(dlogits.map_or(Ok(0), |v| self.memory.address(v))?),
            Arg::Address(self.memory.address(stats)?),
            labels.len.into(),
            classes.into(),
            (kind == LossKind::SummedClipped).into(),
        ];
        self.launch(Unit::Loss, "softmax_cross_entropy", Grid::of(1), &args)
    }

    fn softmax(&mut self, classes: usize, logits: View, probabilities: View) -> Result<()> {
        let _range = nvtx::range(|| format!("softmax {}", logits.len));
        let len = logits.len;
        let write = [("probabilities", probabilities, F32, len)];
        self.memory
            .check("softmax", &[("logits", logits, F32, len)], &write)?;
        let rows = len / classes.max(1);
        let args = [
            Arg::Address(self.memory.address(logits)?),
            Arg::Address(self.memory.address(probabilities)?),
            rows.into(),
            classes.into(),
        ];
        self.launch(
            Unit::Loss,
            "softmax",
            Grid::of(rows.div_ceil(LOSS_THREADS / 32)),
            &args,
        )
    }

    fn adam(&mut self, p: &AdamParams, a: &Arenas) -> Result<()> {
        let _range = nvtx::range(|| format!("adam {}", a.weights.len));
        let moment2 = a
            .moment2
            .ok_or_else(|| Error::Device("adam: the second moment's arena is missing".into()))?;
        let [w, g, m, v, ema] = self.arenas("adam", a, Some(moment2))?;
        let args = [
            Arg::Address(w),
            Arg::Address(g),
            Arg::Address(m),
            Arg::Address(v),
            Arg::Address(ema),
            Arg::Address(self.memory.address(self.step)?),
            Arg::F32(p.beta1),
            Arg::F32(p.beta2),
            Arg::F32(p.epsilon),
            (p.epsilon_kind == Epsilon::Hat).into(),
            a.weights.len.into(),
        ];
        let blocks = a
            .weights
            .len
            .div_ceil(4 * OPTIMIZER_THREADS)
            .min(OPTIMIZER_BLOCKS);
        self.launch(Unit::Optimizer, "adam", Grid::of(blocks), &args)
    }

    fn sgd(&mut self, p: &SgdParams, decayed: &[(usize, usize)], a: &Arenas) -> Result<()> {
        let _range = nvtx::range(|| format!("sgd {}", a.weights.len));
        let [w, g, u, _, ema] = self.arenas("sgd", a, None)?;
        let args = [
            Arg::Address(w),
            Arg::Address(g),
            Arg::Address(u),
            Arg::Address(ema),
            Arg::Address(self.memory.address(self.step)?),
            Arg::F32(p.momentum),
            Arg::F32(p.l2),
            Arg::Ranges(Box::new(ranges(decayed)?)),
            a.weights.len.into(),
        ];
        let blocks = a
            .weights
            .len
            .div_ceil(4 * OPTIMIZER_THREADS)
            .min(OPTIMIZER_BLOCKS);
        self.launch(Unit::Optimizer, "sgd", Grid::of(blocks), &args)
    }
}

impl CudaDevice {
    fn pool(&mut self, kernel: &'static str, s: &PoolShape, views: [View; 3]) -> Result<()> {
        let addresses = views.map(|v| self.memory.address(v)).try_into_all()?;
        let vector = if s.c.is_multiple_of(4) && aligned(&addresses) {
            4
        } else {
            1
        };
        let groups = s.y_len() / vector;
        let mut args = addresses.map(Arg::Address).to_vec();
        args.extend([groups, s.h, s.w, s.c].map(Arg::from));
        self.launch(
            Unit::Pool { vector },
            kernel,
            Grid::of(groups.div_ceil(POOL_THREADS)),
            &args,
        )
    }

    /// Addresses of weights, gradients, first and second moment, and average; 0 for those not there.
    fn arenas(&self, operation: &str, a: &Arenas, moment2: Option<View>) -> Result<[u64; 5]> {
        let len = a.weights.len;
        let mut writes = vec![
            ("weights", a.weights, F32, len),
            ("first moment", a.moment1, F32, len),
        ];
        writes.extend(moment2.map(|v| ("second moment", v, F32, len)));
        writes.extend(a.ema.map(|v| ("moving average", v, F32, len)));
        self.memory
            .check(operation, &[("gradients", a.gradients, F32, len)], &writes)?;
        if !len.is_multiple_of(4) {
            return Err(Error::Device(format!(
                "{operation}: arenas of {len} elements, not a multiple of 4"
            )));
        }
        let address = |v: Option<View>| v.map_or(Ok(0), |v| self.memory.address(v));
        let all = [
            Some(a.weights),
            Some(a.gradients),
            Some(a.moment1),
            moment2,
            a.ema,
        ];
        let addresses = all.map(address).try_into_all()?;
        expect_aligned(operation, &addresses)?;
        Ok(addresses)
    }
}

fn expect_aligned(operation: &str, addresses: &[u64]) -> Result<()> {
    if aligned(addresses) {
        return Ok(());
    }
    Err(Error::Device(format!(
        "{operation}: a view does not start on 16 bytes"
    )))
}

/// Ranges for the kernel; neighbours become one.
fn ranges(decayed: &[(usize, usize)]) -> Result<Ranges> {
    let mut sorted = decayed.to_vec();
    sorted.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (first, len) in sorted {
        match joined.last_mut() {
            Some((_, last)) if first <= *last => *last = (*last).max(first + len),
            _ => joined.push((first, first + len)),
        }
    }
    if joined.len() > SGD_RANGES {
        return Err(Error::Device(format!(
            "sgd: L2 on {} separate ranges; one launch takes {SGD_RANGES}",
            joined.len()
        )));
    }
    let mut out = Ranges {
        count: joined.len() as i32,
        first: [0; SGD_RANGES],
        last: [0; SGD_RANGES],
    };
    for (i, (first, last)) in joined.into_iter().enumerate() {
        (out.first[i], out.last[i]) = (first as i32, last as i32);
    }
    Ok(out)
}

/// An array of results as a result of an array.
trait TryAll<const N: usize> {
    fn try_into_all(self) -> Result<[u64; N]>;
}

impl<const N: usize> TryAll<N> for [Result<u64>; N] {
    fn try_into_all(self) -> Result<[u64; N]> {
        let mut out = [0; N];
        for (o, r) in out.iter_mut().zip(self) {
            *o = r?;
        }
        Ok(out)
    }
}
