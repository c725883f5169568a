//! One whole training step of VGG19: forward, loss, backward, Adam; on random images.
//!
//! `cargo bench --bench step` prints the median of a few steps at batch 64 and 128 in each precision of the CPU, which
//! take turns. With `-- --serve BATCH [PRECISION]` it does one step for each line on standard input and prints the seconds
//! it took, so that a script can alternate it with a peer; with `-- --operations BATCH [PRECISION]` it prints where the
//! time of a step goes.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::Instant;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, Precision, StepState, run_plan, upload_f32};
use warp19::model::zoo;
use warp19::network::{Mode, Network};
use warp19::ops::cast::Cast;
use warp19::ops::loss::{Loss, LossKind};
use warp19::ops::operation::{Kind, Operation, Planned};
use warp19::ops::optimizer::{Adam, AdamParams, Arenas, Epsilon};
use warp19::ops::scaling::{START, STATE, Scaling};
use warp19::train::init;
use warp19::train::recipe::Init;

struct Bench {
    device: CpuDevice,
    plan: Vec<Planned>,
    step: u64,
}

impl Bench {
    fn new(batch: usize, precision: Precision) -> warp19::Result<Bench> {
        let mut device = CpuDevice::new(None)?;
        let mut model = zoo::build("vgg19", "28x28x1".parse()?, 10)?;
        model.set_dropout(&[0.5, 0.5]);
        let network = Network::new(&mut device, &model, precision, batch, true)?;
        upload_f32(&mut device, network.weights, &init::weights(&model, Init::He, 1))?;
        run_plan(&mut device, &network.prepare(network.weights)?)?;
        let pixels: Vec<f32> = (0..network.input.len).map(|i| (i % 251) as f32 / 251.0).collect();
        let wide = device.alloc(DType::F32, pixels.len())?;
        upload_f32(&mut device, wide, &pixels)?;
        device.run(&Operation::new(Kind::Cast(Cast { len: wide.len }), precision, &[wide, network.input])?)?;
        let labels: Vec<u8> = (0..batch).map(|i| (i % 10) as u8).collect();
        device.upload(network.labels, &labels)?;
        let scaling = if precision.scales_gradients() { Some(device.alloc(DType::F32, STATE)?) } else { None };
        if let Some(state) = scaling {
            upload_f32(&mut device, state, &START)?;
        }
        let len = network.weights.len;
        let arenas = Arenas {
            weights: network.weights,
            gradients: network.gradients.expect("made for training"),
            moment1: device.alloc(DType::F32, len)?,
            moment2: Some(device.alloc(DType::F32, len)?),
            ema: None,
            copy: network.copy,
            scaling,
        };
        let stats = device.alloc(DType::F64, 4)?;
        let loss = Kind::Loss(Loss { kind: LossKind::Mean, rows: batch, classes: 10, gradient: true });
        let mut loss_views = vec![network.logits, network.labels, stats, network.dlogits];
        loss_views.extend(scaling);
        let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
        let adam = Kind::Adam(Adam { params, len, average: false });
        let mut plan = network.forward(network.weights, Mode::Train { seed: 1 })?;
        plan.push(Planned::new("loss", "", Operation::new(loss, precision, &loss_views)?));
        plan.extend(network.backward(1)?);
        if let Some(state) = scaling {
            let scaling = Kind::Scaling(Scaling { len });
            plan.push(Planned::new("optimizer", "", Operation::new(scaling, precision, &[arenas.gradients, state])?));
        }
        plan.push(Planned::new("optimizer", "", Operation::new(adam, precision, &arenas.views())?));
        Ok(Bench { device, plan, step: 0 })
    }

    /// One step; the seconds it took.
    fn step(&mut self) -> warp19::Result<f64> {
        let start = Instant::now();
        self.device.set_step(StepState { step: self.step, lr: 3e-4, ema_decay: 0.0 })?;
        run_plan(&mut self.device, &self.plan)?;
        self.step += 1;
        Ok(start.elapsed().as_secs_f64())
    }

    /// The median seconds of every operation in a few steps.
    fn operations(&mut self) -> warp19::Result<Vec<f64>> {
        let mut seconds = vec![Vec::new(); self.plan.len()];
        self.step()?;
        for _ in 0..7 {
            for (planned, seconds) in self.plan.iter().zip(&mut seconds) {
                let start = Instant::now();
                self.device.run(&planned.operation)?;
                seconds.push(start.elapsed().as_secs_f64());
            }
        }
        Ok(seconds.into_iter().map(median).collect())
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// A table of a step's operations, and their sums by name.
fn print_operations(bench: &mut Bench) -> warp19::Result<()> {
    let (seconds, mut sums) = (bench.operations()?, BTreeMap::<_, f64>::new());
    println!("{:>8} {:>8} {:>7}  operation", "ms", "GFLOP/s", "GB/s");
    let mut line = |name: &str, layer: &str, s: f64, flops: u64, bytes: u64| {
        println!("{:8.2} {:8.0} {:7.1}  {layer} {name}", 1e3 * s, flops as f64 / s / 1e9, bytes as f64 / s / 1e9);
        *sums.entry(name.to_string()).or_default() += s;
    };
    for (planned, s) in bench.plan.iter().zip(&seconds) {
        let is = planned.operation.description();
        line(is.name, &planned.layer, *s, is.flops, is.bytes);
    }
    sums.insert("all".into(), seconds.iter().sum());
    sums.iter().for_each(|(name, s)| println!("{:8.2} {:8} {:7}  {name}", 1e3 * s, "", ""));
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let asked = |flag: &str| -> Result<Option<Bench>, Box<dyn std::error::Error>> {
        let Some(at) = args.iter().position(|a| a == flag) else { return Ok(None) };
        let batch = args.get(at + 1).ok_or("a batch size is missing")?;
        let precision = args.get(at + 2).map_or(Ok(Precision::F32), |p| p.parse())?;
        Ok(Some(Bench::new(batch.parse()?, precision)?))
    };
    if let Some(mut bench) = asked("--serve")? {
        for line in std::io::stdin().lock().lines() {
            line?;
            println!("{}", bench.step()?);
            std::io::stdout().flush()?;
        }
        return Ok(());
    }
    if let Some(mut bench) = asked("--operations")? {
        print_operations(&mut bench)?;
        return Ok(());
    }
    for batch in [64, 128] {
        let precisions = [Precision::F32, Precision::Bf16, Precision::F16];
        let mut benches = precisions.iter().map(|&p| Bench::new(batch, p)).collect::<Result<Vec<_>, _>>()?;
        let mut seconds = vec![Vec::new(); benches.len()];
        for round in 0..8 {
            for (bench, seconds) in benches.iter_mut().zip(&mut seconds) {
                let s = bench.step()?;
                if round > 0 {
                    seconds.push(s);
                }
            }
        }
        for (precision, seconds) in precisions.iter().zip(seconds) {
            println!("vgg19 step/cpu/{precision}/{batch}: median {:.3} s", median(seconds));
        }
    }
    Ok(())
}
