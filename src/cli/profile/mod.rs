//! `warp19 profile`: where a training step's time goes, operation by operation (docs/profiling.md).

mod example;
mod measure;
mod paper;
mod predict;
mod table;

use super::backend::{self, Backend, Opened};
use super::output;
use crate::device::{Precision, StepState};
use crate::error::{Error, Result};
use crate::model::zoo;
use crate::train::Trainer;
use measure::Peaks;
use serde_json::json;

#[derive(clap::Args)]
pub struct Args {
    /// vgg19, vgg16-4pool, deep-mnist, deep-mnist-sgd, vgg19-torchvision or vgg16-torchvision.
    #[arg(long, default_value = "vgg19", value_parser = backend::name_of(zoo::NAMES))]
    #[arg(ignore_case = true, hide_possible_values = true)]
    model: String,
    /// Images in a step [default: 64; 2 on softgpu, 128 for a prediction].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    batch: Option<u32>,
    #[command(flatten)]
    backend: Backend,
    #[arg(long, default_value_t, value_parser = backend::precision(), help = backend::PRECISIONS)]
    precision: Precision,
    /// Steps that are timed, after one that is not; the table has medians.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=1000))]
    steps: u16,
    /// Predict a step's time on a card by the plan's count instead, without a GPU: rtx3090, a100, ..., or all.
    #[arg(long, value_name = "CARD", conflicts_with = "steps")]
    predict: Option<String>,
    /// Results as JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    if let Some(card) = &args.predict {
        let Args { model, batch, precision, json, .. } = args;
        return predict::run(card, model, batch.map(|b| b as usize), *precision, *json);
    }
    let mut opened = args.backend.open_kind()?;
    opened.device().supports(args.precision)?;
    let is_softgpu = matches!(&opened, Opened::Cuda(d) if d.softgpu.is_some());
    let batch = args.batch.map_or(if is_softgpu { 2 } else { 64 }, |b| b as usize);
    let folder = tempfile::tempdir().map_err(|e| Error::io("create", std::env::temp_dir(), e))?;
    let (config, dataset) = example::run(&args.model, args.precision, batch)?;
    let trainer = Trainer::new(opened.device(), config, &dataset, folder.path(), None)?;
    let samples: Vec<u32> = (0..batch as u32).collect();
    opened.device().set_step(StepState { step: 0, lr: 1e-4, ema_decay: 0.9, samples: &samples })?;
    let peaks = if is_softgpu { None } else { Some(Peaks::of(&opened, args.precision)) };
    let profile = measure::profile(&mut opened, trainer.plan(), args.steps, peaks.as_ref())?;
    let (device, precision) = (opened.device().describe(), args.precision.name());
    if args.json {
        return output::print_json(&json!({
            "device": device, "model": args.model, "batch": batch, "precision": precision, "peaks": peaks,
            "operations": profile.rows, "sum": profile.sum, "step": profile.step,
        }));
    }
    output::print(&format!("{} step, batch {batch}, {precision}, {device}\n\n", args.model))?;
    output::print(&table::text(&profile, peaks.as_ref()))
}
