//! One whole training step of VGG19: forward, loss, backward, Adam; float32, on random images.
//!
//! `cargo bench --bench step` prints the median of a few steps at batch 64 and 128. With `-- --serve BATCH` it does one
//! step for each line on standard input and prints the seconds it took, so that a script can alternate it with a peer.

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

struct Bench {
    device: CpuDevice,
    plan: Vec<Planned>,
    step: u64,
}

impl Bench {
    fn new(batch: usize) -> warp19::Result<Bench> {
        let mut device = CpuDevice::new(None)?;
        let mut model = zoo::build("vgg19", "28x28x1".parse()?, 10)?;
        model.set_dropout(&[0.5, 0.5]);
        let network = Network::new(&mut device, &model, Precision::F32, batch, true)?;
        upload_f32(&mut device, network.weights, &init::weights(&model, Init::He, 1))?;
        let pixels: Vec<f32> = (0..network.input.len).map(|i| (i % 251) as f32 / 251.0).collect();
        upload_f32(&mut device, network.input, &pixels)?;
        let labels: Vec<u8> = (0..batch).map(|i| (i % 10) as u8).collect();
        device.upload(network.labels, &labels)?;
        let len = network.weights.len;
        let arenas = Arenas {
            weights: network.weights,
            gradients: network.gradients.expect("made for training"),
            moment1: device.alloc(DType::F32, len)?,
            moment2: Some(device.alloc(DType::F32, len)?),
            ema: None,
            copy: None,
            scaling: None,
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

    /// One step; the seconds it took.
    fn step(&mut self) -> warp19::Result<f64> {
        let start = Instant::now();
        self.device.set_step(StepState { step: self.step, lr: 3e-4, ema_decay: 0.0, samples: &[] })?;
        run_plan(&mut self.device, &self.plan)?;
        self.step += 1;
        Ok(start.elapsed().as_secs_f64())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|a| a == "--serve") {
        let batch = args.get(at + 1).ok_or("--serve needs a batch size")?;
        let mut bench = Bench::new(batch.parse()?)?;
        for line in std::io::stdin().lock().lines() {
            line?;
            println!("{}", bench.step()?);
            std::io::stdout().flush()?;
        }
        return Ok(());
    }
    for batch in [64, 128] {
        let mut bench = Bench::new(batch)?;
        bench.step()?;
        let mut seconds = (0..7).map(|_| bench.step()).collect::<Result<Vec<_>, _>>()?;
        seconds.sort_by(f64::total_cmp);
        println!("vgg19 step/cpu/{batch}: median {:.3} s", seconds[3]);
    }
    Ok(())
}
