//! `warp19 predict`.

use super::backend::Backend;
use super::run::Source;
use super::{output, screen};
use crate::data::{Images, Split};
use crate::error::Result;
use crate::image::digit_from_png;
use crate::model::Shape;
use crate::report::guesses;
use crate::train::evaluate;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Pictures of one digit each, PNG, any size, dark on light or light on dark.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    backend: Backend,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let checkpoint = args.source.open()?;
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
    let result = evaluate(device.as_mut(), config, weights, &split, batch, &mut screen::evaluating())?;
    let mut list = Vec::new();
    let mut text = String::new();
    for (path, guess) in args.images.iter().zip(guesses::all(&result, &split.labels)) {
        let _ = write!(text, "{}:", path.display());
        for (class, p) in &guess.top {
            let _ = write!(text, "  {class} {:.2} %", 100.0 * p);
        }
        text.push('\n');
        let top = guess.top.iter().map(|(class, p)| serde_json::json!({"class": class, "probability": p}));
        let top: Vec<_> = top.collect();
        list.push(serde_json::json!({"image": path, "class": guess.answer(), "top": top}));
    }
    if args.json { output::print_json(&serde_json::Value::Array(list)) } else { output::print(&text) }
}
