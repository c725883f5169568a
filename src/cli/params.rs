//! `warp19 params`.

use super::{backend, output};
use crate::error::Result;
use crate::model::{table, zoo};

#[derive(clap::Args)]
pub struct Args {
    /// vgg19, vgg16-4pool, deep-mnist, deep-mnist-sgd, vgg19-torchvision or vgg16-torchvision.
    #[arg(long, default_value = "vgg19", value_parser = backend::name_of(zoo::NAMES))]
    #[arg(ignore_case = true, hide_possible_values = true)]
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
    let mut table: Vec<Vec<String>> = Vec::new();
    for r in &rows {
        let (inputs, outputs) = (r.inputs.to_string(), r.outputs.to_string());
        let counts = [r.weights.to_string(), r.biases.to_string(), format!("{:.3}", r.mflop)];
        let names = [r.name.clone(), r.kernel.clone(), inputs, outputs, r.shape.clone()];
        table.push(names.into_iter().chain(counts).collect());
    }
    let names = ["total", "", "", "", ""].map(String::from);
    let sums = [weights.to_string(), biases.to_string(), format!("{mflop:.3}")];
    table.push(names.into_iter().chain(sums).collect());
    let heads = ["<layer", ">kernel", ">in", ">out", ">output", ">weights", ">biases", ">MFLOP"];
    output::print(&format!(
        "{}\nparameters {}  (weights without the output layer: {})\n\
         MFLOP: one image forward, a multiply-add as 2, taps in the padding counted; training is three times that\n",
        output::table(&heads, &table),
        weights + biases,
        weights - output
    ))
}
