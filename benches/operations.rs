//! Every operation at VGG19's layer shapes, batch 64: throughput in floating-point operations (convolution, linear) or
//! bytes (the rest). Groups are named `operation/direction`, benchmarks `backend/shape`, so that other backends stand
//! beside this one: `cuda` where a GPU is there, `cuda_bf16` and so on in other precisions than float32, timed by
//! events on the device with the second-level cache filled with other data before each run. Percents of peak are those
//! of `warp19 verify --device cuda`.
//!
//! `WARP19_BENCH=softgpu` runs the CUDA benchmarks on softgpu, to see that they run: its times say nothing about a GPU.
//! `WARP19_BENCH_BATCH` is the batch; 2 on softgpu, where it is not set.
//!
//! Work is counted as `ops` counts it, taps in the padding included, so that figures compare between algorithms.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use warp19::conformance::{self, example, values};
use warp19::cpu::CpuDevice;
use warp19::cuda::operations::product::{Gemm, Sizes};
use warp19::cuda::{CudaDevice, driver};
use warp19::device::{DType, Device, Owner, Precision, StepState};
use warp19::ops::batch::{Augment, Gather};
use warp19::ops::conv::ConvShape;
use warp19::ops::dropout::Dropout;
use warp19::ops::layer::{LayerPass, LayerShape, Pass};
use warp19::ops::linear::LinearShape;
use warp19::ops::loss::{Loss, LossKind, Softmax};
use warp19::ops::operation::Kind;
use warp19::ops::optimizer::{Adam, AdamParams, Epsilon, Sgd, SgdParams};
use warp19::ops::pool::{Pool, PoolShape};

fn batch() -> usize {
    let Ok(set) = std::env::var("WARP19_BENCH_BATCH") else { return if on_softgpu() { 2 } else { 64 } };
    let batch = set.parse().ok().filter(|&b: &usize| b > 0);
    batch.unwrap_or_else(|| panic!("WARP19_BENCH_BATCH={set}: it is a number of images"))
}

fn on_softgpu() -> bool {
    match std::env::var("WARP19_BENCH").as_deref() {
        Err(_) => false,
        Ok("softgpu") => true,
        Ok(other) => panic!("WARP19_BENCH={other}: it can be softgpu"),
    }
}

/// What is measured.
enum Backend {
    Cpu(Box<CpuDevice>),
    /// With the precision it computes in, and the name its benchmarks get.
    Cuda(Box<CudaDevice>, Precision, String),
}

impl Backend {
    /// Those of this machine, opened.
    fn all() -> Vec<Backend> {
        let on_softgpu = on_softgpu();
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
                Ok(device) => all.push(Backend::Cuda(Box::new(device), Precision::F32, "cuda".into())),
                Err(e) => eprintln!("CUDA is not measured: {e}"),
            }
        }
        all
    }

    fn device(&mut self) -> &mut dyn Device {
        match self {
            Backend::Cpu(d) => d.as_mut(),
            Backend::Cuda(d, ..) => d.as_mut(),
        }
    }

    fn precision(&self) -> Precision {
        match self {
            Backend::Cpu(_) => Precision::F32,
            Backend::Cuda(_, precision, _) => *precision,
        }
    }

    /// A CUDA device that computes in a precision, under a name.
    fn named(&mut self, new: &str, to: Precision) -> &mut Backend {
        if let Backend::Cuda(_, precision, name) = self {
            (*precision, *name) = (to, new.into());
        }
        self
    }

    /// Measures an operation on memory of its own.
    fn measure(&mut self, c: &mut Criterion, group: &str, shape: &str, kind: Kind) {
        let (owner, precision) = (Owner::new(), self.precision());
        let operation = example(self.device(), &owner, kind, precision).expect("memory");
        let mut group = c.benchmark_group(group);
        let work = match operation.description().flops {
            0 => Throughput::Bytes(operation.description().bytes),
            flops => Throughput::Elements(flops),
        };
        group.throughput(work).sample_size(10);
        group.warm_up_time(Duration::from_millis(300));
        group.measurement_time(Duration::from_secs(1));
        match self {
            Backend::Cpu(d) => {
                group.bench_function(BenchmarkId::new("cpu", shape), |b| b.iter(|| d.run(&operation).unwrap()));
            }
            Backend::Cuda(d, _, name) => {
                d.run(&operation).unwrap();
                group.bench_function(BenchmarkId::new(name.as_str(), shape), |b| {
                    b.iter_custom(|runs| {
                        let run = |_| d.seconds_of(&mut |d| d.run(&operation)).unwrap();
                        Duration::from_secs_f64((0..runs).map(run).sum())
                    })
                });
            }
        }
        group.finish();
    }
}

/// Large square products, by the tiled kernels of each precision and by the naive one: CUDA only.
fn products(c: &mut Criterion) {
    for mut backend in Backend::all() {
        let Backend::Cuda(d, ..) = &mut backend else {
            continue;
        };
        for precision in Precision::ALL.into_iter().filter(|&p| d.supports(p).is_ok()).collect::<Vec<_>>() {
            products_in(c, d, precision);
        }
    }
}

