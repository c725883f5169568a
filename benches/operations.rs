//! Every operation at VGG19's layer shapes, batch 64: throughput in floating-point operations (convolution, linear) or
//! bytes (the rest). Groups are named `operation/direction`, benchmarks `backend/shape`, so that other backends stand
//! beside this one.
//!
//! Work is counted as `ops` counts it, taps in the padding included, so that figures compare between algorithms.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::time::Duration;
use warp19::cpu::CpuDevice;
use warp19::device::{Arenas, DType, Device, Dropout, StepState, View};
use warp19::ops::batch::{Augment, Gather};
use warp19::ops::conv::ConvShape;
use warp19::ops::linear::LinearShape;
use warp19::ops::loss::LossKind;
use warp19::ops::optimizer::{AdamParams, Epsilon};
use warp19::ops::pool::PoolShape;

const BATCH: usize = 64;
const BACKEND: &str = "cpu";

fn device() -> CpuDevice {
    CpuDevice::new(None).expect("the CPU")
}

/// Memory with ordinary numbers in it: denormals or zeros could change the speed.
fn filled(d: &mut dyn Device, len: usize) -> View {
    let view = d.alloc(DType::F32, len).expect("memory");
    let values: Vec<f32> = (0..len).map(|i| (i % 251) as f32 / 251.0 - 0.4).collect();
    warp19::device::upload_f32(d, view, &values).expect("same length");
    view
}

fn measure(c: &mut Criterion, group: &str, shape: &str, work: Throughput, mut body: impl FnMut()) {
    let mut group = c.benchmark_group(group);
    group.throughput(work).sample_size(10);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.bench_function(BenchmarkId::new(BACKEND, shape), |b| b.iter(&mut body));
    group.finish();
}

fn convolutions(c: &mut Criterion) {
    for (size, channels, k) in [
        (28, 1, 64),
        (28, 64, 64),
        (14, 64, 128),
        (14, 128, 128),
        (7, 128, 256),
        (7, 256, 256),
        (4, 256, 512),
        (4, 512, 512),
        (2, 512, 512),
    ] {
        let s = ConvShape {
            n: BATCH,
            h: size,
            w: size,
            c: channels,
            k,
            kernel: 3,
        };
        let d = &mut device();
        let (x, w, b) = (filled(d, s.x_len()), filled(d, s.w_len()), filled(d, k));
        let (y, dx) = (filled(d, s.y_len()), filled(d, s.x_len()));
        let (dw, db) = (filled(d, s.w_len()), filled(d, k));
        let name = format!("{size}x{size}x{channels}-{k}");
        let work = Throughput::Elements(s.flops());
        measure(c, "conv3x3/forward", &name, work.clone(), || {
            d.conv_forward(&s, x, w, b, y, true).unwrap()
        });
        measure(c, "conv3x3/backward_data", &name, work.clone(), || {
            d.conv_backward_data(&s, y, w, dx, Some(x)).unwrap()
        });
        measure(c, "conv3x3/backward_weight", &name, work, || {
            d.conv_backward_weight(&s, x, y, dw, db).unwrap()
        });
    }
}

fn linear(c: &mut Criterion) {
    for (inputs, outputs) in [(512, 4096), (4096, 4096), (4096, 1000), (1000, 10)] {
        let s = LinearShape {
            n: BATCH,
            inputs,
            outputs,
        };
        let d = &mut device();
        let (x, w) = (filled(d, BATCH * inputs), filled(d, inputs * outputs));
        let (b, y) = (filled(d, outputs), filled(d, BATCH * outputs));
        let (dx, dw) = (filled(d, BATCH * inputs), filled(d, inputs * outputs));
        let db = filled(d, outputs);
        let name = format!("{inputs}-{outputs}");
        let work = Throughput::Elements(s.flops());
        measure(c, "linear/forward", &name, work.clone(), || {
            d.linear_forward(&s, x, w, b, y, true).unwrap()
        });
        measure(c, "linear/backward_data", &name, work.clone(), || {
            d.linear_backward_data(&s, y, w, dx, Some(x)).unwrap()
        });
        measure(c, "linear/backward_weight", &name, work, || {
            d.linear_backward_weight(&s, x, y, dw, db).unwrap()
        });
    }
}

