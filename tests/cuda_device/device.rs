//! What the CUDA device promises beyond single operations, on softgpu: whose memory and recordings are whose, how far
//! the host runs ahead, what a step copies, what an error says.

use crate::common::operation::{conv, run, try_run};
use crate::softgpu;
use std::time::Instant;
use warp19::conformance::values;
use warp19::cuda::CudaDevice;
use warp19::device::{DType, Device, Owner, Precision, StepState, View, download_f32, run_plan, upload_f32};
use warp19::model::{Layer, Model, Shape};
use warp19::network::{Mode, Network, Purpose};
use warp19::ops::batch::Gather;
use warp19::ops::conv::ConvShape;
use warp19::ops::dropout::Dropout;
use warp19::ops::layer::Pass;
use warp19::ops::operation::{Kind, Operation, Planned};
use warp19::ops::optimizer::{Adam, AdamParams, Epsilon};
use warp19::ops::pool::{Pool, PoolShape};

fn set(d: &CudaDevice, name: &str, value: &str) {
    d.softgpu.unwrap().set(name, value).unwrap();
}

fn step(step: u64) -> StepState<'static> {
    StepState { step, lr: 0.0, ema_decay: 0.0, samples: &[] }
}

/// A small network with all kinds of layers.
fn model() -> Model {
    let layers = [
        ("conv1", Layer::Conv { kernel: 3, out: 8 }),
        ("pool1", Layer::Pool),
        ("conv2", Layer::Conv { kernel: 3, out: 8 }),
        ("fc1", Layer::Linear { out: 10, relu: false }),
    ];
    let layers = layers.map(|(name, layer)| (name.to_string(), layer)).to_vec();
    Model { name: "small".into(), input: Shape { h: 6, w: 6, c: 1 }, classes: 10, layers }
}

/// A network with weights and input of a seed.
fn network(d: &mut CudaDevice, seed: u64) -> Network {
    let network = Network::new(d, &model(), Precision::F32, 2, Purpose::Training).unwrap();
    upload_f32(d, network.weights, &values(seed, network.weights.len, 0.5)).unwrap();
    upload_f32(d, network.input, &values(seed + 1, network.input.len, 1.0)).unwrap();
    network
}

fn plan(network: &Network) -> Vec<Planned> {
    let mut plan = network.forward(network.weights, Mode::Eval).unwrap();
    plan.extend(network.backward(1).unwrap());
    plan
}

#[test]
fn two_networks_record_plans_of_one_name() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    let networks = [1, 5].map(|seed| network(d, seed));
    let plans = networks.each_ref().map(plan);
    let mut results = Vec::new();
    for recorded in [true, false] {
        for (network, plan) in networks.iter().zip(&plans) {
            let dlogits = values(9, network.dlogits.len, 1.0);
            upload_f32(d, network.dlogits, &dlogits).unwrap();
            d.zero(network.logits).unwrap();
            d.zero(network.gradients.unwrap()).unwrap();
            if recorded { d.record("step", plan) } else { run_plan(d, plan) }.unwrap();
            results.push(download_f32(d, network.logits).unwrap());
            results.push(download_f32(d, network.gradients.unwrap()).unwrap());
        }
    }
    assert!(results[..4] == results[4..], "recorded and not: {results:?}");
    assert!(results[0] != results[2] && results[1] != results[3], "two networks, two results");
    // Replayed, in turns.
    for (network, want) in networks.iter().zip([&results[0], &results[2]]).cycle().take(4) {
        d.zero(network.logits).unwrap();
        d.record("step", &plan(network)).unwrap();
        assert!(download_f32(d, network.logits).unwrap() == *want);
    }
    assert_eq!(d.recordings(), 2, "a plan that is equal is recorded once");
    // Another choice of kernels is another recording.
    d.set_winograd(Some(false));
    d.record("step", &plans[0]).unwrap();
    assert_eq!(d.recordings(), 3);
}

/// Bytes of device memory that are free.
fn free(d: &mut CudaDevice) -> usize {
    d.synchronize().unwrap();
    cudarc::driver::result::mem_get_info().unwrap().0
}

#[test]
fn a_thousand_networks_one_after_another_in_constant_memory() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    let mut after_first = None;
    for seed in 0..1000 {
        let network = network(d, seed);
        d.record("step", &plan(&network)).unwrap();
        let free = free(d);
        let after_first = *after_first.get_or_insert(free);
        assert_eq!(free, after_first, "network {seed}");
        assert_eq!(d.recordings(), 1, "network {seed}");
        let view = network.logits;
        drop(network);
        let gone = d.zero(view).unwrap_err().to_string();
        assert!(gone.contains("no memory behind"), "{gone}");
    }
}

