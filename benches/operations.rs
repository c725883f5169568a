//! Every operation at VGG19's layer shapes, batch 64: throughput in floating-point operations (convolution, linear) or
//! bytes (the rest). Groups are named `operation/direction`, benchmarks `backend/shape`, so that other backends stand
//! beside this one: `cuda` where a GPU is there, timed by events on the device with the second-level cache filled with
//! other data before each run. Percents of peak are those of `warp19 verify --device cuda`.
//! `WARP19_BENCH=softgpu` runs the CUDA benchmarks on softgpu, whose times say nothing about a GPU, to see that they run;
//! `WARP19_BENCH_BATCH` is the batch.
//!
//! Work is counted as `ops` counts it, taps in the padding included, so that figures compare between algorithms.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use warp19::cpu::CpuDevice;
use warp19::cuda::operations::product::{Gemm, Sizes};
use warp19::cuda::{CudaDevice, driver};
use warp19::device::{Arenas, DType, Device, Dropout, StepState, View};
use warp19::ops::batch::{Augment, Gather};
use warp19::ops::conv::ConvShape;
use warp19::ops::linear::LinearShape;
use warp19::ops::loss::LossKind;
use warp19::ops::optimizer::{AdamParams, Epsilon, SgdParams};
use warp19::ops::pool::PoolShape;

fn batch() -> usize {
    let set = std::env::var("WARP19_BENCH_BATCH").ok();
    set.and_then(|b| b.parse().ok()).unwrap_or(64)
}

/// What is measured.
enum Backend {
    Cpu(Box<CpuDevice>),
    /// With the name its benchmarks get.
    Cuda(Box<CudaDevice>, &'static str),
}

impl Backend {
    /// Those of this machine, opened.
    fn all() -> Vec<Backend> {
        let on_softgpu = std::env::var("WARP19_BENCH").is_ok_and(|b| b == "softgpu");
        let which = match on_softgpu {
            true => driver::Which::Softgpu,
            false => driver::Which::Cuda(0),
        };
        let mut all = Vec::new();
        if !on_softgpu {
            all.push(Backend::Cpu(Box::new(CpuDevice::new(None).expect("the CPU"))));
        }
        if on_softgpu || driver::count().is_ok_and(|n| n > 0) {
            match CudaDevice::open(which) {
                Ok(device) => all.push(Backend::Cuda(Box::new(device), "cuda")),
                Err(e) => eprintln!("CUDA is not measured: {e}"),
            }
        }
        all
    }

    fn device(&mut self) -> &mut dyn Device {
        match self {
            Backend::Cpu(d) => d.as_mut(),
            Backend::Cuda(d, _) => d.as_mut(),
        }
    }

    fn measure(
        &mut self,
        c: &mut Criterion,
        group: &str,
        shape: &str,
        work: Throughput,
        body: &mut dyn FnMut(&mut dyn Device) -> warp19::Result<()>,
    ) {
        let mut group = c.benchmark_group(group);
        group.throughput(work).sample_size(10);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_secs(1));
        match self {
            Backend::Cpu(d) => {
                group.bench_function(BenchmarkId::new("cpu", shape), |b| b.iter(|| body(d.as_mut()).unwrap()));
            }
            Backend::Cuda(d, name) => {
                body(d.as_mut()).unwrap();
                group.bench_function(BenchmarkId::new(*name, shape), |b| {
                    b.iter_custom(|runs| {
                        let run = |_| d.seconds_of(&mut |d| body(d)).unwrap();
                        Duration::from_secs_f64((0..runs).map(run).sum())
                    })
                });
            }
        }
        group.finish();
    }
}

/// Memory with ordinary numbers in it: denormals or zeros could change the speed.
fn filled(d: &mut dyn Device, len: usize) -> View {
    let view = d.alloc(DType::F32, len).expect("memory");
    let values: Vec<f32> = (0..len).map(|i| (i % 251) as f32 / 251.0 - 0.4).collect();
    warp19::device::upload_f32(d, view, &values).expect("same length");
    view
}

/// Zeros: indices, labels and positions must be valid ones.
fn zeroed(d: &mut dyn Device, dtype: DType, len: usize) -> View {
    let view = d.alloc(dtype, len).expect("memory");
    d.zero(view).expect("memory");
    view
}