fn products_in(c: &mut Criterion, d: &mut CudaDevice, precision: Precision) {
    let size = 64 * batch().min(64);
    let s = Sizes { m: size, n: size, k: size };
    let owner = Owner::new();
    let mut square = |dtype: DType| {
        let view = d.alloc_for(&owner, dtype, size * size).expect("memory");
        conformance::upload(d, view, &values(1, size * size, 1.0).iter().map(|&v| v.into()).collect::<Vec<f64>>())
            .expect("same length");
        view
    };
    let [va, vb, vc] = [0; 3].map(|_| square(precision.storage()));
    let wide = square(DType::F32);
    for (group, kind) in [("nn", Gemm::Nn), ("nt", Gemm::Nt), ("tn", Gemm::Tn)] {
        for naive in [false, true] {
            if naive && precision != Precision::F32 {
                continue;
            }
            let result = if kind == Gemm::Tn { wide } else { vc };
            let mut run = |d: &mut CudaDevice| match naive {
                true => d.gemm_naive(kind, s, va, vb, vc),
                false => d.gemm(precision, kind, s, [va, vb, result], false),
            };
            run(d).unwrap();
            let mut group = c.benchmark_group(format!("gemm/{group}"));
            group.throughput(Throughput::Elements(2 * (size as u64).pow(3))).sample_size(10);
            group.measurement_time(Duration::from_secs(1));
            let shape = format!("{size}x{size}x{size}{}", if naive { " naive" } else { "" });
            group.bench_function(BenchmarkId::new(format!("cuda_{precision}"), shape), |b| {
                b.iter_custom(|runs| {
                    let one = |_| d.seconds_of(&mut run).unwrap();
                    Duration::from_secs_f64((0..runs).map(one).sum())
                })
            });
            group.finish();
        }
    }
}

/// The passes of a layer with weights, as training has them.
const PASSES: [(&str, Pass); 3] = [
    ("forward", Pass::Forward { relu: true }),
    ("backward_data", Pass::BackwardData { masked: true }),
    ("backward_weight", Pass::BackwardWeight),
];

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
        let shape = LayerShape::Conv(ConvShape { n: batch(), h: size, w: size, c: channels, k, kernel });
        for (direction, pass) in PASSES {
            let (group, name) = (format!("conv{kernel}x{kernel}/{direction}"), format!("{size}x{size}x{channels}-{k}"));
            backend.measure(c, &group, &name, Kind::Layer(LayerPass { shape, pass }));
        }
    }
}

fn linear(c: &mut Criterion, backend: &mut Backend) {
    for (inputs, outputs) in [(512, 4096), (4096, 4096), (4096, 1000), (1000, 10)] {
        let shape = LayerShape::Linear(LinearShape { n: batch(), inputs, outputs });
        for (direction, pass) in PASSES {
            let kind = Kind::Layer(LayerPass { shape, pass });
            backend.measure(c, &format!("linear/{direction}"), &format!("{inputs}-{outputs}"), kind);
        }
    }
}

fn pools(c: &mut Criterion, backend: &mut Backend) {
    for (size, channels) in [(28, 64), (14, 128), (7, 256), (4, 512), (2, 512)] {
        let shape = PoolShape { n: batch(), h: size, w: size, c: channels };
        for (group, backward) in [("pool/forward", false), ("pool/backward", true)] {
            backend.measure(c, group, &format!("{size}x{size}x{channels}"), Kind::Pool(Pool { shape, backward }));
        }
    }
}

fn pointwise(c: &mut Criterion, backend: &mut Backend) {
    let n = batch();
    let state = StepState { step: 100, lr: 1e-6, ema_decay: 0.998, samples: &vec![0; n] };
    backend.device().set_step(state).unwrap();
    backend.measure(c, "dropout", "64x4096", Kind::Dropout(Dropout { seed: 1, layer: 0, p: 0.5, len: n * 4096 }));
    let loss = Loss { kind: LossKind::Mean, rows: n, classes: 10, gradient: true };
    backend.measure(c, "loss", "64x10", Kind::Loss(loss));
    backend.measure(c, "softmax", "64x10", Kind::Softmax(Softmax { rows: n, classes: 10 }));

    let len = (672_076 * n).min(43_012_802).next_multiple_of(64);
    let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
    backend.measure(c, "adam_ema", "vgg19", Kind::Adam(Adam { params, len, average: true }));
    let params = SgdParams { momentum: 0.9, l2: 5e-4 };
    let decayed = vec![(0, len / 2)];
    backend.measure(c, "sgd_ema", "vgg19", Kind::Sgd(Sgd { params, decayed, len, average: true }));

    let elastic = Augment { degrees: 12.0, scale: 0.1, shear: 0.15, shift: 2.0, elastic: 2.0, spacing: 7 };
    for (name, augment) in [("plain", None), ("elastic", Some(elastic))] {
        let g = Gather { images: 1000, n, h: 28, w: 28, c: 1, mean: 0.13.into(), std: 0.31.into(), seed: 0, augment };
        backend.measure(c, "gather", name, Kind::Gather(g));
    }
}

fn on_every_backend(c: &mut Criterion) {
    for mut backend in Backend::all() {
        everything(c, &mut backend);
        let Backend::Cuda(d, ..) = &mut backend else { continue };
        // The implicit products that Winograd's algorithm replaces.
        d.set_winograd(Some(false));
        convolutions(c, backend.named("cuda_products", Precision::F32));
        for precision in &Precision::ALL[1..] {
            if backend.device().supports(*precision).is_ok() {
                everything(c, backend.named(&format!("cuda_{precision}"), *precision));
            }
        }
    }
}

fn everything(c: &mut Criterion, backend: &mut Backend) {
    convolutions(c, backend);
    linear(c, backend);
    pools(c, backend);
    pointwise(c, backend);
}

criterion_group!(benches, products, on_every_backend);
criterion_main!(benches);
