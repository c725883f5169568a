//! `warp19 eval`.

use super::backend::{self, Backend};
use super::run::Source;
use super::{output, progress};
use crate::device::Precision;
use crate::error::Result;
use crate::report::guesses::{self, ClassCounts};
use crate::train::{Evaluation, test_images};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Folder with the IDX files, where the run's data have moved, or of another --dataset [default: where they were].
    #[arg(long)]
    data: Option<PathBuf>,
    /// Another dataset than the run's.
    #[arg(long)]
    dataset: Option<String>,
    #[command(flatten)]
    backend: Backend,
    #[arg(long, value_parser = backend::precision(), help = format!("{} [default: the run's]", backend::PRECISIONS))]
    precision: Option<Precision>,
    /// Run the network, though the run folder has what it answered; so do --device and --precision.
    #[arg(long)]
    again: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let mut checkpoint = args.source.open()?;
    let config = &checkpoint.meta.config;
    let dataset = args.source.dataset(config, args.data.as_deref(), args.dataset.as_deref())?;
    let kept = if args.again || args.precision.is_some() || args.backend.is_chosen() {
        None
    } else {
        args.source.predictions(&dataset.test)?
    };
    let result = match kept {
        Some(result) => result,
        None => {
            let mut device = args.backend.open()?;
            let precision = args.precision.unwrap_or(checkpoint.meta.config.precision);
            device.supports(precision)?;
            checkpoint.meta.config.precision = precision;
            test_images(device.as_mut(), &checkpoint, &dataset, &dataset.test, &mut progress::evaluating())?
        }
    };
    let answers = guesses::all(&result, &dataset.test.labels);
    let confusion = guesses::confusion(&answers, result.classes);
    if args.json {
        output::print_json(&json(&result, &confusion, checkpoint.meta.step))
    } else {
        output::print(&text(&result, &confusion))
    }
}

/// A class's precision and recall; a ratio over nothing is 0.
fn ratios(class: ClassCounts) -> (f64, f64) {
    let ratio = |all: usize| class.right as f64 / all.max(1) as f64;
    (ratio(class.answers), ratio(class.images))
}

fn json(result: &Evaluation, confusion: &[Vec<usize>], step: u64) -> serde_json::Value {
    let class = |(class, counts): (usize, ClassCounts)| {
        let (precision, recall) = ratios(counts);
        json!({"class": class, "precision": precision, "recall": recall, "count": counts.images})
    };
    let per_class: Vec<_> = guesses::class_counts(confusion).into_iter().enumerate().map(class).collect();
    json!({
        "accuracy": result.accuracy(),
        "loss": result.loss,
        "errors": result.count() - result.correct,
        "images": result.count(),
        "step": step,
        "confusion": confusion,
        "per_class": per_class,
    })
}

fn text(result: &Evaluation, confusion: &[Vec<usize>]) -> String {
    let classes = guesses::class_counts(confusion);
    let names: Vec<String> = (0..classes.len()).map(|class| format!(">{class}")).collect();
    let heads: Vec<&str> = std::iter::once(">").chain(names.iter().map(String::as_str)).collect();
    let row = |(class, row): (usize, &Vec<usize>)| [&[class], &row[..]].concat().iter().map(usize::to_string).collect();
    let matrix: Vec<Vec<String>> = confusion.iter().enumerate().map(row).collect();
    let row = |(class, counts): (usize, &ClassCounts)| {
        let (precision, recall) = ratios(*counts);
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        vec![class.to_string(), percent(precision), percent(recall), counts.images.to_string()]
    };
    let figures: Vec<Vec<String>> = classes.iter().enumerate().map(row).collect();
    format!(
        "accuracy {:.2} %  errors {} of {}  loss {:.5}\n\nconfusion (rows: true class, columns: predicted)\n{}\n{}",
        100.0 * result.accuracy(),
        result.count() - result.correct,
        result.count(),
        result.loss,
        output::table(&heads, &matrix),
        output::table(&[">class", ">precision", ">recall", ">images"], &figures)
    )
}