fn pools(c: &mut Criterion) {
    for (size, channels) in [(28, 64), (14, 128), (7, 256), (4, 512), (2, 512)] {
        let s = PoolShape {
            n: BATCH,
            h: size,
            w: size,
            c: channels,
        };
        let d = &mut device();
        let (x, y) = (filled(d, s.x_len()), filled(d, s.y_len()));
        let argmax = d.alloc(DType::U8, s.y_len()).unwrap();
        let name = format!("{size}x{size}x{channels}");
        let work = Throughput::Bytes(s.bytes());
        measure(c, "pool/forward", &name, work.clone(), || {
            d.pool_forward(&s, x, y, argmax).unwrap()
        });
        measure(c, "pool/backward", &name, work, || {
            d.pool_backward(&s, y, argmax, x).unwrap()
        });
    }
}

fn pointwise(c: &mut Criterion) {
    let d = &mut device();
    let state = StepState {
        step: 100,
        lr: 1e-6,
        ema_decay: 0.998,
    };
    d.set_step(state).unwrap();
    let x = filled(d, BATCH * 4096);
    let spec = Dropout {
        seed: 1,
        layer: 0,
        p: 0.5,
    };
    let bytes = Throughput::Bytes(8 * x.len as u64);
    measure(c, "dropout", "64x4096", bytes, || {
        d.dropout(&spec, x).unwrap()
    });

    let logits = filled(d, BATCH * 10);
    let (dlogits, labels) = (filled(d, BATCH * 10), d.alloc(DType::U8, BATCH).unwrap());
    let stats = d.alloc(DType::F64, 4).unwrap();
    let bytes = Throughput::Bytes(8 * logits.len as u64);
    measure(c, "loss", "64x10", bytes, || {
        d.loss(LossKind::Mean, 10, logits, labels, Some(dlogits), stats)
            .unwrap()
    });

    let len = 43_012_802usize.next_multiple_of(64);
    let arenas = Arenas {
        weights: filled(d, len),
        gradients: filled(d, len),
        moment1: d.alloc(DType::F32, len).unwrap(),
        moment2: Some(d.alloc(DType::F32, len).unwrap()),
        ema: Some(filled(d, len)),
    };
    let adam = AdamParams {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        epsilon_kind: Epsilon::Outer,
    };
    // Read w, g, m, v, ema; write w, m, v, ema.
    let bytes = Throughput::Bytes(36 * len as u64);
    measure(c, "adam_ema", "vgg19", bytes, || {
        d.adam(&adam, &arenas).unwrap()
    });

    let (images, n) = (1000, BATCH);
    let pixels = d.alloc(DType::U8, images * 784).unwrap();
    let all_labels = d.alloc(DType::U8, images).unwrap();
    let indices = d.alloc(DType::U32, n).unwrap();
    let out = filled(d, n * 784);
    let elastic = Augment {
        degrees: 12.0,
        scale: 0.1,
        shear: 0.15,
        shift: 2.0,
        elastic: 2.0,
        spacing: 7,
    };
    for (name, augment) in [("plain", None), ("elastic", Some(elastic))] {
        let g = Gather {
            n,
            h: 28,
            w: 28,
            c: 1,
            mean: 0.13,
            std: 0.31,
            seed: 0,
            augment,
        };
        let bytes = Throughput::Bytes(5 * out.len as u64);
        measure(c, "gather", name, bytes, || {
            d.gather(&g, pixels, all_labels, indices, out, labels)
                .unwrap()
        });
    }
}

criterion_group!(benches, convolutions, linear, pools, pointwise);
criterion_main!(benches);
