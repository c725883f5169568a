//! `warp19 export`.

use super::run::{self, Which};
use crate::data::atomic;
use crate::error::{Error, Result};
use crate::model::{Layer, Model};
use safetensors::{Dtype, tensor::TensorView};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    /// Run folder.
    run: PathBuf,
    #[arg(long, value_enum, default_value = "safetensors")]
    format: Format,
    /// File to write.
    #[arg(long)]
    out: PathBuf,
    #[arg(long, value_enum, default_value = "best")]
    checkpoint: Which,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// PyTorch's layouts, torchvision's VGG names.
    Safetensors,
}

pub fn run(args: &Args) -> Result<()> {
    let checkpoint = run::open(&args.run, args.checkpoint)?;
    let model = checkpoint.meta.config.model()?;
    let Format::Safetensors = args.format;
    let tensors = pytorch_tensors(&model, checkpoint.evaluated()?);
    let mut views = Vec::new();
    for (name, shape, values) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values))
            .map_err(|e| Error::Invalid(format!("{name}: {e}")))?;
        views.push((name.clone(), view));
    }
    let bytes = safetensors::serialize(views, None)
        .map_err(|e| Error::Invalid(format!("{}: {e}", args.out.display())))?;
    atomic::write(&args.out, &bytes)?;
    eprintln!(
        "{} tensors written to {}",
        tensors.len(),
        args.out.display()
    );
    Ok(())
}

/// Every parameter under torchvision's name and in PyTorch's layout: convolutions OIHW, linear layers `[out, in]`.
///
/// `features` counts each convolution, its ReLU, and each pool; `classifier` counts Linear, ReLU and Dropout. The
/// inputs of the first linear layer are permuted from the engine's HWC order to PyTorch's CHW.
fn pytorch_tensors(model: &Model, arena: &[f32]) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let (mut features, mut classifier) = (0, 0);
    let (parameters, shapes) = (model.parameters(), model.shapes());
    let mut out = Vec::new();
    for (index, (_, layer)) in model.layers.iter().enumerate() {
        let own: Vec<&[f32]> = parameters
            .iter()
            .filter(|p| p.layer == index)
            .map(|p| &arena[p.offset..p.offset + p.len])
            .collect();
        let from = shapes[index].0;
        match *layer {
            Layer::Conv { kernel, out: k } => {
                let (taps, c) = (kernel * kernel, from.c);
                let mut w = vec![0.0; own[0].len()];
                for (i, v) in w.iter_mut().enumerate() {
                    let (o, c_in, tap) = (i / (c * taps), i / taps % c, i % taps);
                    *v = own[0][(tap * c + c_in) * k + o];
                }
                let name = format!("features.{features}");
                out.push((format!("{name}.weight"), vec![k, c, kernel, kernel], w));
                out.push((format!("{name}.bias"), vec![k], own[1].to_vec()));
                features += 2;
            }
            Layer::Pool => features += 1,
            Layer::Linear { out: outputs, .. } => {
                let (inputs, positions) = (from.len(), from.h * from.w);
                let mut w = vec![0.0; own[0].len()];
                for (i, v) in w.iter_mut().enumerate() {
                    let (o, chw) = (i / inputs, i % inputs);
                    let hwc = chw % positions * from.c + chw / positions;
                    *v = own[0][hwc * outputs + o];
                }
                let name = format!("classifier.{classifier}");
                out.push((format!("{name}.weight"), vec![outputs, inputs], w));
                out.push((format!("{name}.bias"), vec![outputs], own[1].to_vec()));
                classifier += 2;
            }
            Layer::Dropout { .. } => classifier += 1,
        }
    }
    out
}
