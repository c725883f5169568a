//! VGG19 on random images: whole training steps (forward, loss, backward, Adam) and forward passes alone. `WARP19_ISA`
//! chooses the instructions. Where the time of a step goes says `warp19 profile`.
//!
//! - `cargo bench --bench step` prints the median of a few steps at batch 64 and 128 in each precision of the CPU,
//!   which take turns;
//! - `-- --serve step|forward BATCH [PRECISION]` does one for each line on standard input and prints the seconds it
//!   took, so that a script can alternate it with a peer.

use std::io::{BufRead, Write};
use std::time::Instant;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, Owner, Precision, StepState, run_plan, upload_f32};
use warp19::model::zoo;
use warp19::network::{Mode, Network, Purpose};
use warp19::ops::cast::Cast;
use warp19::ops::loss::{Loss, LossKind};
use warp19::ops::operation::{Kind, Operation, Planned};
use warp19::ops::optimizer::{Adam, AdamParams, Arenas, Epsilon};
use warp19::ops::scaling::{START, STATE, Scaling};
use warp19::train::init;
use warp19::train::recipe::Init;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Bench {
    device: CpuDevice,
    plan: Vec<Planned>,
    step: u64,
    /// What the plan works on is there as long as this.
    _memory: Owner,
}

impl Bench {
    /// A training step, or with `training` false a forward pass.
    fn new(batch: usize, precision: Precision, training: bool) -> Result<Bench> {
        let mut device = CpuDevice::new(threads()?)?;
        let mut model = zoo::build("vgg19", "28x28x1".parse()?, 10)?;
        model.set_dropout(&[0.5, 0.5]);
        let purpose = if training { Purpose::Training } else { Purpose::Evaluation };
        let network = Network::new(&mut device, &model, precision, batch, purpose)?;
        upload_f32(&mut device, network.weights, &init::weights(&model, Init::He, 1))?;
        run_plan(&mut device, &network.prepare(network.weights)?)?;
        let pixels: Vec<f32> = (0..network.input.len).map(|i| (i % 251) as f32 / 251.0).collect();
        let wide = device.alloc(DType::F32, pixels.len())?;
        upload_f32(&mut device, wide, &pixels)?;
        device.run(&Operation::new(Kind::Cast(Cast { len: wide.len }), precision, &[wide, network.input])?)?;
        if !training {
            let plan = network.forward(network.weights, Mode::Eval)?;
            return Ok(Bench { device, plan, step: 0, _memory: network.memory });
        }
        let labels: Vec<u32> = (0..batch).map(|i| (i % 10) as u32).collect();
        device.upload(network.labels, bytemuck::cast_slice(&labels))?;
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
        Ok(Bench { device, plan, step: 0, _memory: network.memory })
    }

    fn set_step(&mut self) -> Result<()> {
        self.device.set_step(StepState { step: self.step, lr: 3e-4, ema_decay: 0.0, samples: &[] })?;
        self.step += 1;
        Ok(())
    }

    /// One step, or one pass; the seconds it took.
    fn step(&mut self) -> Result<f64> {
        let start = Instant::now();
        self.set_step()?;
        run_plan(&mut self.device, &self.plan)?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// The number in `WARP19_BENCH_THREADS`, for measuring how a step scales.
fn threads() -> Result<Option<usize>> {
    Ok(std::env::var("WARP19_BENCH_THREADS").ok().map(|t| t.parse()).transpose()?)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn serve(training: bool, batch: usize, precision: Precision) -> Result<()> {
    let mut bench = Bench::new(batch, precision, training)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", bench.step()?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// What is measured works: `cargo test` runs a benchmark without `--bench`.
fn check() -> Result<()> {
    Bench::new(1, Precision::F32, true)?.step()?;
    Bench::new(1, Precision::F32, false)?.step()?;
    Ok(())
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(bench) = args.iter().position(|a| a == "--bench") else { return check() };
    let args = [&args[..bench], &args[bench + 1..]].concat();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let usage = "usage: [--serve step|forward BATCH [PRECISION]]";
    match args[..] {
        ["--serve", "step", batch, ref p @ ..] => return serve(true, batch.parse()?, precision(p)?),
        ["--serve", "forward", batch, ref p @ ..] => return serve(false, batch.parse()?, precision(p)?),
        [] => {}
        _ => return Err(usage.into()),
    }
    for batch in [64, 128] {
        let mut precisions = Vec::new();
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            precisions.push((precision, Bench::new(batch, precision, true)?, Vec::new()));
        }
        for round in 0..8 {
            for (_, bench, seconds) in &mut precisions {
                let s = bench.step()?;
                if round > 0 {
                    seconds.push(s);
                }
            }
        }
        for (precision, bench, seconds) in precisions {
            println!("vgg19 step/{}/{precision}/{batch}: median {:.3} s", bench.device.describe(), median(seconds));
        }
    }
    Ok(())
}

/// The precision named last on the command line, if there is one.
fn precision(rest: &[&str]) -> Result<Precision> {
    Ok(rest.first().map_or(Ok(Precision::F32), |p| p.parse())?)
}
