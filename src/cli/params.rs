//! `warp19 params`.

use super::output;
use crate::error::Result;
use crate::model::{table, zoo};
use std::fmt::Write;

#[derive(clap::Args)]
pub struct Args {
    /// vgg19, vgg16-4pool, deep-mnist or deep-mnist-sgd.
    #[arg(long, default_value = "vgg19", value_parser = zoo::NAMES, hide_possible_values = true)]
    model: String,
    /// Input size.
    #[arg(long, default_value = "28x28x1")]
    input: String,
    #[arg(long, default_value_t = 10)]
    classes: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let model = zoo::build(&args.model, args.input.parse()?, args.classes)?;
    let rows = table::rows(&model);
    let weights: usize = rows.iter().map(|r| r.weights).sum();
    let biases: usize = rows.iter().map(|r| r.biases).sum();
    let mflop: f64 = rows.iter().map(|r| r.mflop).sum();
    let output = rows.last().map_or(0, |r| r.weights);
    if args.json {
        return output::print_json(&serde_json::json!({
            "model": model.name, "input": args.input, "classes": args.classes, "layers": rows,
            "weights": weights, "biases": biases, "parameters": weights + biases,
            "weights_without_output_layer": weights - output, "mflop": mflop,
        }));
    }
    let mut out = format!(
        "{:<10} {:>6} {:>6} {:>6} {:>12} {:>12} {:>7} {:>10}\n",
        "layer", "kernel", "in", "out", "output", "weights", "biases", "MFLOP"
    );
    for r in &rows {
        let _ = writeln!(
            out,
            "{:<10} {:>6} {:>6} {:>6} {:>12} {:>12} {:>7} {:>10.3}",
            r.name, r.kernel, r.inputs, r.outputs, r.shape, r.weights, r.biases, r.mflop
        );
    }
    let _ = writeln!(
        out,
        "{:<44} {weights:>12} {biases:>7} {mflop:>10.3}\n\n\
         parameters {}  (weights without the output layer: {})\n\
         MFLOP: one image forward, a multiply-add as 2, taps in the padding counted; training is three times that",
        "total",
        weights + biases,
        weights - output
    );
    output::print(&out)
}