#[test]
fn the_host_is_at_most_two_steps_ahead() {
    let (_alone, mut d) = softgpu("none", "1");
    let d = &mut d;
    let x = d.alloc(DType::F32, 1024).unwrap();
    d.zero(x).unwrap();
    let dropout = Kind::Dropout(Dropout { seed: 1, layer: 0, p: 0.5, len: x.len });
    let plan = [Planned::new("", "", Operation::new(dropout, Precision::F32, &[x]).unwrap())];
    d.record("step", &plan).unwrap();
    d.synchronize().unwrap();
    d.softgpu.unwrap().take_counters().unwrap();
    let began = Instant::now();
    for n in 0..10 {
        d.set_step(step(n)).unwrap();
        d.record("step", &plan).unwrap();
    }
    // softgpu runs nothing before it must, unless nobody calls it for half a second.
    let done = d.softgpu.unwrap().take_counters().unwrap();
    let quick = began.elapsed().as_millis() < 400;
    let done: serde_json::Value = serde_json::from_str(&done).unwrap();
    let kernels = done.as_array().or_else(|| done["kernels"].as_array()).unwrap();
    let launches: u64 = kernels.iter().map(|k| k["launches"].as_u64().unwrap()).sum();
    assert!(launches >= 8, "{launches} of 10 steps were done");
    assert!(launches <= 8 || !quick, "{launches} of 10 steps were done: nothing runs beside the host");
}

#[test]
fn a_step_is_one_copy_and_none_is_overwritten_too_early() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    let (images, n) = (50_000, 10_000);
    let g = Gather { images, n, h: 1, w: 1, c: 1, mean: 0.0.into(), std: (1.0 / 255.0).into(), seed: 0, augment: None };
    let pixels: Vec<u8> = (0..images).map(|i| (i % 251) as u8).collect();
    let names: Vec<u32> = (0..images as u32).map(|i| 3 * i).collect();
    let (p, l) = (d.alloc(DType::U8, images).unwrap(), d.alloc(DType::U32, images).unwrap());
    d.upload(p, &pixels).unwrap();
    d.upload(l, bytemuck::cast_slice(&names)).unwrap();
    // Every step has a result of its own, read after all of them.
    let outputs = [0; 6].map(|_| (d.alloc(DType::F32, n).unwrap(), d.alloc(DType::U32, n).unwrap()));
    let samples = |s: usize| (0..n).map(|i| ((i * 7 + s * 1001) % images) as u32).collect::<Vec<_>>();
    for (s, (x, labels)) in outputs.into_iter().enumerate() {
        let before = d.copies();
        d.set_step(StepState { samples: &samples(s), ..step(s as u64) }).unwrap();
        let gather = Operation::new(Kind::Gather(g), Precision::F32, &[p, l, x, labels]).unwrap();
        d.record("step", &[Planned::new("", "", gather)]).unwrap();
        assert_eq!(d.copies() - before, 1, "step {s}");
    }
    for (s, (x, labels)) in outputs.into_iter().enumerate() {
        let of = |all: &[u32]| samples(s).iter().map(|&i| all[i as usize]).collect::<Vec<_>>();
        let mut got = vec![0u32; n];
        d.download(labels, bytemuck::cast_slice_mut(&mut got)).unwrap();
        assert!(got == of(&names), "labels of step {s}");
        let want: Vec<u8> = samples(s).iter().map(|&i| pixels[i as usize]).collect();
        let x = download_f32(d, x).unwrap();
        assert!(x.iter().zip(&want).all(|(x, w)| (x - f32::from(*w)).abs() < 1e-3), "images of step {s}");
    }
    // Samples that are not of the dataset, or not as many as the batch, are seen before a kernel reads elsewhere.
    let (x, labels) = outputs[0];
    let gather = Operation::new(Kind::Gather(g), Precision::F32, &[p, l, x, labels]).unwrap();
    let plan = [Planned::new("", "", gather)];
    for (samples, says) in [(vec![0; 9], "9 samples"), (vec![images as u32; n], "image 50000 of a dataset of 50000")] {
        d.set_step(StepState { samples: &samples, ..step(9) }).unwrap();
        let error = d.record("step", &plan).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn large_uploads_arrive_in_pieces() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    let numbers = values(1, 1_500_001, 1.0);
    let view = d.alloc(DType::F32, numbers.len()).unwrap();
    // The source is gone before the copy has to be done.
    upload_f32(d, view, &numbers.clone()).unwrap();
    assert!(download_f32(d, view).unwrap() == numbers);
}

