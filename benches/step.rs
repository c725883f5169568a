//! One whole training step of VGG19: forward, loss, backward, Adam; float32, on random images.
//!
//! `cargo bench --bench step` prints the median of a few steps at batch 64 and 128. With `-- --serve BATCH` it does one
//! step for each line on standard input and prints the seconds it took, so that a script can alternate it with a peer.

use std::io::{BufRead, Write};
use std::time::Instant;
use warp19::cpu::CpuDevice;
use warp19::device::{Arenas, DType, Device, StepState, View, upload_f32};
use warp19::model::zoo;
use warp19::network::{Mode, Network};
use warp19::ops::loss::LossKind;
use warp19::ops::optimizer::{AdamParams, Epsilon};
use warp19::train::init;
use warp19::train::recipe::Init;

struct Bench {
    device: CpuDevice,
    network: Network,
    arenas: Arenas,
    stats: View,
    step: u64,
}

impl Bench {
    fn new(batch: usize) -> warp19::Result<Bench> {
        let mut device = CpuDevice::new(None)?;
        let mut model = zoo::build("vgg19", "28x28x1".parse()?, 10)?;
        model.set_dropout(&[0.5, 0.5]);
        let network = Network::new(&mut device, &model, batch, true)?;
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
        };
        let stats = device.alloc(DType::F64, 4)?;
        Ok(Bench { device, network, arenas, stats, step: 0 })
    }

    /// One step; the seconds it took.
    fn step(&mut self) -> warp19::Result<f64> {
        let (d, net) = (&mut self.device, &self.network);
        let adam = AdamParams { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, epsilon_kind: Epsilon::Outer };
        let start = Instant::now();
        d.set_step(StepState { step: self.step, lr: 3e-4, ema_decay: 0.0 })?;
        net.forward(d, net.weights, Mode::Train { seed: 1 })?;
        let dlogits = Some(net.dlogits);
        d.loss(LossKind::Mean, 10, net.logits, net.labels, dlogits, self.stats)?;
        net.backward(d, 1)?;
        d.adam(&adam, &self.arenas)?;
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
