//! `warp19 eval`.

use super::backend::{self, Backend};
use super::output;
use super::run::Source;
use crate::data;
use crate::device::Precision;
use crate::error::Result;
use crate::report::guesses;
use crate::train::{Evaluation, test_images};
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Folder with the dataset's IDX files [default: where `data fetch` puts the run's dataset].
    #[arg(long)]
    data: Option<PathBuf>,
    /// Another dataset than the run's.
    #[arg(long)]
    dataset: Option<String>,
    #[command(flatten)]
    backend: Backend,
    #[arg(long, value_parser = backend::precision(), help = format!("{} [default: the run's]", backend::PRECISIONS))]
    precision: Option<Precision>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let mut checkpoint = args.source.open()?;
    let name = args.dataset.as_ref().unwrap_or(&checkpoint.meta.config.dataset);
    let dataset = data::open(args.data.as_deref(), name, std::io::stderr().is_terminal())?;
    let mut device = args.backend.open()?;
    let precision = args.precision.unwrap_or(checkpoint.meta.config.precision);
    device.supports(precision)?;
    checkpoint.meta.config.precision = precision;
    let result = test_images(device.as_mut(), &checkpoint, &dataset)?;
    let answers = guesses::all(&result, &dataset.test.labels);
    let confusion = guesses::confusion(&answers, result.classes);
    if args.json {
        output::print_json(&json(&result, &confusion, checkpoint.meta.step))
    } else {
        output::print(&text(&result, &confusion))
    }
}

/// Precision, recall and number of images of a class; a ratio over nothing is 0.
fn class_figures(confusion: &[Vec<usize>], class: usize) -> (f64, f64, usize) {
    let hits = confusion[class][class] as f64;
    let predicted: usize = confusion.iter().map(|row| row[class]).sum();
    let count: usize = confusion[class].iter().sum();
    let ratio = |n: usize| if n == 0 { 0.0 } else { hits / n as f64 };
    (ratio(predicted), ratio(count), count)
}

fn json(result: &Evaluation, confusion: &[Vec<usize>], step: u64) -> serde_json::Value {
    let per_class: Vec<_> = (0..result.classes)
        .map(|class| {
            let (precision, recall, count) = class_figures(confusion, class);
            serde_json::json!({
                "class": class, "precision": precision, "recall": recall, "count": count
            })
        })
        .collect();
    serde_json::json!({
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
    let mut out = format!(
        "accuracy {:.2} %  errors {} of {}  loss {:.5}\n\nconfusion (rows: true class, columns: predicted)\n      ",
        100.0 * result.accuracy(),
        result.count() - result.correct,
        result.count(),
        result.loss
    );
    let line = |out: &mut String, cells: &mut dyn Iterator<Item = usize>| {
        for cell in cells {
            let _ = write!(out, "{cell:>6}");
        }
        out.push('\n');
    };
    line(&mut out, &mut (0..result.classes));
    for (class, row) in confusion.iter().enumerate() {
        let _ = write!(out, "{class:>6}");
        line(&mut out, &mut row.iter().copied());
    }
    out += "\n class  precision   recall   images\n";
    for class in 0..result.classes {
        let (precision, recall, count) = class_figures(confusion, class);
        let _ = writeln!(out, "{class:>6} {:>9.2} % {:>6.2} % {count:>8}", 100.0 * precision, 100.0 * recall);
    }
    out
}