/// Large square products, by the tiled kernels and by the naive one: CUDA only.
fn products(c: &mut Criterion) {
    for mut backend in Backend::all() {
        let Backend::Cuda(d, _) = &mut backend else {
            continue;
        };
        let size = 64 * batch().min(64);
        let s = Sizes { m: size, n: size, k: size };
        let [va, vb, vc] = [0; 3].map(|_| filled(d.as_mut(), size * size));
        let work = || Throughput::Elements(2 * (size as u64).pow(3));
        let name = format!("{size}x{size}x{size}");
        for (group, kind) in [("nn", Gemm::Nn), ("nt", Gemm::Nt), ("tn", Gemm::Tn)] {
            for naive in [false, true] {
                let shape = format!("{name}{}", if naive { " naive" } else { "" });
                let mut run = |d: &mut CudaDevice| match naive {
                    true => d.gemm_naive(kind, s, va, vb, vc),
                    false => d.gemm(kind, s, va, vb, vc, false),
                };
                run(d).unwrap();
                let mut group = c.benchmark_group(format!("gemm/{group}"));
                group.throughput(work()).sample_size(10);
                group.measurement_time(Duration::from_secs(1));
                group.bench_function(BenchmarkId::new("cuda", shape), |b| {
                    b.iter_custom(|runs| {
                        let one = |_| d.seconds_of(&mut run).unwrap();
                        Duration::from_secs_f64((0..runs).map(one).sum())
                    })
                });
                group.finish();
            }
        }
    }
}

fn convolutions(c: &mut Criterion, backend: &mut Backend) {
    for (kernel, size, channels, k) in [
        (3, 28, 1, 64),
        (3, 28, 64, 64),
        (3, 14, 64, 128),
        (3, 14, 128, 128),
        (3, 7, 128, 256),
        (3, 7, 256, 256),
        (3, 4, 256, 512),
        (3, 4, 512, 512),
        (3, 2, 512, 512),
        (5, 28, 1, 32),
        (5, 14, 32, 64),
    ] {
        let s = ConvShape { n: batch(), h: size, w: size, c: channels, k, kernel };
        let d = backend.device();
        let (x, w, b) = (filled(d, s.x_len()), filled(d, s.w_len()), filled(d, k));
        let (y, dx) = (filled(d, s.y_len()), filled(d, s.x_len()));
        let (dw, db) = (filled(d, s.w_len()), filled(d, k));
        let name = format!("{size}x{size}x{channels}-{k}");
        let work = Throughput::Elements(s.flops());
        let group = |direction: &str| format!("conv{kernel}x{kernel}/{direction}");
        backend.measure(c, &group("forward"), &name, work.clone(), &mut |d| d.conv_forward(&s, x, w, b, y, true));
        backend.measure(c, &group("backward_data"), &name, work.clone(), &mut |d| {
            d.conv_backward_data(&s, y, w, dx, Some(x))
        });
        backend.measure(c, &group("backward_weight"), &name, work, &mut |d| d.conv_backward_weight(&s, x, y, dw, db));
    }
}

fn linear(c: &mut Criterion, backend: &mut Backend) {
    for (inputs, outputs) in [(512, 4096), (4096, 4096), (4096, 1000), (1000, 10)] {
        let s = LinearShape { n: batch(), inputs, outputs };
        let d = backend.device();
        let (x, w) = (filled(d, batch() * inputs), filled(d, inputs * outputs));
        let (b, y) = (filled(d, outputs), filled(d, batch() * outputs));
        let (dx, dw) = (filled(d, batch() * inputs), filled(d, inputs * outputs));
        let db = filled(d, outputs);
        let name = format!("{inputs}-{outputs}");
        let work = Throughput::Elements(s.flops());
        backend.measure(c, "linear/forward", &name, work.clone(), &mut |d| d.linear_forward(&s, x, w, b, y, true));
        backend.measure(c, "linear/backward_data", &name, work.clone(), &mut |d| {
            d.linear_backward_data(&s, y, w, dx, Some(x))
        });
        backend.measure(c, "linear/backward_weight", &name, work, &mut |d| d.linear_backward_weight(&s, x, y, dw, db));
    }
}

