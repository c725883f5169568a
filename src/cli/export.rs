//! `warp19 export`.

use super::run::Source;
use crate::error::Result;
use crate::export::{onnx, pytorch};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[arg(long, value_enum, default_value = "safetensors")]
    format: Format,
    /// File to write.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// PyTorch's layouts, torchvision's VGG names.
    Safetensors,
    /// The network with its weights; the input's pixels are in [0, 1].
    Onnx,
}

pub fn run(args: &Args) -> Result<()> {
    let checkpoint = args.source.open()?;
    let (config, weights) = (&checkpoint.meta.config, checkpoint.evaluated()?);
    match args.format {
        Format::Safetensors => {
            let tensors = pytorch::tensors(&config.model()?, weights);
            pytorch::write(&args.out, &tensors)?;
        }
        Format::Onnx => onnx::write(&args.out, config, weights)?,
    }
    eprintln!("{} written to {}", config.model, args.out.display());
    Ok(())
}