/// A kernel that fails: it reads what nothing has written, and softgpu ends it at that.
#[test]
fn a_fault_names_its_launch_and_how_to_find_it() {
    for recorded in [false, true] {
        let (_alone, mut device) = softgpu("none", "0");
        let d = &mut device;
        d.set_winograd(Some(true));
        let s = ConvShape { n: 1, h: 4, w: 4, c: 4, k: 4, kernel: 3 };
        let views = [s.x_len(), s.w_len(), s.k, s.y_len()].map(|len| d.alloc(DType::F32, len).unwrap());
        for view in &views[1..] {
            d.zero(*view).unwrap();
        }
        let forward = Operation::new(conv(&s, Pass::Forward { relu: true }), Precision::F32, &views).unwrap();
        let plan = [Planned::new("forward", "conv1_1", forward)];
        set(d, "check", "init");
        set(d, "abort", "1");
        let named = match recorded {
            false => "forward conv1_1 conv_forward_winograd_32x64_f32",
            true => "one of the 1 launches recorded as \"step\", from forward conv1_1 conv_forward",
        };
        if recorded { d.record("step", &plan) } else { run_plan(d, &plan) }.unwrap();
        // The error is seen by whatever waits, and by every call after it.
        let errors = [d.synchronize(), d.alloc(DType::F32, 1).map(|_| ())].map(|e| e.unwrap_err().to_string());
        set(d, "abort", "0");
        // What is left of the context cannot be freed, which softgpu takes for a leak.
        let library = device.softgpu.unwrap();
        drop(device);
        library.take_findings().unwrap();
        for error in &errors {
            let parts = [named, "context is lost", "--resume", "WARP19_GRAPH=0 SOFTGPU_CHECK=all warp19"];
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }
}

/// Views of memory that is not there: sizes are looked at first.
fn nowhere(operands: &[(DType, usize)]) -> Vec<View> {
    operands
        .iter()
        .enumerate()
        .map(|(i, &(dtype, len))| View { buffer: 1_000_000 + i, dtype, offset: 0, len })
        .collect()
}

#[test]
fn sizes_that_32_bit_indices_do_not_reach_are_refused() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    let mut says = |kind: Kind| {
        let operands: Vec<_> = kind.describe(Precision::F32).operands.iter().map(|o| (o.dtype, o.len)).collect();
        try_run(d, kind, &nowhere(&operands)).unwrap_err().to_string()
    };
    let image = |n, size, c, k| ConvShape { n, h: size, w: size, c, k, kernel: 3 };
    let passes = [Pass::Forward { relu: true }, Pass::BackwardData { masked: true }, Pass::BackwardWeight];
    // What a large card has room for is taken.
    for s in [image(1024, 28, 64, 64), image(64, 224, 64, 64), image(512, 224, 3, 64), image(600, 224, 64, 64)] {
        for pass in passes {
            let error = says(conv(&s, pass));
            assert_eq!(error.contains("no memory behind"), s.x_len().max(s.y_len()) < (1 << 31) - (1 << 22), "{error}");
        }
    }
    let large = image(1024, 224, 64, 64);
    for pass in passes {
        let error = says(conv(&large, pass));
        for part in ["3288334336 elements", "n: 1024", "count below 2143289344", "--batch"] {
            assert!(error.contains(part), "{error}");
        }
    }
    // The last numbers below 2^31: a block's threads or a grid's stride would run past it.
    let len = (1 << 31) - 64;
    let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
    let pool = PoolShape { n: 1, h: 1, w: len, c: 1 };
    let kinds = [
        Kind::Adam(Adam { params, len, average: true }),
        Kind::Dropout(Dropout { seed: 1, layer: 0, p: 0.5, len }),
        Kind::Pool(Pool { shape: pool, backward: false }),
        // One row, so that the rows above and below it would be further away than its own elements.
        conv(&ConvShape { n: 1, h: 1, w: 1 << 20, c: 1 << 10, k: 1, kernel: 3 }, Pass::Forward { relu: false }),
        // Few filters of many channels: a tile takes 128.
        conv(&ConvShape { n: 1, h: 1, w: 1, c: 1 << 27, k: 1, kernel: 1 }, Pass::Forward { relu: false }),
    ];
    for kind in kinds {
        let error = says(kind);
        assert!(error.contains("count below 2143289344"), "{error}");
    }
}

/// Memory of a device is not another's: what an owner has goes with it, what the device has stays.
#[test]
fn memory_goes_with_its_owner() {
    let (_alone, mut d) = softgpu("none", "0");
    let d = &mut d;
    let kept = d.alloc(DType::F32, 1 << 20).unwrap();
    let before = free(d);
    let owner = Owner::new();
    let [a, b] = [&owner, &owner.clone()].map(|o| d.alloc_for(o, DType::F32, 1 << 20).unwrap());
    assert!(free(d) < before);
    drop(owner);
    let dropout = Dropout { seed: 1, layer: 0, p: 0.5, len: a.len };
    for gone in [a, b] {
        assert!(try_run(d, Kind::Dropout(dropout), &[gone]).unwrap_err().to_string().contains("no memory behind"));
    }
    let small = d.alloc(DType::F32, 1).unwrap();
    assert!(free(d) + 4096 > before, "freed at the next allocation");
    d.zero(kept).unwrap();
    d.zero(small).unwrap();
    run(d, Kind::Dropout(dropout), &[kept]);
}
