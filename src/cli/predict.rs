//! `warp19 predict`.

use super::backend::Backend;
use super::run::{self, Which};
use crate::data::{Images, Split};
use crate::error::Result;
use crate::image::digit_from_png;
use crate::model::Shape;
use crate::train::evaluate;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Run folder.
    run: PathBuf,
    /// Pictures of one digit each, PNG, any size, dark on light or light on dark.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    backend: Backend,
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: Which,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let checkpoint = run::open(&args.run, args.checkpoint)?;
    let config = &checkpoint.meta.config;
    let Shape { h, w, .. } = config.input.parse()?;
    let mut pixels = Vec::new();
    for path in &args.images {
        pixels.extend(digit_from_png(path, h, w)?);
    }
    let images = Images { count: args.images.len(), height: h, width: w, pixels };
    // The labels are not known; the loss and the count that come of these zeros are not shown.
    let split = Split::new(images, vec![0; args.images.len()], "pictures")?;
    let mut device = args.backend.open()?;
    let batch = args.images.len().min(64);
    let weights = checkpoint.evaluated()?;
    let result = evaluate(device.as_mut(), config, weights, &split, batch)?;
    let mut list = Vec::new();
    let mut text = String::new();
    let rows = result.probabilities.chunks_exact(result.classes);
    for (path, row) in args.images.iter().zip(rows) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
        order.truncate(5);
        let _ = write!(text, "{}:", path.display());
        for &class in &order {
            let _ = write!(text, "  {class} {:.2} %", 100.0 * row[class]);
        }
        text.push('\n');
        let top: Vec<_> = order.iter().map(|&c| serde_json::json!({"class": c, "probability": row[c]})).collect();
        list.push(serde_json::json!({"image": path, "class": order[0], "top": top}));
    }
    if args.json { super::print_json(&serde_json::Value::Array(list)) } else { super::print(&text) }
}
