//! VGG19 in float32 on random images: whole training steps (forward, loss, backward, Adam), forward passes alone, and
//! where the time of a step goes. `WARP19_ISA` chooses the instructions.
//!
//! - `cargo bench --bench step` prints the median of a few steps at batch 64 and 128;
//! - `-- --layers BATCH [--json]`: every operation of a step, its median time, and its share of the peak, which is
//!   measured by a loop of multiply-adds in the same run. Work is counted as `ops` counts it, taps in the padding
//!   included: Winograd's algorithm makes fewer multiplications, so that shares above 100 % are possible;
//! - `-- --serve step|forward BATCH` does one for each line on standard input and prints the seconds it took, so that a
//!   script can alternate it with a peer.

use std::io::{BufRead, Write};
use std::time::Instant;
use warp19::cpu::CpuDevice;
use warp19::device::{DType, Device, Precision, StepState, run_plan, upload_f32};
use warp19::model::zoo;
use warp19::network::{Mode, Network};
use warp19::ops::loss::{Loss, LossKind};
use warp19::ops::operation::{Kind, Operation, Planned};
use warp19::ops::optimizer::{Adam, AdamParams, Arenas, Epsilon};
use warp19::train::init;
use warp19::train::recipe::Init;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Bench {
    device: CpuDevice,
    plan: Vec<Planned>,
    step: u64,
}

impl Bench {
    /// A training step, or with `training` false a forward pass.
    fn new(batch: usize, training: bool) -> Result<Bench> {
        let mut device = CpuDevice::new(threads()?)?;
        let mut model = zoo::build("vgg19", "28x28x1".parse()?, 10)?;
        model.set_dropout(&[0.5, 0.5]);
        let network = Network::new(&mut device, &model, Precision::F32, batch, training)?;
        upload_f32(&mut device, network.weights, &init::weights(&model, Init::He, 1))?;
        let pixels: Vec<f32> = (0..network.input.len).map(|i| (i % 251) as f32 / 251.0).collect();
        upload_f32(&mut device, network.input, &pixels)?;
        if !training {
            let plan = network.forward(network.weights, Mode::Eval)?;
            return Ok(Bench { device, plan, step: 0 });
        }
        let labels: Vec<u8> = (0..batch).map(|i| (i % 10) as u8).collect();
        device.upload(network.labels, &labels)?;
        let len = network.weights.len;
        let arenas = Arenas {
            weights: network.weights,
            gradients: network.gradients.expect("made for training"),
            moment1: device.alloc(DType::F32, len)?,
            moment2: Some(device.alloc(DType::F32, len)?),
            ema: None,
        };
        let stats = device.alloc(DType::F64, 4)?;
        let loss = Kind::Loss(Loss { kind: LossKind::Mean, rows: batch, classes: 10, gradient: true });
        let loss_views = [network.logits, network.labels, stats, network.dlogits];
        let params = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
        let adam = Kind::Adam(Adam { params, len, average: false });
        let mut plan = network.forward(network.weights, Mode::Train { seed: 1 })?;
        plan.push(Planned::new("loss", "", Operation::new(loss, Precision::F32, &loss_views)?));
        plan.extend(network.backward(1)?);
        plan.push(Planned::new("optimizer", "", Operation::new(adam, Precision::F32, &arenas.views())?));
        Ok(Bench { device, plan, step: 0 })
    }

    fn set_step(&mut self) -> Result<()> {
        self.device.set_step(StepState { step: self.step, lr: 3e-4, ema_decay: 0.0 })?;
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

    /// The seconds of each operation of one step.
    fn operations(&mut self) -> Result<Vec<f64>> {
        self.set_step()?;
        let mut seconds = Vec::new();
        for planned in &self.plan {
            let start = Instant::now();
            self.device.run(&planned.operation)?;
            seconds.push(start.elapsed().as_secs_f64());
        }
        Ok(seconds)
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

/// Rounds that are measured.
const ROUNDS: usize = 9;

/// The table of a step's operations.
fn layers(batch: usize) -> Result<()> {
    let mut bench = Bench::new(batch, true)?;
    bench.step()?;
    let mut rounds = Vec::new();
    let mut peaks = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(bench.operations()?);
        peaks.push(bench.device.peak_flops());
    }
    let peak = median(peaks);
    println!("{}, batch {batch}: peak {:.0} GFLOP/s", bench.device.describe(), peak / 1e9);
    println!("| phase | layer | operation | ms | GFLOP/s | of peak | GB/s |\n|---|---|---|---|---|---|---|");
    let (mut total, mut work) = (0.0, 0.0);
    for (i, planned) in bench.plan.iter().enumerate() {
        let seconds = median(rounds.iter().map(|r| r[i]).collect());
        let is = planned.operation.description();
        let (rate, bytes) = (is.flops as f64 / seconds, is.bytes as f64 / seconds / 1e9);
        let share =
            if is.flops > 0 { format!("{:.0} | {:.0} %", rate / 1e9, 100.0 * rate / peak) } else { " | ".into() };
        let (phase, layer) = (planned.phase, &planned.layer);
        println!("| {phase} | {layer} | {} | {:.2} | {share} | {bytes:.1} |", is.name, 1e3 * seconds);
        total += seconds;
        work += is.flops as f64;
    }
    println!("| all | | | {:.1} | {:.0} | {:.0} % | |", 1e3 * total, work / total / 1e9, 100.0 * work / total / peak);
    Ok(())
}

fn serve(training: bool, batch: usize) -> Result<()> {
    let mut bench = Bench::new(batch, training)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", bench.step()?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["--layers", batch] => return layers(batch.parse()?),
        ["--serve", "step", batch] => return serve(true, batch.parse()?),
        ["--serve", "forward", batch] => return serve(false, batch.parse()?),
        [] => {}
        _ => return Err("usage: [--layers BATCH | --serve step|forward BATCH]".into()),
    }
    for batch in [64, 128] {
        let mut bench = Bench::new(batch, true)?;
        bench.step()?;
        let seconds = (0..7).map(|_| bench.step()).collect::<Result<Vec<_>>>()?;
        println!("vgg19 step/{}/{batch}: median {:.3} s", bench.device.describe(), median(seconds));
    }
    Ok(())
}