fn pools(c: &mut Criterion, backend: &mut Backend) {
    for (size, channels) in [(28, 64), (14, 128), (7, 256), (4, 512), (2, 512)] {
        let s = PoolShape { n: batch(), h: size, w: size, c: channels };
        let d = backend.device();
        let (x, y) = (filled(d, s.x_len()), filled(d, s.y_len()));
        let argmax = zeroed(d, DType::U8, s.y_len());
        let name = format!("{size}x{size}x{channels}");
        let work = Throughput::Bytes(s.bytes());
        backend.measure(c, "pool/forward", &name, work.clone(), &mut |d| d.pool_forward(&s, x, y, argmax));
        backend.measure(c, "pool/backward", &name, work, &mut |d| d.pool_backward(&s, y, argmax, x));
    }
}

fn pointwise(c: &mut Criterion, backend: &mut Backend) {
    let d = backend.device();
    let state = StepState { step: 100, lr: 1e-6, ema_decay: 0.998 };
    d.set_step(state).unwrap();
    let x = filled(d, batch() * 4096);
    let spec = Dropout { seed: 1, layer: 0, p: 0.5 };
    let bytes = Throughput::Bytes(8 * x.len as u64);
    backend.measure(c, "dropout", "64x4096", bytes, &mut |d| d.dropout(&spec, x));

    let d = backend.device();
    let logits = filled(d, batch() * 10);
    let (dlogits, labels) = (filled(d, batch() * 10), zeroed(d, DType::U8, batch()));
    let stats = zeroed(d, DType::F64, 4);
    let bytes = || Throughput::Bytes(8 * logits.len as u64);
    backend.measure(c, "loss", "64x10", bytes(), &mut |d| {
        d.loss(LossKind::Mean, 10, logits, labels, Some(dlogits), stats)
    });
    backend.measure(c, "softmax", "64x10", bytes(), &mut |d| d.softmax(10, logits, dlogits));

    let d = backend.device();
    let len = (672_076 * batch()).min(43_012_802).next_multiple_of(64);
    let arenas = Arenas {
        weights: filled(d, len),
        gradients: filled(d, len),
        moment1: zeroed(d, DType::F32, len),
        moment2: Some(zeroed(d, DType::F32, len)),
        ema: Some(filled(d, len)),
    };
    let adam = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
    // Read w, g, m, v, ema; write w, m, v, ema.
    let bytes = Throughput::Bytes(36 * len as u64);
    backend.measure(c, "adam_ema", "vgg19", bytes, &mut |d| d.adam(&adam, &arenas));

    let sgd = SgdParams { momentum: 0.9, l2: 5e-4 };
    let velocity = Arenas { moment2: None, ..arenas };
    let decayed = [(0, len / 2)];
    // Read w, g, u, ema; write w, u, ema.
    let bytes = Throughput::Bytes(28 * len as u64);
    backend.measure(c, "sgd_ema", "vgg19", bytes, &mut |d| d.sgd(&sgd, &decayed, &velocity));

    let (images, n) = (1000, batch());
    let d = backend.device();
    let pixels = zeroed(d, DType::U8, images * 784);
    let all_labels = zeroed(d, DType::U8, images);
    let indices = zeroed(d, DType::U32, n);
    let out = filled(d, n * 784);
    let elastic = Augment { degrees: 12.0, scale: 0.1, shear: 0.15, shift: 2.0, elastic: 2.0, spacing: 7 };
    for (name, augment) in [("plain", None), ("elastic", Some(elastic))] {
        let g = Gather { n, h: 28, w: 28, c: 1, mean: 0.13, std: 0.31, seed: 0, augment };
        let bytes = Throughput::Bytes(5 * out.len as u64);
        backend.measure(c, "gather", name, bytes, &mut |d| d.gather(&g, pixels, all_labels, indices, out, labels));
    }
}

fn on_every_backend(c: &mut Criterion) {
    for mut backend in Backend::all() {
        convolutions(c, &mut backend);
        linear(c, &mut backend);
        pools(c, &mut backend);
        pointwise(c, &mut backend);
        // The implicit products that Winograd's algorithm replaces.
        if let Backend::Cuda(d, name) = &mut backend {
            d.set_winograd(Some(false));
            *name = "cuda_products";
            convolutions(c, &mut backend);
        }
    }
}

criterion_group!(benches, products, on_every_backend);
criterion_main!(benches);
