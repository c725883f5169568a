//! `warp19 eval`.

use super::backend::{self, Backend};
use super::run::Source;
use super::{output, progress};
use crate::data::Classes;
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
    /// Folder with the data, where the run's data have moved, or of another --dataset [default: where they were].
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
    let classes = args.source.classes(&checkpoint.meta.config)?;
    if args.json {
        output::print_json(&json(&result, &confusion, &classes, checkpoint.meta.step))
    } else {
        output::print(&text(&result, &confusion, &classes))
    }
}

/// Classes up to which the whole matrix is printed; beyond, the most frequent mistakes are.
const MATRIX: usize = 30;
/// Mistakes that are listed then.
const MISTAKES: usize = 20;

/// A class's precision and recall; a ratio over nothing is 0.
fn ratios(class: ClassCounts) -> (f64, f64) {
    let ratio = |all: usize| class.right as f64 / all.max(1) as f64;
    (ratio(class.answers), ratio(class.images))
}

fn json(result: &Evaluation, confusion: &[Vec<usize>], classes: &Classes, step: u64) -> serde_json::Value {
    let class = |(class, counts): (usize, ClassCounts)| {
        let (precision, recall) = ratios(counts);
        let name = classes.name(class);
        json!({"class": class, "name": name, "precision": precision, "recall": recall, "count": counts.images})
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

fn text(result: &Evaluation, confusion: &[Vec<usize>], names: &Classes) -> String {
    let classes = guesses::class_counts(confusion);
    let row = |(class, counts): (usize, &ClassCounts)| {
        let (precision, recall) = ratios(*counts);
        let percent = |share: f64| format!("{:.2} %", 100.0 * share);
        vec![names.name(class).to_string(), percent(precision), percent(recall), counts.images.to_string()]
    };
    let figures: Vec<Vec<String>> = classes.iter().enumerate().map(row).collect();
    format!(
        "accuracy {:.2} %  errors {} of {}  loss {:.5}\n\n{}\n{}",
        100.0 * result.accuracy(),
        result.count() - result.correct,
        result.count(),
        result.loss,
        if classes.len() <= MATRIX { matrix(confusion, names) } else { mistakes(confusion, names) },
        output::table(&[">class", ">precision", ">recall", ">images"], &figures)
    )
}

fn matrix(confusion: &[Vec<usize>], names: &Classes) -> String {
    let heads: Vec<String> = (0..confusion.len()).map(|class| format!(">{}", names.name(class))).collect();
    let heads: Vec<&str> = std::iter::once(">").chain(heads.iter().map(String::as_str)).collect();
    let row = |(class, row): (usize, &Vec<usize>)| {
        std::iter::once(names.name(class).to_string()).chain(row.iter().map(usize::to_string)).collect()
    };
    let rows: Vec<Vec<String>> = confusion.iter().enumerate().map(row).collect();
    format!("confusion (rows: true class, columns: predicted)\n{}", output::table(&heads, &rows))
}

/// The most frequent mistakes, of equally frequent ones those of the lowest classes.
fn mistakes(confusion: &[Vec<usize>], names: &Classes) -> String {
    let cells =
        |(i, row): (usize, &Vec<usize>)| row.iter().enumerate().map(move |(j, &n)| (n, i, j)).collect::<Vec<_>>();
    let mut all: Vec<(usize, usize, usize)> = confusion.iter().enumerate().flat_map(cells).collect();
    all.retain(|&(n, i, j)| n > 0 && i != j);
    all.sort_by_key(|&(n, i, j)| (std::cmp::Reverse(n), i, j));
    all.truncate(MISTAKES);
    let row = |&(n, i, j): &(usize, usize, usize)| vec![names.name(i).into(), names.name(j).into(), n.to_string()];
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    format!("most frequent mistakes\n{}", output::table(&["<true class", "<predicted", ">times"], &rows))
}
